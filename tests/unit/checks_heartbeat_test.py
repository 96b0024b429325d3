"""The CPUs' heartbeats: stand-stills, whose doing they were, and what the baseline allows."""

from collections.abc import Callable

import msgspec
import pytest
from checks_clauses import STEADY
from checks_samples import (
    BOOTED,
    MS,
    SECOND,
    ask,
    assert_verdict,
    change,
    clean,
    drop,
    insert,
)

from lpharness.checks import Recording
from lpharness.results.model import Verdict
from lpharness.timeline.events import (
    ClockRead,
    CpuBeats,
    Heartbeat,
    HeartbeatBegan,
    HostShare,
)

PASS, FAIL, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP


def beats(recording: Recording, of: Callable[[Heartbeat, CpuBeats], CpuBeats]) -> Recording:
    """Change what is told of single CPUs."""
    events = [
        msgspec.structs.replace(e, cpus=tuple(of(e, cpu) for cpu in e.cpus))
        if isinstance(e, Heartbeat)
        else e
        for e in recording.events
    ]
    assert events != list(recording.events)
    return msgspec.structs.replace(recording, events=events)


def still(
    milliseconds: int, *cpus: int, at: float = 3.0, recording: Recording | None = None
) -> Recording:
    """Let some CPUs stand still until a time of the trial, told of by the report after it."""

    def told(report: Heartbeat, one: CpuBeats) -> CpuBeats:
        if one.cpu not in cpus or not 0 <= report.host_ns - at * SECOND < 100 * MS:
            return one
        ended = BOOTED + round(at * SECOND)
        return CpuBeats(one.cpu, one.beats, milliseconds * MS, ended)

    return beats(recording or clean(), told)


def waited(begin: float, end: float, share: float, recording: Recording) -> Recording:
    """Let the host's threads wait for a share of a time."""
    events = []
    for event in recording.events:
        changed = event
        if isinstance(event, HostShare):
            inside = min(max(event.host_ns - begin * SECOND, 0), (end - begin) * SECOND)
            changed = msgspec.structs.replace(event, waited_ns=round(inside * share))
        events.append(changed)
    return msgspec.structs.replace(recording, events=events)


def test_a_stand_still_of_all_cpus_fails_with_what_was_whose() -> None:
    result = assert_verdict(
        "heartbeat", still(300, 0, 1), FAIL, "all CPUs stood still in the phase steady"
    )
    (piece,) = (e for e in result.evidence if e.good is False)
    assert piece.seen == "300 ms, and 0 ms by the host's doing"
    assert piece.wanted == "at most 250 ms of its own (baseline 15 ms, tcg)"


def test_one_cpu_alone_is_told_from_all() -> None:
    result = assert_verdict("heartbeat", still(1000, 1), FAIL, "CPU 1 alone stood still")
    assert "meanwhile CPU 0 beat 100 times" in result.summary


def test_a_stand_still_that_the_host_made_passes() -> None:
    result = assert_verdict("heartbeat", waited(2.6, 3.1, 0.9, still(300, 0, 1)), PASS, "15 ms")
    assert any("300 ms by the host's doing" in evidence.seen for evidence in result.evidence)


def test_what_the_host_did_not_make_of_it_is_the_guests() -> None:
    assert_verdict("heartbeat", waited(2.4, 3.1, 0.3, still(500, 0, 1)), FAIL, "all CPUs")


