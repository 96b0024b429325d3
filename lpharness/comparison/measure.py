"""From a trial's recording to what it tells of its model."""

from __future__ import annotations

from collections.abc import Sequence

from lpharness.checks.contract import Recording
from lpharness.checks.heartbeat import Gap as ProcessGap
from lpharness.checks.heartbeat import gaps
from lpharness.checks.story import Story
from lpharness.checks.transitions import Direction, Transition, due_transitions
from lpharness.comparison.calls import calls
from lpharness.comparison.looks import blocked, stops, tries
from lpharness.comparison.measured import PACE_S, Crossing, Gap, Measured, Outcome, StandStill, Stop
from lpharness.comparison.meetings import meetings
from lpharness.comparison.moves import moves
from lpharness.comparison.stillness import Still, Stillness
from lpharness.results.clock import GuestClock
from lpharness.results.figures import Stage, figures
from lpharness.results.model import Verdict
from lpharness.results.throughput import Worker, rate, workers
from lpharness.timeline.events import ModelTried, Phase, TasksSampled

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
        tasks=_tasks(recording),
        crossings=tuple(
            _crossing(recording, each, lulls, crew) for each in due_transitions(recording)
        ),
        baseline_gap=lulls.longest(lulls.window(Phase.BASELINE, None, Phase.LOAD)),
        baseline_s=lulls.baseline_s,
        beating=lulls.stillness.beating,
        stills=lulls.told,
        calls=calls(recording),
        before=_per_second(done.before),
        during=_per_second(done.during),
        patched=_per_second(done.between),
        after=_per_second(done.after),
    )


def _tasks(recording: Recording) -> int | None:
    """Return the most tasks that were counted: by who samples them, or by the model's looks."""
    sampled = [event.unpatched + event.patched for _, event in recording.of(TasksSampled)]
    looked = [event.tasks for _, event in recording.of(ModelTried)]
    return max((*sampled, *looked), default=0) or None


def _crossing(
    recording: Recording, transition: Transition, lulls: _Lulls, crew: Sequence[Worker]
) -> Crossing:
    looks = tries(recording, transition)
    began = transition.began[1].guest_ns or 0 if transition.began else 0
    stood = stops(looks, began, lulls.stillness)
    window = lulls.window(
        _CHANGES_BEGIN[transition.direction],
        transition.completed[1].guest_ns if transition.completed else None,
        Phase.STEADY if transition.direction == "patching" else Phase.AFTER,
    )
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
        gap=lulls.longest(window),
        window_s=lulls.since_load(window),
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


_Window = tuple[int, int]
"""Begin and end, in the guest's nanoseconds."""


class _Lulls:
    """When CPUs did nothing: by the heartbeats in the kernel, else, without them, by processes'."""

    def __init__(self, recording: Recording) -> None:
        self._clock = GuestClock(recording.events)
        self._story = Story(recording)
        self.stillness = Stillness(recording)
        self._gaps: Sequence[Still | ProcessGap] = (
            self.stillness.stills if self.stillness.beating else list(gaps(recording))
        )

    def window(self, phase: Phase, until_ns: int | None, or_until: Phase) -> _Window | None:
        """Return the time from a phase's begin to a moment; ``None`` if it did not come to that.

        Args:
            phase: from whose begin on.
            until_ns: guest time.
            or_until: until this phase began, where there is no such moment.
        """
        begin, end = self._began(phase), until_ns or self._began(or_until)
        return None if begin is None or end is None else (begin, end)

    def longest(self, window: _Window | None) -> Gap | None:
        """Return the longest of which a part lies in some time."""
        if window is None or not self._gaps:
            return None
        begin, end = window
        inside = [gap for gap in self._gaps if gap.ended_ns > begin and gap.began_ns < end]
        return Gap(
            own_s=max((gap.own_ns for gap in inside), default=0) / 1e9,
            whole_s=max((gap.length_ns for gap in inside), default=0) / 1e9,
        )

    def since_load(self, window: _Window | None) -> tuple[float, float] | None:
        """Return some time in seconds from the begin of the load."""
        load = self._began(Phase.LOAD)
        if window is None or load is None:
            return None
        return (window[0] - load) / 1e9, (window[1] - load) / 1e9

    @property
    def baseline_s(self) -> float | None:
        """How long nothing was changed, in seconds."""
        window = self.window(Phase.BASELINE, None, Phase.LOAD)
        return None if window is None else (window[1] - window[0]) / 1e9

    @property
    def told(self) -> tuple[StandStill, ...]:
        """What the heartbeats in the kernel kept, as samples."""
        load = self._began(Phase.LOAD)
        return () if load is None else self.stillness.told(load)

    def _began(self, phase: Phase) -> int | None:
        chapter = self._story.find(phase)
        return self._clock.of(chapter.events[0][1]) if chapter else None


def _per_second(stage: Stage | None) -> float | None:
    return stage.per_second if stage else None
