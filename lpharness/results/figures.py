"""The figures that every report shows, from a timeline: one place, so that they all agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from lpharness.results import text, throughput
from lpharness.results.clock import GuestClock
from lpharness.results.throughput import SECOND, Worker
from lpharness.timeline.events import Event, GuestStarted, Phase, PhaseBegan, TransitionMarked

_SOURCES = ("kmsg", "tracing", "sysfs")
"""Whose stamp of a mark counts, where several tell of it: the kernel's own first."""


class Transition(Struct, frozen=True, kw_only=True):
    """One transition of one patch, in guest nanoseconds."""

    patch: str
    direction: Literal["patching", "unpatching"]
    began_ns: int
    ended_ns: int | None = None
    """When it completed or was reversed; ``None`` if it did neither while anyone looked."""
    ended: Literal["completed", "reversed", "open"] = "open"
    forced: bool = False

    @property
    def seconds(self) -> float | None:
        """Guest seconds from began to completed; ``None`` if it did not complete."""
        if self.ended_ns is None or self.ended != "completed":
            return None
        return (self.ended_ns - self.began_ns) / SECOND

    @property
    def outcome(self) -> str:
        """How long it took, or what became of it instead, for a person."""
        if self.seconds is not None:
            return text.seconds(self.seconds)
        return "reversed" if self.ended == "reversed" else "not completed"


class Stage(Struct, frozen=True, kw_only=True):
    """What the workload did in one part of the trial."""

    per_second: float | None
    """Operations per second of all workers; ``None`` where none reported."""
    longest_gap_s: float | None
    """Longest time a worker went without an operation, by reports that lie mostly in the part."""


class Figures(Struct, frozen=True, kw_only=True):
    """See the functions below for how each is made."""

    how: str = ""
    """``boot`` or ``restore``; empty if the guest never answered."""
    start_s: float | None = None
    """Host seconds from the request for a guest to its first answer."""
    transitions: tuple[Transition, ...] = ()
    before: Stage | None = None
    """The workload until the first module was loaded."""
    during: Stage | None = None
    """While something changed: loads, transitions and the unload, all of them together."""
    between: Stage | None = None
    """Patched and steady."""
    after: Stage | None = None
    """After the unload."""
    errors: int = 0
    """Errors that the workers told of."""

    @property
    def patching_s(self) -> float | None:
        """Guest seconds of the slowest completed patching transition."""
        return _slowest(self.transitions, "patching")

    @property
    def unpatching_s(self) -> float | None:
        """Guest seconds of the slowest completed unpatching transition."""
        return _slowest(self.transitions, "unpatching")

    @property
    def stages(self) -> list[tuple[str, Stage]]:
        """The parts of which the workload told, in order, with a name for each."""
        named = (
            ("before", self.before),
            ("while it changed", self.during),
            ("patched", self.between),
            ("after", self.after),
        )
        return [(name, stage) for name, stage in named if stage]

    @property
    def longest_gap_s(self) -> float | None:
        """Longest time that any worker went without an operation in the whole trial."""
        gaps = [stage.longest_gap_s for _, stage in self.stages]
        return max((gap for gap in gaps if gap is not None), default=None)


def figures(events: Sequence[Event]) -> Figures:
    """Work the figures out of a timeline."""
    clock = GuestClock(events)
    moves = transitions(events, clock)
    crew = throughput.workers(events, clock)
    started = next((event for event in events if isinstance(event, GuestStarted)), None)
    return Figures(
        how=started.how if started else "",
        start_s=started.seconds if started else None,
        transitions=moves,
        errors=sum(worker.errors for worker in crew),
        **_stages(crew, _windows(events, clock)),
    )


