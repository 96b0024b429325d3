"""Under load: errors, silent workers, gaps, collapse, and how a workload ends."""

import msgspec
from checks_clauses import AFTER, DURING, ERROR, FAIL, PASS, SKIP, Clause, both, check, whats_wrong
from checks_samples import (
    BOOTED,
    MS,
    SECOND,
    assert_verdict,
    between,
    change,
    clean,
    drop,
    insert,
    of_worker,
)

from lpharness.checks import Recording
from lpharness.timeline.events import (
    HostShare,
    WorkloadEnded,
    WorkloadSample,
)


def slow(end: float = 7.6) -> Recording:
    """After the unload both workers make a fiftieth of what they made before."""
    recording = clean()
    steps = iter(range(10_000))
    events = []
    for event in recording.events:
        changed = event
        if isinstance(event, WorkloadSample) and AFTER(event):
            done = 6000 + 2 * (next(steps) // 2)
            changed = msgspec.structs.replace(event, operations=done)
        if not (isinstance(event, WorkloadSample) and event.host_ns > end * SECOND):
            events.append(changed)
    return msgspec.structs.replace(recording, events=events)


def starved(recording: Recording, since: float = 6.0) -> Recording:
    """From a time on the host lets the guest run for a hundredth of it, and wait for the rest."""
    events = []
    for event in recording.events:
        changed = event
        if isinstance(event, HostShare):
            late = max(event.host_ns - round(since * SECOND), 0)
            ran = event.run_ns - round(late * 0.98)
            changed = msgspec.structs.replace(event, run_ns=ran, waited_ns=late)
        events.append(changed)
    return msgspec.structs.replace(recording, events=events)


def late(worker: int, at: float, seconds: float) -> Recording:
    """A worker does not report for some seconds in the guest; later stamps all move."""
    moved = both(of_worker(worker), lambda e: e.host_ns > at * SECOND)
    recording = clean()
    events = [
        msgspec.structs.replace(e, guest_ns=(e.guest_ns or 0) + round(seconds * SECOND))
        if isinstance(e, WorkloadSample) and moved(e)
        else e
        for e in recording.events
    ]
    return msgspec.structs.replace(recording, events=events)


@check(
    [
        ("under_load", lambda: change(clean(), WorkloadSample, of_worker(1, DURING), errors=2),
         FAIL, "errors of syscall-hammer worker 1: 2"),
        ("under_load", lambda: change(clean(), WorkloadSample, errors=2), ERROR,
         "the workload itself does not work here"),
        ("under_load", lambda: drop(clean(), WorkloadSample, of_worker(1, AFTER)), FAIL,
         "reports of syscall-hammer after the patch: none from worker 1"),
        ("under_load", lambda: drop(clean(), WorkloadSample, of_worker(1, DURING)), FAIL,
         "reports of syscall-hammer during the patch: none from worker 1"),
        ("under_load", lambda: drop(clean(), WorkloadSample, of_worker(1, between(0, 1))), ERROR,
         "before the patch: none from worker 1"),
        ("under_load", lambda: drop(clean(), WorkloadSample, of_worker(1)), ERROR,
         "1 of 2 ever reported"),
        ("under_load", lambda: drop(clean(), WorkloadSample, AFTER), ERROR,
         "after the patch: none"),
        ("under_load", lambda: change(clean(), WorkloadSample, of_worker(0, DURING),
                                      longest_gap_ns=5 * SECOND), FAIL, "5,000 ms"),
        ("under_load", lambda: change(clean(), WorkloadSample, of_worker(0, AFTER),
                                      longest_gap_ns=5 * SECOND), FAIL, "5,000 ms"),
        ("under_load", lambda: change(clean(), WorkloadSample, of_worker(0, DURING),
                                      longest_gap_ns=3 * SECOND), PASS, "longest gap 3,000 ms"),
        ("under_load", lambda: late(0, 3.0, 5.0), FAIL, "longest gap of syscall-hammer worker 0"),
        ("under_load", slow, FAIL, "throughput of syscall-hammer"),
        ("under_load", lambda: slow(end=6.6), PASS, "no errors"),
        ("under_load", lambda: starved(slow()), PASS, "no errors"),
        ("under_load", lambda: drop(clean(), WorkloadEnded), ERROR, "was not seen"),
        ("under_load", lambda: change(clean(), WorkloadEnded, exit_status=1), FAIL, "exit 1"),
        ("under_load", lambda: change(clean(), WorkloadEnded, exit_status=-1), ERROR,
         "had to be abandoned"),
        ("under_load", lambda: change(clean(), WorkloadEnded, asked=False, exit_status=0), ERROR,
         "ended unasked"),
        ("under_load", lambda: change(clean(), WorkloadEnded, asked=False, exit_status=137), ERROR,
         "ended unasked"),
    ]
)  # fmt: skip
def test_under_load(clause: Clause) -> None:
    assert_verdict(clause[0], clause[1](), clause[2], clause[3])


def test_a_workload_that_ends_with_errors_fails() -> None:
    errors = change(clean(), WorkloadSample, of_worker(1, AFTER), errors=1)
    ended = change(errors, WorkloadEnded, asked=False, exit_status=1)
    assert "end of syscall-hammer: exit 1" in whats_wrong("under_load", ended)


def test_the_bound_is_the_baselines_own_where_that_is_long() -> None:
    """A guest that stalls for a second before any patch may do so for ten under it."""
    noisy = change(clean(), WorkloadSample, between(0, 1), longest_gap_ns=SECOND)
    noisy = change(noisy, WorkloadSample, of_worker(0, DURING), longest_gap_ns=9 * SECOND)
    assert_verdict("under_load", noisy, PASS, "longest gap 9,000 ms")


def test_a_gap_of_the_hosts_making_is_not_the_patchs() -> None:
    """Seen on a clean guest: 7.3 s of its time, in which the host gave it a twelfth of a CPU."""
    gap = change(clean(), WorkloadSample, of_worker(0, AFTER), longest_gap_ns=5 * SECOND)
    assert_verdict("under_load", gap, FAIL, "5,000 ms")
    assert_verdict("under_load", starved(gap, 0.0), PASS, "by the host's doing")


def test_the_bound_is_tighter_under_kvm() -> None:
    gap = change(clean(), WorkloadSample, of_worker(0, DURING), longest_gap_ns=3 * SECOND)
    kvm = msgspec.structs.replace(gap, accelerator="kvm")
    assert_verdict("under_load", kvm, FAIL, "3,000 ms")


def test_a_worker_that_falls_silent_while_others_go_on_is_found() -> None:
    recording = clean()
    for step in range(50):
        fields = {"workload": "syscall-hammer", "worker": 0, "operations": 8000 + step}
        more = {
            "errors": 0,
            "longest_gap_ns": MS,
            "guest_ns": BOOTED + 7 * SECOND + step * 100 * MS,
        }
        recording = insert(recording, 7.55, WorkloadSample, **fields, **more)
    silent = "reports of syscall-hammer worker 1: ended"
    assert any(words.startswith(silent) for words in whats_wrong("under_load", recording))


def test_a_workload_that_never_began_is_an_error_unless_none_was_asked_for() -> None:
    hammer = msgspec.structs.replace(clean("idle").id, workload="syscall-hammer")
    recording = msgspec.structs.replace(clean("idle"), id=hammer)
    assert_verdict("under_load", recording, ERROR, "did not begin")
    assert_verdict("under_load", clean("idle"), SKIP, "no workload")
