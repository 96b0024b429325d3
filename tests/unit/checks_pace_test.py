"""The workload's pace with the patch on: a slow function is a fault, a busy host is none."""

from collections.abc import Iterable

import msgspec
import pytest
from checks_clauses import STEADY
from checks_samples import SECOND, assert_verdict, between, clean, drop, expecting

from lpharness.checks import CHECKS, Recording
from lpharness.results.model import Evidence, Verdict
from lpharness.timeline.events import HostShare, WorkloadSample

PASS, FAIL = Verdict.PASS, Verdict.FAIL
BASELINE = between(0, 1)


def slower(times: float, window=STEADY, recording: Recording | None = None) -> Recording:
    """Let the workers do so much less in a time; what they do later goes on from there."""
    events = []
    lost: dict[int, float] = {}
    for event in (recording or clean()).events:
        changed = event
        if isinstance(event, WorkloadSample):
            if window(event):
                lost[event.worker] = lost.get(event.worker, 0) + 100 * (1 - 1 / times)
            done = event.operations - round(lost.get(event.worker, 0))
            changed = msgspec.structs.replace(event, operations=done)
        events.append(changed)
    return msgspec.structs.replace(recording or clean(), events=events)


def held_up(share: float, first: float, last: float, recording: Recording) -> Recording:
    """Let the host hold up the guest for a share of a time."""
    events = []
    for event in recording.events:
        changed = event
        if isinstance(event, HostShare):
            inside = min(max(event.host_ns - first * SECOND, 0), (last - first) * SECOND)
            changed = msgspec.structs.replace(event, waited_ns=round(inside * share))
        events.append(changed)
    return msgspec.structs.replace(recording, events=events)


def pace_of(evidence: Iterable[Evidence]) -> list[Evidence]:
    return [piece for piece in evidence if piece.what.startswith("pace of")]


def test_a_function_that_takes_twenty_times_as_long_fails_with_figures() -> None:
    result = assert_verdict(
        "under_load", slower(20), FAIL, "pace of syscall-hammer with lph_case on"
    )
    (piece,) = pace_of(result.evidence)
    assert "where 1,997 were usual" in piece.seen
    assert "0.05 times as fast" in piece.seen
    assert piece.wanted == "at least 1/10 of before, for half of the time at least"


@pytest.mark.parametrize("times", [1, 2, 8])
def test_one_that_takes_a_little_longer_passes_with_figures(times: float) -> None:
    result = CHECKS["under_load"](slower(times) if times > 1 else clean())
    assert result.verdict is PASS, result.summary
    assert pace_of(result.evidence)[0].good


def test_a_host_that_holds_the_guest_up_is_no_slow_function() -> None:
    busy = held_up(0.9, 2.5, 4, slower(12))
    assert CHECKS["under_load"](busy).verdict is PASS


def test_a_slow_function_is_one_on_a_busy_host_too() -> None:
    busy = held_up(0.5, 0, 8, slower(20))
    assert CHECKS["under_load"](busy).verdict is FAIL


def test_a_slow_start_is_forgiven() -> None:
    assert CHECKS["under_load"](slower(50, between(2.5, 3.1))).verdict is PASS


def test_a_case_may_allow_for_it() -> None:
    assert CHECKS["under_load"](expecting(slower(20), slowdown=30.0)).verdict is PASS


@pytest.mark.parametrize(
    "recording",
    [
        drop(slower(20), HostShare),
        slower(20, recording=slower(1000, BASELINE)),
        drop(slower(20), WorkloadSample, between(2.8, 4)),
    ],
    ids=["no-account", "hardly-anything-before", "hardly-a-time"],
)
def test_what_cannot_be_compared_is_not(recording: Recording) -> None:
    assert not pace_of(CHECKS["under_load"](recording).evidence)


def test_the_samples_run_at_one_pace() -> None:
    (piece,) = pace_of(CHECKS["under_load"](clean()).evidence)
    assert "0.93 times as fast" in piece.seen
