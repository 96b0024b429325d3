"""What is asked of ``bench fixes``, and what came of each fix."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from lpharness.results.model import Verdict


class Outcome(StrEnum):
    """What came of a fix, as far as it got."""

    CLEAN = "clean"
    """Built, loaded, moved every task, unloaded; all checks pass."""
    PARTLY = "partly"
    """Refused for what a running kernel never looks at again (start-up code); clean without it."""
    HARMED = "harmed"
    """The engine called it good, and a check failed: the patch or the kernel did wrong."""
    UNSURE = "unsure"
    """The harness could not say."""
    REFUSED = "refused"
    """The engine says why it cannot be a livepatch."""
    BROKEN = "broken"
    """The engine or the host failed: a fault of lpharness until shown otherwise."""
    NEEDS_OTHERS = "needs-others"
    """By itself it does not compile, or nothing leads to what it adds."""
    NO_CODE = "no-code"
    """What the compiler makes of it means the same before and after."""


COUNTED_APART = (Outcome.NEEDS_OTHERS, Outcome.NO_CODE)
"""Not among those of which a livepatch is asked."""


class Fix(Struct, frozen=True, kw_only=True):
    """One file's change between two versions, and what came of it."""

    path: str
    files: tuple[str, ...]
    """What was built together: the file, and what it needs."""
    outcome: Outcome
    together: bool = False
    """Whether what it needs was looked for, since it does not stand by itself."""
    left_out: bool = False
    """Whether what ``kind`` was refused for was left out of what was tried."""
    kind: str = ""
    """The engine's word for the reason, see ``docs/engine.md``."""
    reason: str = ""
    objects: tuple[str, ...] = ()
    """``vmlinux`` or modules, as livepatch names them."""
    functions: int = 0
    """Replaced."""
    called: int = 0
    """Of the first few of these, entered while the patch was on."""
    target_loaded: bool = True
    """Whether the patched module could be loaded into the guest (some need hardware)."""
    transition_s: float | None = None
    """Guest seconds."""
    verdict: Verdict | None = None
    build_s: float = 0.0
    trial_s: float = 0.0
    sha256: str = ""
    """Of the module."""


class Settings(Struct, frozen=True, kw_only=True):
    """What is measured."""

    old: str
    """Version of ``linux-source-*`` that the kernel was built from."""
    new: str
    kernel: str
    """The kernel's spec."""
    sample: int
    """So many files are drawn..."""
    seed: int
    """...by this seed..."""
    whole: tuple[str, ...] = ()
    """...and all of these folders."""
    guests: bool = True
    """Whether modules are tried in guests."""
    together: bool = False
    """Whether a fix that needs others is tried with them."""
    jobs: int = 2
