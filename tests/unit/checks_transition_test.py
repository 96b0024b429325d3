"""Transition: refused loads, slow, reversed, forced and stalled transitions."""

import msgspec
import pytest
from checks_clauses import (
    ERROR,
    FAIL,
    PASS,
    PATCHING,
    SLEEPER,
    UNPATCHING,
    Clause,
    began,
    both,
    check,
    completed,
    mark,
)
from checks_samples import (
    BOOTED,
    MODULE,
    SECOND,
    assert_verdict,
    between,
    change,
    clean,
    drop,
    expecting,
    insert,
    said,
)

from lpharness.checks import Recording
from lpharness.timeline.events import (
    ActionTaken,
    Blocker,
    HostShare,
    ModelTried,
    ModuleLoadTried,
    TasksSampled,
    TransitionMarked,
)

STALLED = between(1, 5.5)
LET_GO = BOOTED + round(4.3 * SECOND)
"""The guest's clock when the sleeper of a clean stall is let go."""


def hung(watched: float) -> Recording:
    """The patching never completes; a kworker is in the way, and at the end one that passes by."""
    lost = drop(clean(), TransitionMarked, both(completed, PATCHING))
    worker = Blocker(12, "kworker/0:1", True, "R", ("crunch+0x1/0x2",))
    fields = {"patch": MODULE, "target": 1, "idle": 0, "unpatched": 1, "patched": 49}
    passing = Blocker(99, "sh", False, "R", ())
    for at, blockers in ((2.39, (worker,)), (2.4, (passing, worker))):
        stamp = BOOTED + round((1.1 + watched) * 1e9)
        sample = {**fields, "blockers": blockers, "guest_ns": stamp}
        lost = insert(lost, at, TasksSampled, **sample)
    return lost


def abandoned() -> Recording:
    """A model that tries so often and no more has given up, long before the bound."""
    tried = {"patch": MODULE, "target": 1, "began_ns": 0, "tasks": 50, "frames": 300, "blocked": 1}
    recording = hung(3)
    for at in (2.41, 2.42):
        recording = insert(recording, at, ModelTried, **tried)
    fields = {"patch": MODULE, "direction": "patching", "source": "tracing"}
    return insert(recording, 2.43, TransitionMarked, mark="abandoned", **fields)


def stalled(*blockers: Blocker) -> Recording:
    return change(clean(stall=True), TasksSampled, lambda e: e.blockers, blockers=blockers)


@check(
    [
        ("transition", lambda: change(clean(), ModuleLoadTried, errno=22, detail="no symbol"), FAIL,
         "the kernel refused: EINVAL (Invalid argument); no symbol"),
        ("transition", lambda: drop(clean(), ModuleLoadTried), ERROR, "was not tried"),
        ("transition", lambda: expecting(clean(), transition_s=0.25), FAIL, "took 1.20 s"),
        ("transition", lambda: drop(clean(), TransitionMarked, began), ERROR, "was not seen"),
        ("transition", lambda: drop(clean(), TransitionMarked, both(completed, UNPATCHING)), ERROR,
         "completion of unpatching of lph_case"),
        ("transition", lambda: hung(130), FAIL, "held up by kernel thread kworker/0:1"),
        ("transition", lambda: hung(3), ERROR, "not seen in the"),
        ("transition", abandoned, FAIL,
         "abandoned after 2 tries, held up by kernel thread kworker/0:1"),
        ("transition", lambda: mark("reversed"), FAIL, "was reversed"),
        ("transition", lambda: mark("forced"), FAIL, "was forced, which the case does not ask"),
        ("transition", lambda: expecting(mark("forced"), force=True), PASS, "patching of lph_case"),
        # stalls
        ("transition", lambda: drop(clean(stall=True), ActionTaken), ERROR,
         "release of the blocker: was not run"),
        ("transition", lambda: change(clean(stall=True), ActionTaken, exit_status=1), ERROR,
         "release of the blocker: exit 1"),
        ("transition", lambda: change(clean(stall=True), TransitionMarked,
                                      both(completed, STALLED), guest_ns=BOOTED + 2 * SECOND),
         FAIL, "before the release"),
        # On a slow guest the blocker is gone before the command that let it go has ended.
        ("transition", lambda: change(clean(stall=True), ActionTaken, began_ns=LET_GO,
                                      guest_ns=BOOTED + 60 * SECOND), PASS, "patching of lph_case"),
        ("transition", lambda: change(clean(stall=True), ActionTaken,
                                      guest_ns=BOOTED + 2 * SECOND), ERROR, "watched for 0.90 s"),
        ("transition", lambda: stalled(Blocker(7, "other", False, "R", ())), FAIL, "task other"),
        ("transition", lambda: stalled(msgspec.structs.replace(SLEEPER, stack=("do_wait+0x1",))),
         FAIL, "do_wait"),
        ("transition", lambda: stalled(msgspec.structs.replace(SLEEPER, stack=())), ERROR,
         "its stack could not be read"),
        ("transition", stalled, ERROR, "no sample from before the release names one"),
        ("transition", lambda: expecting(clean(stall=True), transition_s=0.25), FAIL,
         "1.20 s later"),
        ("transition", lambda: drop(clean(stall=True), TransitionMarked, both(completed, STALLED)),
         ERROR, "completion of patching"),
    ]
)  # fmt: skip
def test_transition(clause: Clause) -> None:
    assert_verdict(clause[0], clause[1](), clause[2], clause[3])


