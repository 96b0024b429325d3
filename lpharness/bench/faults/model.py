"""A fault planted on purpose: what is wrong, who must see it, and what must be shown."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from lpharness.results.model import Verdict
from lpharness.timeline.events import Phase

COMMAND = "command"
"""The check of a fault that the command itself refuses, before there is a trial to judge."""
BUILD = "build"
"""The check of a fault that is found in building or inspecting the module."""


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One folder of the corpus: its ``fault.toml``."""

    title: str
    """What is wrong, in a few words."""
    verdict: Verdict
    """What the trial must come to. ``pass`` only where the harness heals what happened to it, and
    says so."""
    check: str
    """Which check must catch it, by its name in ``trial.json``; or ``command``, or ``build``."""
    evidence: tuple[str, ...]
    """Regular expressions, each of which must be found in what that check shows."""
    case: str = ""
    """A bundled case; empty where the folder has a ``case.toml`` of its own."""
    kernel: str = "debian:6.1-cloud"
    options: tuple[str, ...] = ()
    """More of ``lpharness run``'s."""
    plant: str = ""
    """What happens on the host meanwhile, by its name in ``lpharness/bench/faults/plants``."""
    long: bool = False
    """Whether it takes so long that the tests leave it to ``bench faults``."""
    phase: Phase | None = None
    """When it happens, where a plant can happen at any time."""
    name: str = ""
    """``CLASS/FOLDER``; set by the loader, not in the file."""
    folder: Path | None = None
    """Set by the loader, not in the file."""

    @property
    def class_(self) -> str:
        """What it is an example of: the folder that its own lies in."""
        return self.name.partition("/")[0]

    @property
    def tried(self) -> str:
        """The case that is run, as ``lpharness run`` takes it."""
        return self.case or str(self.folder)


class Caught(StrEnum):
    """How a fault came out."""

    CAUGHT = "caught"
    """By the check that should, with the evidence that must be shown."""
    ELSEWHERE = "caught by another"
    """The verdict is right, but not by the check that should, or not for the reason."""
    MISSED = "missed"
    """It passed."""
    WRONG = "wrong verdict"
    """``fail`` where nobody could say, ``error`` where the patch did wrong, or something was left
    behind."""
    SKIPPED = "skipped"
    """Not tried on this machine; the reason says why."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one fault."""

    fault: str
    caught: Caught
    verdict: Verdict | None
    reason: str
    """The trial's reason, or what is wrong with how it was caught."""
    seconds: float = 0.0
    left: tuple[str, ...] = ()
    """Processes, files and sockets that were left behind."""