def transitions(events: Sequence[Event], clock: GuestClock) -> tuple[Transition, ...]:
    """Pair the marks of each patch; of marks told by several sources the kernel's own counts."""
    done: list[Transition] = []
    running: dict[str, Transition] = {}
    for event in _marks(events):
        at, open_ = clock.of(event), running.get(event.patch)
        if event.mark == "forced":
            if open_:
                running[event.patch] = replace(open_, forced=True)
        elif event.mark == "completed":
            if open_ and open_.direction == event.direction:
                done.append(replace(open_, ended_ns=at, ended="completed"))
                del running[event.patch]
        else:  # began, or reversed: the same patch now goes the other way
            if open_:
                done.append(replace(open_, ended_ns=at, ended="reversed"))
            running[event.patch] = Transition(
                patch=event.patch, direction=event.direction, began_ns=at
            )
    return tuple(sorted([*done, *running.values()], key=lambda move: move.began_ns))


def phases(events: Sequence[Event], clock: GuestClock) -> list[tuple[Phase, int, int]]:
    """Return each phase with the guest nanoseconds at which it began and ended.

    The last one ends with the last event: it may have been cut short.
    """
    begun = [(event.phase, clock.of(event)) for event in events if isinstance(event, PhaseBegan)]
    if not begun:
        return []
    last = max(clock.of(event) for event in events)
    ends = [at for _, at in begun[1:]] + [max(last, begun[-1][1])]
    return [(phase, at, end) for (phase, at), end in zip(begun, ends, strict=True)]


def _marks(events: Sequence[Event]) -> list[TransitionMarked]:
    """Return the marks without those that a better source told as well."""
    marks = [event for event in events if isinstance(event, TransitionMarked)]
    best: dict[tuple[str, str, str], int] = {}
    for mark in marks:
        key = mark.patch, mark.mark, mark.direction
        rank = _SOURCES.index(mark.source)
        best[key] = min(rank, best.get(key, rank))
    return [
        mark
        for mark in marks
        if _SOURCES.index(mark.source) == best[mark.patch, mark.mark, mark.direction]
    ]


def _slowest(moves: Sequence[Transition], direction: str) -> float | None:
    took = [move.seconds for move in moves if move.direction == direction]
    return max((seconds for seconds in took if seconds is not None), default=None)


_Window = list[tuple[int, int]]
_PARTS = {
    Phase.BOOT: "before",
    Phase.BASELINE: "before",
    Phase.LOAD: "during",
    Phase.TRANSITION: "during",
    Phase.STEADY: "between",
    Phase.UNLOAD: "during",
    Phase.AFTER: "after",
}


def _windows(events: Sequence[Event], clock: GuestClock) -> dict[str, _Window]:
    """Gather the phases into the parts that are compared.

    By phases rather than by marks: a transition may be over within milliseconds, too short a time
    for workers that report each 100 ms.
    """
    windows: dict[str, _Window] = {}
    for phase, began, ended in phases(events, clock):
        if ended > began and phase in _PARTS:
            windows.setdefault(_PARTS[phase], []).append((began, ended))
    return windows


def _stages(crew: Sequence[Worker], windows: dict[str, _Window]) -> dict[str, Stage]:
    covered = throughput.span(crew)
    if covered is None:
        return {}
    first, last = covered
    told = throughput.gaps(crew)
    stages = {}
    for name, window in windows.items():
        cut = [(max(began, first), min(ended, last)) for began, ended in window]
        cut = [(began, ended) for began, ended in cut if ended > began]
        if cut:
            stages[name] = Stage(per_second=_mean(crew, cut), longest_gap_s=_longest(told, cut))
    return stages


def _mean(crew: Sequence[Worker], window: _Window) -> float | None:
    parts = [(throughput.rate(crew, began, ended), ended - began) for began, ended in window]
    whole = sum(width for value, width in parts if value is not None)
    done = sum(value * width for value, width in parts if value is not None)
    return done / whole if whole else None


def _longest(told: Sequence[throughput.Gap], window: _Window) -> float | None:
    inside = (
        gap.gap_ns / SECOND
        for gap in told
        if any(began <= (gap.began_ns + gap.ended_ns) // 2 < ended for began, ended in window)
    )
    return max(inside, default=None)
