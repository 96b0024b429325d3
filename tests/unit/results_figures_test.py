from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from results_samples import passing, stalled

from lpharness.results import throughput
from lpharness.results.clock import GuestClock
from lpharness.results.figures import figures, phases
from lpharness.timeline.events import (
    ClockRead,
    Event,
    GuestStarted,
    Phase,
    PhaseBegan,
    TransitionMarked,
    WorkloadBegan,
    WorkloadSample,
)

S = throughput.SECOND


def _mark(at: float, mark: str, direction: str, source: str = "kmsg", patch: str = "p") -> Event:
    return TransitionMarked(
        host_ns=int(at * S),
        guest_ns=int(at * S),
        patch=patch,
        mark=mark,
        direction=direction,
        source=source,
    )


def _sample(at: float, operations: int, gap: float = 0.01, worker: int = 0) -> Event:
    return WorkloadSample(
        host_ns=int(at * S),
        guest_ns=int(at * S),
        workload="w",
        worker=worker,
        operations=operations,
        errors=worker,
        longest_gap_ns=int(gap * S),
    )


def _steady(rate: int, began: float, ended: float, **more: int) -> list[Event]:
    count = round((ended - began) * 10)
    return [_sample(began + n / 10, round(rate * n / 10), **more) for n in range(count + 1)]


def test_nothing_gives_nothing() -> None:
    empty = figures([])
    assert empty.transitions == ()
    assert empty.before is empty.during is empty.after is None
    assert empty.start_s is None


def test_a_transition_is_timed_on_the_guests_clock() -> None:
    events = [
        GuestStarted(host_ns=0, how="restore", seconds=0.3, accelerator="tcg"),
        _mark(1.0, "began", "patching"),
        _mark(2.25, "completed", "patching"),
        _mark(5.0, "began", "unpatching"),
        _mark(5.5, "completed", "unpatching"),
    ]
    found = figures(events)
    assert (found.how, found.start_s) == ("restore", 0.3)
    assert found.patching_s == pytest.approx(1.25)
    assert found.unpatching_s == pytest.approx(0.5)
    assert [move.ended for move in found.transitions] == ["completed", "completed"]


def test_the_kernels_own_stamp_outranks_sysfs() -> None:
    events = [
        _mark(1.0, "began", "patching"),
        _mark(1.1, "began", "patching", "sysfs"),
        _mark(2.0, "completed", "patching"),
        _mark(2.4, "completed", "patching", "sysfs"),
    ]
    (move,) = figures(events).transitions
    assert move.seconds == pytest.approx(1.0)


def test_a_mark_that_only_sysfs_saw_counts() -> None:
    events = [
        _mark(1.0, "began", "patching"),
        _mark(2.4, "completed", "patching", "sysfs"),
    ]
    assert figures(events).patching_s == pytest.approx(1.4)


def test_a_reversed_transition_is_told_from_a_completed_one() -> None:
    events = [
        _mark(1.0, "began", "patching"),
        _mark(4.0, "reversed", "unpatching"),
        _mark(4.5, "completed", "unpatching"),
    ]
    first, second = figures(events).transitions
    assert (first.ended, first.seconds) == ("reversed", None)
    assert (second.ended, second.seconds) == ("completed", pytest.approx(0.5))


def test_an_atomic_replace_is_two_patches_side_by_side() -> None:
    events = [
        _mark(1.0, "began", "patching", patch="a"),
        _mark(2.0, "completed", "patching", patch="a"),
        _mark(3.0, "began", "patching", patch="b"),
        _mark(3.5, "forced", "patching", patch="b"),
        _mark(6.0, "completed", "patching", patch="b"),
    ]
    found = figures(events)
    assert [(m.patch, m.forced, m.seconds) for m in found.transitions] == [
        ("a", False, pytest.approx(1.0)),
        ("b", True, pytest.approx(3.0)),
    ]
    assert found.patching_s == pytest.approx(3.0)
    assert found.unpatching_s is None


def _phases(**at: float) -> list[Event]:
    return [
        PhaseBegan(host_ns=int(seconds * S), guest_ns=int(seconds * S), phase=Phase(name))
        for name, seconds in at.items()
    ]


