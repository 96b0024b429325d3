"""From a trial's recording to what it tells of its model."""

from __future__ import annotations

from collections.abc import Sequence

from lpharness.checks.contract import Recording
from lpharness.checks.heartbeat import gaps
from lpharness.checks.story import Story
from lpharness.checks.transitions import Direction, Transition, due_transitions
from lpharness.comparison.looks import blocked, stops, tries
from lpharness.comparison.measured import PACE_S, Crossing, Gap, Measured, Outcome, Stop
from lpharness.comparison.meetings import meetings
from lpharness.comparison.moves import moves
from lpharness.results.clock import GuestClock
from lpharness.results.figures import Stage, figures
from lpharness.results.model import Verdict
from lpharness.results.throughput import Worker, rate, workers
from lpharness.timeline.events import Phase

_AROUND = round(1.0 / PACE_S)
_MOST_STEPS = round(15.0 / PACE_S)
_AT_ONCE = frozenset({"ksplice", "kpatch", "immediate"})
_CHANGES_BEGIN: dict[Direction, Phase] = {"patching": Phase.LOAD, "unpatching": Phase.UNLOAD}


def measure(recording: Recording, verdict: Verdict, reason: str) -> Measured:
    """Return what a trial tells, as far as it came."""
    done = figures(recording.events)
    lulls = _Lulls(recording)
    crew = workers(recording.events, GuestClock(recording.events))
    return Measured(
        case=recording.id.case,
        kernel=recording.id.kernel,
        workload=recording.id.workload,
        model=recording.id.model,
        repeat=recording.id.repeat,
        verdict=verdict,
        reason=reason,
        accelerator=recording.accelerator,
        crossings=tuple(
            _crossing(recording, each, lulls, crew) for each in due_transitions(recording)
        ),
        baseline_gap=lulls.longest(Phase.BASELINE, None, Phase.LOAD),
        before=_per_second(done.before),
        during=_per_second(done.during),
        patched=_per_second(done.between),
        after=_per_second(done.after),
    )


def _crossing(
    recording: Recording, transition: Transition, lulls: _Lulls, crew: Sequence[Worker]
) -> Crossing:
    looks = tries(recording, transition)
    began = transition.began[1].guest_ns or 0 if transition.began else 0
    stood = stops(looks, began)
    outcome = _outcome(transition)
    return Crossing(
        direction=transition.direction,
        outcome=outcome,
        seconds=transition.seconds,
        switched_s=_switched(recording, transition, stood) if outcome == "completed" else None,
        moves=moves(recording, transition),
        looks=len(looks),
        failed=sum(1 for look in looks if look.blocked),
        stops=stood,
        blocked=blocked(recording, transition),
        gap=lulls.longest(
            _CHANGES_BEGIN[transition.direction],
            transition.completed[1].guest_ns if transition.completed else None,
            Phase.STEADY if transition.direction == "patching" else Phase.AFTER,
        ),
        met=meetings(recording, transition.direction),
        pace=_pace(crew, began, transition.seconds) if began else (),
    )


def _pace(
    crew: Sequence[Worker], began_ns: int, took_s: float | None
) -> tuple[tuple[float, float], ...]:
    """Return what the workload did from a second before a transition to one after it."""
    steps = range(-_AROUND, min(round((took_s or 0.0) / PACE_S) + _AROUND, _MOST_STEPS))
    step_ns = round(PACE_S * 1e9)
    edges = [(step * PACE_S, began_ns + step * step_ns) for step in steps]
    found = [(at, rate(crew, edge, edge + step_ns)) for at, edge in edges]
    return tuple((round(at, 3), value) for at, value in found if value is not None)


def _outcome(transition: Transition) -> Outcome:
    if transition.began is None:
        return "never began"
    if transition.abandoned is not None:
        return "gave up"
    return "completed" if transition.completed is not None else "not over"


def _switched(
    recording: Recording, transition: Transition, stood: tuple[Stop, ...]
) -> float | None:
    """Return when everything switched: at the end of the stop that found nobody in the way."""
    if recording.id.model not in _AT_ONCE:
        return None
    return stood[-1].at_s + stood[-1].seconds if stood else transition.seconds


class _Lulls:
    """When CPUs did nothing, the host's share taken off."""

    def __init__(self, recording: Recording) -> None:
        self._clock = GuestClock(recording.events)
        self._story = Story(recording)
        self._gaps = list(gaps(recording))

    def longest(self, phase: Phase, until_ns: int | None, or_until: Phase) -> Gap | None:
        """Return the longest of which a part lies between a phase's begin and a moment.

        Args:
            phase: from whose begin on.
            until_ns: guest time.
            or_until: until this phase began, where there is no such moment.
        """
        begin, end = self._began(phase), until_ns or self._began(or_until)
        if begin is None or end is None or not self._gaps:
            return None
        inside = [gap for gap in self._gaps if gap.ended_ns > begin and gap.began_ns < end]
        return Gap(
            own_s=max((gap.own_ns for gap in inside), default=0) / 1e9,
            whole_s=max((gap.length_ns for gap in inside), default=0) / 1e9,
        )

    def _began(self, phase: Phase) -> int | None:
        chapter = self._story.find(phase)
        return self._clock.of(chapter.events[0][1]) if chapter else None


def _per_second(stage: Stage | None) -> float | None:
    return stage.per_second if stage else None
