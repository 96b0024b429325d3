"""``gate.toml``: what a release must show before it ships. ``docs/gate.md`` has every key."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from lpharness.base.errors import InputError
from lpharness.cases.toml import read_as
from lpharness.store import measures

Answer = Literal["block", "hole", "tell"]
"""What a finding means: do not ship; nobody can say; nothing, but it is told."""

_MANUAL = "docs/gate.md"
_PHASES = {
    measures.TRANSITION: ("patching", "unpatching"),
    measures.STOP: (measures.BEFORE, measures.DURING, measures.PATCHED, measures.AFTER),
    measures.THROUGHPUT: (measures.BEFORE, measures.DURING, measures.PATCHED, measures.AFTER),
    measures.HEARTBEAT: ("",),
}


class Demand(Struct, frozen=True, kw_only=True):
    """``[[require]]``: each of these cases on each of these kernels under each of the workloads."""

    cases: tuple[str, ...]
    kernels: tuple[str, ...]
    """As asked for (``debian:6.1-cloud``), or exact."""
    workloads: tuple[str, ...] = ()
    """Empty where any will do."""
    repeats: int = 1
    """So many trials of each, at least, must have said something."""

    def each(self) -> Iterator[tuple[str, str, str]]:
        """Yield case, kernel and workload; an empty workload for any."""
        yield from itertools.product(self.cases, self.kernels, self.workloads or ("",))


class Held(Struct, frozen=True, kw_only=True):
    """``[[measure]]``: a measure that must not become worse."""

    name: str
    phase: str = ""
    worse: float = 0.05
    """The least change of the median that matters: 0.05 is 5 %."""
    relative: bool = False
    """Whether each trial's value is taken as a share of its own before the patch."""

    @property
    def words(self) -> str:
        """The measure for people: ``transition patching``."""
        share = " (of its own before)" if self.relative else ""
        return f"{self.name} {self.phase}".strip() + share


_USUAL = (
    Held(name=measures.TRANSITION, phase="patching"),
    Held(name=measures.TRANSITION, phase="unpatching"),
    Held(name=measures.STOP, phase=measures.DURING),
    Held(name=measures.THROUGHPUT, phase=measures.DURING, relative=True),
    Held(name=measures.THROUGHPUT, phase=measures.PATCHED, relative=True),
    Held(name=measures.HEARTBEAT),
)


class Answers(Struct, frozen=True, kw_only=True, rename="kebab"):
    """``[answers]``: what each kind of finding means."""

    regression: Answer = "block"
    """Was good in the baseline, and is bad."""
    failing: Answer = "block"
    """Is bad, and was bad in the baseline, or not there."""
    new_flake: Answer = "block"
    """The very same came out good and bad; it did not in the baseline."""
    flake: Answer = "tell"
    """Was flaky already."""
    hole: Answer = "hole"
    """Something that is demanded was not tried, or nobody could say what came of it."""
    gone: Answer = "hole"
    """The baseline has it, and the candidate has not."""
    slower: Answer = "block"
    """A measure became worse."""
    few: Answer = "hole"
    """Too few repeats to say whether a measure became worse."""
    elsewhere: Answer = "hole"
    """A measure was taken on another kind of machine, so it cannot be compared."""


class Statistics(Struct, frozen=True, kw_only=True, rename="kebab"):
    """``[statistics]``: how measures are compared."""

    alpha: float = 0.05
    """The chance, at most, that a gate calls anything slower though nothing is."""
    each_line: bool = True
    """Whether each line is compared by itself as well, not only all of them together."""
    any_machine: bool = False
    """Whether measures of different machines are compared all the same."""


class Policy(Struct, frozen=True, kw_only=True):
    """The whole file."""

    require: tuple[Demand, ...] = ()
    measure: tuple[Held, ...] = _USUAL
    answers: Answers = field(default_factory=Answers)
    statistics: Statistics = field(default_factory=Statistics)
    baseline: str = ""
    """The release to hold against, unless the command line names another."""


def read_policy(file: Path) -> Policy:
    """Read a policy.

    Raises:
        InputError: it cannot be read, or says something that cannot be; says where.
    """
    policy = read_as(file, "a policy", Policy, manual=_MANUAL)
    for fault in _faults(policy):
        raise InputError(f"{file}: {fault}", hint=f"{_MANUAL} has every key")
    return policy


def _faults(policy: Policy) -> Iterator[str]:
    for number, demand in enumerate(policy.require):
        yield from _of_demand(f"require[{number}]", demand)
    for number, held in enumerate(policy.measure):
        yield from _of_measure(f"measure[{number}]", held)
    named = [(held.name, held.phase, held.relative) for held in policy.measure]
    for twice in {name for name in named if named.count(name) > 1}:
        yield f"measure: {' '.join(twice[:2]).strip()} is there twice"
    if not 0 < policy.statistics.alpha < 0.5:
        yield f"statistics.alpha: {policy.statistics.alpha} is not between 0 and 0.5"


def _of_demand(where: str, demand: Demand) -> Iterator[str]:
    lists = {"cases": demand.cases, "kernels": demand.kernels, "workloads": demand.workloads}
    for key, names in lists.items():
        if not names and key != "workloads":
            yield f"{where}.{key}: names nothing"
        for name in names:
            if not name or any(sign in name for sign in "*?["):
                yield f"{where}.{key}: {name!r}: a demand names things, it has no patterns"
    if demand.repeats < 1:
        yield f"{where}.repeats: {demand.repeats} is less than one"


def _of_measure(where: str, held: Held) -> Iterator[str]:
    phases = _PHASES.get(held.name)
    if phases is None:
        yield f"{where}.name: no measure {held.name!r}; there are {', '.join(_PHASES)}"
    elif held.phase not in phases:
        known = ", ".join(filter(None, phases)) or "none: leave it out"
        yield f"{where}.phase: {held.name} has no phase {held.phase!r}; there are {known}"
    if not 0 <= held.worse < 10:
        yield f"{where}.worse: {held.worse} is no share: 0.05 is 5 %"
    if held.relative and (measures.BEFORE not in (phases or ()) or held.phase == measures.BEFORE):
        yield f"{where}.relative: {held.name} {held.phase} has no value before the patch to share"