def test_throughput_before_during_between_and_after() -> None:
    events: list[Event] = [WorkloadBegan(host_ns=0, guest_ns=0, workload="w", workers=2)]
    total = 0
    for tenth in range(101):
        at = tenth / 10
        slow = 2.0 < at <= 3.0 or 6.0 < at <= 7.0
        total += 0 if tenth == 0 else (10 if slow else 100)
        gap = 0.09 if slow else 0.01
        events += [_sample(at, total, gap), _sample(at, total, gap, worker=1)]
    events += _phases(baseline=0, load=2, transition=2.5, steady=3, unload=6, after=7, end=10)
    found = figures(events)
    stages = [found.before, found.during, found.between, found.after]
    assert [stage.per_second for stage in stages if stage] == [
        pytest.approx(2000),
        pytest.approx(200),
        pytest.approx(2000),
        pytest.approx(2000),
    ]
    assert [stage.longest_gap_s for stage in stages if stage] == [0.01, 0.09, 0.01, 0.01]
    assert found.errors == 1
    assert found.longest_gap_s == 0.09


def test_a_stall_without_end_has_a_during_and_no_after() -> None:
    events = [
        *_steady(1000, 0, 8),
        *_phases(baseline=0, load=1.5, transition=2),
        _mark(2.0, "began", "patching"),
        _sample(8.0, 8000),
    ]
    found = figures(events)
    assert found.patching_s is None
    assert found.transitions[0].ended == "open"
    assert found.transitions[0].outcome == "not completed"
    assert found.before
    assert found.during
    assert found.during.per_second == pytest.approx(1000)
    assert found.after is None


def test_a_workload_that_reports_once_has_no_rate() -> None:
    found = figures([_sample(1, 5, gap=0), *_phases(baseline=0, end=2)])
    assert found.before is None


def test_events_without_the_guests_stamp_are_placed_by_the_clock_reads() -> None:
    clock = GuestClock(
        [
            ClockRead(host_ns=10, guest_ns=110, uncertainty_ns=1),
            ClockRead(host_ns=50, guest_ns=151, uncertainty_ns=1),
        ]
    )
    assert [clock.at(host) for host in (0, 10, 49, 50, 60)] == [100, 110, 149, 151, 161]


def test_without_clock_reads_the_tightest_bound_is_used() -> None:
    clock = GuestClock([_mark(1.0, "began", "patching"), _sample(2.0, 1)])
    assert clock.known
    assert clock.at(0) == 0
    late = TransitionMarked(
        host_ns=5, guest_ns=3, patch="p", mark="began", direction="patching", source="kmsg"
    )
    assert GuestClock([late]).at(0) == -2
    assert not GuestClock([PhaseBegan(host_ns=1, phase=Phase.BOOT)]).known


def test_phases_lie_one_after_the_other() -> None:
    _, events, _ = passing()
    found = phases(events, GuestClock(events))
    assert [phase for phase, _, _ in found] == [
        "build", "boot", "baseline", "load", "transition", "steady", "unload", "after", "end",
    ]  # fmt: skip
    assert all(left[2] == right[1] for left, right in pairwise(found))


def test_bars_add_up_to_the_operations_done() -> None:
    _, events, _ = passing()
    crew = throughput.workers(events, GuestClock(events))
    bars = throughput.rates(crew)
    done = sum(bar.per_second * (bar.ended_ns - bar.began_ns) / S for bar in bars)
    assert done == pytest.approx(sum(worker.operations[-1] for worker in crew), rel=1e-6)


def test_a_long_trial_has_a_bounded_number_of_bars() -> None:
    crew = throughput.workers([_sample(0, 0), _sample(10_000, 5)], GuestClock([_sample(0, 0)]))
    assert len(throughput.rates(crew)) == 1200


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**9), st.integers(0, 10**10))))
def test_any_reports_give_finite_rates(reports: list[tuple[int, int, int]]) -> None:
    events: list[Event] = [
        WorkloadSample(
            host_ns=at,
            guest_ns=at,
            workload="w",
            worker=at % 3,
            operations=operations,
            errors=0,
            longest_gap_ns=gap,
        )
        for at, operations, gap in reports
    ]
    found = figures([*events, *_phases(baseline=0, transition=500, after=900, end=1000)])
    for stage in (found.before, found.during, found.between, found.after):
        assert stage is None or stage.per_second is None or abs(stage.per_second) < 1e30
    bars = throughput.rates(throughput.workers(events, GuestClock(events)))
    assert all(left.ended_ns == right.began_ns for left, right in pairwise(bars))


def test_the_samples_figures_are_what_they_were_made_to_be() -> None:
    found = figures(passing()[1])
    assert found.patching_s == pytest.approx(1.28, abs=1e-6)
    assert found.unpatching_s == pytest.approx(1.25, abs=1e-6)
    assert figures(stalled()[1]).transitions[0].ended == "reversed"
