"""Who watches, in which order both come and go, and what came of it."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct, field

from lpharness.base.errors import InputError


class Tracer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``tracers.toml``."""

    title: str
    on: str
    count: str
    off: str
    name: str = ""
    """Set by `tracers`."""


class Act(StrEnum):
    """What can happen."""

    TRACER_ON = "tracer on"
    TRACER_OFF = "tracer off"
    PATCH_ON = "patch on"
    PATCH_OFF = "patch off"


class Order(Struct, frozen=True, kw_only=True):
    """An order in which tracer and patch come and go, both being there in between."""

    name: str
    acts: tuple[Act, Act, Act, Act]


ORDERS = tuple(
    Order(
        name=f"{'before' if first is Act.TRACER_ON else 'after'} the patch, "
        f"gone {'before' if third is Act.TRACER_OFF else 'after'} it",
        acts=(first, second, third, fourth),
    )
    for first, second in (
        (Act.TRACER_ON, Act.PATCH_ON),
        (Act.PATCH_ON, Act.TRACER_ON),
    )
    for third, fourth in (
        (Act.TRACER_OFF, Act.PATCH_OFF),
        (Act.PATCH_OFF, Act.TRACER_OFF),
    )
)


class Met(StrEnum):
    """What came of a meeting."""

    WORKS = "works"
    """Redirection and counts were right all the time."""
    REFUSED = "refused"
    """The kernel did not let the second one come, and all was right with the first alone."""
    WRONG = "wrong"
    """The kernel let both be there, and the redirection, a count or the console was not right."""
    UNKNOWN = "unknown"
    """The harness or the host could not say."""


class Step(Struct, frozen=True, kw_only=True):
    """One act, and what was seen after it."""

    act: Act
    refused: str = ""
    """The kernel's error, ``EBUSY``, if it said no; then nothing has changed."""
    patched: bool | None = None
    """Whether the function's behaviour was the patch's."""
    counted: int | None = None
    """Calls that the tracer counted while the function was called `calls` times."""
    calls: int = 0
    enabled: str = ""
    """What ftrace's ``enabled_functions`` says of the function."""
    wrong: tuple[str, ...] = ()
    """What was not as it should be."""


class Outcome(Struct, frozen=True, kw_only=True):
    """One tracer and the patch on one kernel in one order."""

    kernel: str
    tracer: str
    order: str
    met: Met
    summary: str
    steps: tuple[Step, ...] = ()
    later: str = ""
    """What came of trying the refused one again after the other had gone."""
    console: tuple[str, ...] = field(default=())
    """Findings of the console that are no part of a healthy life."""


def tracers(names: tuple[str, ...] = ()) -> tuple[Tracer, ...]:
    """Return the tracers, all or those named.

    Raises:
        InputError: there is none of a name.
    """
    raw = tomllib.loads(Path(__file__).with_name("tracers.toml").read_text())
    known = {
        name: msgspec.structs.replace(tracer, name=name)
        for name, tracer in msgspec.convert(raw, dict[str, Tracer]).items()
    }
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"no tracer {unknown[0]!r}", hint=f"there are {', '.join(known)}")
    return tuple(tracer for name, tracer in known.items() if not names or name in names)