def test_both_ends_of_a_transition_are_read_from_one_source() -> None:
    """printk's clock and the tracer's differ; a duration across them would be off."""
    mixed = insert(
        clean(), 1.05, TransitionMarked, patch=MODULE, mark="began", direction="patching",
        source="kmsg", guest_ns=BOOTED - 50 * SECOND,
    )  # fmt: skip
    assert_verdict("transition", mixed, PASS, "patching of lph_case 1.20 s")


def test_a_transition_may_take_longer_where_all_cpus_are_emulated():
    expect = clean().case.expect
    assert expect.transition_bound("kvm") == expect.transition_s
    assert expect.transition_bound("tcg") > expect.transition_s


def accounted(recording: Recording, waited_s: float, ran_s: float = 0.0) -> Recording:
    """The host says that it kept the guest's threads waiting in the first transition."""
    recording = drop(recording, HostShare)
    for at, waited, ran in ((1.0, 0.0, 0.0), (2.4, waited_s, ran_s)):
        fields = {
            "run_ns": round(ran * SECOND),
            "waited_ns": round(waited * SECOND),
            "guest_ns": None,
        }
        recording = insert(recording, at, HostShare, **fields)
    return recording


def test_the_hosts_waiting_is_not_the_patchs_time() -> None:
    slow = expecting(accounted(clean(), 1.1), transition_s=0.25)
    result = assert_verdict("transition", slow, FAIL, "unpatching of lph_case: took 1.20 s")
    (patching,) = [e for e in result.evidence if e.what == "patching of lph_case"]
    assert (patching.good, patching.seen) == (True, "took 1.20 s, 1.1 s of it by the host's doing")


def test_what_the_guest_ran_meanwhile_it_had() -> None:
    """One thread runs half of the time; others wait all the time."""
    busy = expecting(accounted(clean(), 1.4, ran_s=1.2), transition_s=0.1)
    result = assert_verdict("transition", busy, FAIL, "patching of lph_case: took 1.20 s")
    (patching,) = [e for e in result.evidence if e.what == "patching of lph_case"]
    assert patching.margin is not None
    assert patching.margin.measured == pytest.approx(0.6, abs=0.01)


def test_a_transition_that_the_host_starved_proves_nothing() -> None:
    starved = accounted(hung(130), 0.0)
    assert_verdict("transition", starved, FAIL, "held up by")
    shares = {"run_ns": 0, "waited_ns": 100 * SECOND, "guest_ns": None}
    starved = insert(starved, 131, HostShare, **shares)
    assert_verdict("transition", starved, ERROR, "100.0 s of it by the host's doing")


def test_a_refusal_is_told_with_what_livepatch_itself_says_of_it() -> None:
    refused = change(clean(), ModuleLoadTried, errno=22, detail="one of many")
    words = "livepatch: symbol 'no_such_function' not found in symbol table"
    result = assert_verdict("transition", said(refused, f"[   16.000000] {words}"), FAIL, "EINVAL")
    (reason,) = [item for item in result.evidence if item.what == "the kernel's reason"]
    assert reason.seen == words