def asleep(recording: Recording) -> Recording:
    """Let the guest's threads run for a tenth of the time, and wait for nobody."""
    events = [
        msgspec.structs.replace(e, run_ns=e.run_ns // 10) if isinstance(e, HostShare) else e
        for e in recording.events
    ]
    return msgspec.structs.replace(recording, events=events)


def test_a_short_sleep_of_the_guests_threads_is_not_blamed() -> None:
    result = assert_verdict("heartbeat", asleep(still(600, 0, 1)), PASS, "70 ms")
    assert any("(530 ms asleep)" in evidence.seen for evidence in result.evidence)


def test_a_cpu_that_is_halted_for_long_is_the_guests_doing() -> None:
    """For example with interrupts off: its thread sleeps."""
    assert_verdict("heartbeat", asleep(still(1500, 1)), FAIL, "CPU 1 alone stood still")


def test_the_bound_is_learnt_from_the_baseline() -> None:
    usual = still(120, 0, at=0.5)
    assert ask("heartbeat", still(300, 0, 1, recording=usual)).verdict is PASS
    assert_verdict("heartbeat", still(500, 0, 1, recording=usual), FAIL, "500 ms")


def test_a_kernel_that_checks_itself_may_take_its_time() -> None:
    slow = change(clean(), HeartbeatBegan, checks_itself=True)
    assert ask("heartbeat", still(1400, 0, 1, recording=slow)).verdict is PASS
    assert_verdict("heartbeat", still(1700, 0, 1, recording=slow), FAIL, "1,700 ms")


def test_a_kernel_that_rewrites_its_calls_may_take_its_time_meanwhile() -> None:
    """Seen on clean 6.12 guests under emulation: 292 ms, 303 ms. Afterwards it has no excuse.

    Nor where CPUs that were called hand over.
    """
    slow = change(clean(), HeartbeatBegan, rewrites_calls=True)
    assert ask("heartbeat", still(900, 0, 1, at=2.3, recording=slow)).verdict is PASS
    assert_verdict("heartbeat", still(1100, 0, 1, at=2.3, recording=slow), FAIL, "1,100 ms")
    assert_verdict("heartbeat", still(300, 0, 1, at=3.0, recording=slow), FAIL, "300 ms")
    kvm = msgspec.structs.replace(still(300, 0, 1, at=2.3, recording=slow), accelerator="kvm")
    assert_verdict("heartbeat", kvm, FAIL, "300 ms")
    handing_over = change(clean(), HeartbeatBegan, rewrites_calls=True, hands_over=True)
    assert_verdict("heartbeat", still(300, 0, 1, at=2.3, recording=handing_over), FAIL, "300 ms")


def test_what_the_baseline_itself_suffered_is_no_fault() -> None:
    assert ask("heartbeat", still(800, 0, 1, at=0.9)).verdict is PASS


def test_without_the_hosts_account_only_long_stand_stills_count() -> None:
    for recording, words in (
        (drop(clean(), HostShare), "the host does not tell"),
        (drop(clean(), ClockRead), "the host does not tell"),
    ):
        blind = still(900, 0, 1, at=3.5, recording=recording)
        assert_verdict("heartbeat", blind, PASS, "no CPU stood still")
        long = still(4500, 1, at=5.9, recording=recording)
        assert_verdict("heartbeat", long, FAIL, words)


def test_a_cpu_that_never_comes_back_is_seen_by_the_others() -> None:
    last = BOOTED + 3 * SECOND

    def dead(report: Heartbeat, one: CpuBeats) -> CpuBeats:
        now = report.guest_ns or 0
        return CpuBeats(1, 400, now - last, now) if one.cpu and now > last else one

    result = assert_verdict("heartbeat", beats(clean(), dead), FAIL, "CPU 1 alone stood still")
    assert len([e for e in result.evidence if e.good is False]) == 1
    assert "it has not come back" in result.summary


def test_a_stand_still_that_the_clock_itself_missed_fails() -> None:
    """Between two readings of both clocks the guest's went on for 4.7 s less than the host's."""

    def behind(seconds: float) -> Recording:
        reading = {"guest_ns": BOOTED + round((7.5 - seconds) * SECOND), "uncertainty_ns": MS}
        return insert(clean(), 7.5, ClockRead, **reading)

    near = ask("heartbeat", behind(0.5))
    assert near.verdict is PASS
    (margin,) = (e.margin for e in near.evidence if e.margin and "clock" in e.margin.name)
    assert margin.used == pytest.approx(0.5, abs=0.01)  # the readings are a little uncertain
    assert_verdict("heartbeat", behind(4.7), FAIL, "4.7 s behind since the baseline")
    result = ask("heartbeat", waited(1.0, 7.4, 0.9, behind(4.7)))
    assert result.verdict is PASS
    assert any("kept it waiting for so long" in evidence.seen for evidence in result.evidence)


def test_a_cpu_that_is_offline_is_not_judged() -> None:
    def away(report: Heartbeat, one: CpuBeats) -> CpuBeats:
        gap = 700 * MS
        return CpuBeats(1, one.beats, gap, one.gap_ended_ns, True) if one.cpu else one

    assert ask("heartbeat", beats(clean(), away)).verdict is PASS


@pytest.mark.parametrize(
    ("recording", "verdict", "words"),
    [
        (drop(clean(), Heartbeat, STEADY), ERROR, "heartbeats in the phase steady: none reported"),
        (drop(clean(), Heartbeat), ERROR, "heartbeats in the phase baseline: none reported"),
        (drop(clean(), HeartbeatBegan), ERROR, "did not begin"),
        (drop(drop(clean(), HeartbeatBegan), Heartbeat), SKIP, "older than heartbeats"),
        (change(clean(), Heartbeat, cpus=()), ERROR, "none of CPU that was there"),
    ],
)  # fmt: skip
def test_what_was_not_seen_does_not_pass(
    recording: Recording, verdict: Verdict, words: str
) -> None:
    assert_verdict("heartbeat", recording, verdict, words)


def test_a_cpu_that_never_beat_before_the_patch_is_missing() -> None:
    def never(report: Heartbeat, one: CpuBeats) -> CpuBeats:
        return CpuBeats(1, 0, 0, 0) if one.cpu else one

    assert_verdict("heartbeat", beats(clean(), never), ERROR, "none of CPU 1")
