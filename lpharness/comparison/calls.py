"""What a call of a patched function cost when, as a case times it itself: ``patches/contract``."""

from __future__ import annotations

from lpharness.checks.contract import Recording
from lpharness.checks.story import Story
from lpharness.checks.transitions import due_transitions
from lpharness.comparison.measured import Call, Stage
from lpharness.results.clock import GuestClock
from lpharness.timeline.events import CallsTimed, Phase

Stretch = tuple[Stage, int, int]
_NEVER = 2**63


def calls(recording: Recording) -> tuple[Call, ...]:
    """Return every burst of calls in order; empty for a case that times none."""
    load = _load(recording)
    if load is None:
        return ()
    stretches = _stretches(recording, load)
    return tuple(
        Call(
            at_s=(burst.at_ns - load) / 1e9,
            stage=_stage(burst.at_ns, stretches),
            ns=max(burst.timed_ns - burst.clock_ns, 0) / timed.calls,
            twin_ns=max(burst.twin_ns - burst.clock_ns, 0) / timed.calls,
        )
        for _, timed in recording.of(CallsTimed)
        for burst in timed.bursts
    )


def _stage(at_ns: int, stretches: list[Stretch]) -> Stage | None:
    return next((stage for stage, begin, end in stretches if begin <= at_ns < end), None)


def _load(recording: Recording) -> int | None:
    chapter = Story(recording).find(Phase.LOAD)
    return GuestClock(recording.events).of(chapter.events[0][1]) if chapter else None


def _stretches(recording: Recording, load: int) -> list[Stretch]:
    """Return the stages that there were, each with its begin and end in the guest's time.

    Between them a module is loaded or the like: what falls there is of no stage.
    """
    found: list[Stretch] = [("before", 0, load)]
    ends: dict[str, int] = {}
    begins: dict[str, int] = {}
    for transition in due_transitions(recording):
        began, completed = transition.began, transition.completed
        if began is None or began[1].guest_ns is None:
            continue
        begins[transition.direction] = began[1].guest_ns
        if completed is not None and completed[1].guest_ns is not None:
            ends[transition.direction] = completed[1].guest_ns
            found.append((transition.direction, began[1].guest_ns, completed[1].guest_ns))
    if "patching" in ends:
        found.append(("patched", ends["patching"], begins.get("unpatching", _NEVER)))
    if "unpatching" in ends:
        found.append(("after", ends["unpatching"], _NEVER))
    return found
