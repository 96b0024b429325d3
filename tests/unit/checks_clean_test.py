"""What all checks have in common: the clean trial passes, and nothing passes without evidence."""

import msgspec
import pytest
from checks_samples import (
    BOOTED,
    CONSOLE,
    STALL,
    ask,
    assert_verdict,
    case,
    change,
    clean,
    drop,
    expecting,
    insert,
    said,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lpharness.checks import Recording, judge, overall, questions
from lpharness.results.model import CheckResult, Verdict
from lpharness.timeline.events import (
    AnyEvent,
    CallsCounted,
    CallSeen,
    CpuBeats,
    EnabledFunctions,
    FunctionBytes,
    GuestEnded,
    Heartbeat,
    ModuleLoadTried,
    ModuleUnloadTried,
    PatchSysfs,
    Phase,
    PhaseBegan,
    Probed,
    TasksSampled,
    TransitionMarked,
    Vitals,
    WorkloadBegan,
    WorkloadEnded,
    WorkloadSample,
)

EMPTY = msgspec.structs.replace(clean(), events=[], console=())


@pytest.mark.parametrize("check", questions(case()))
@pytest.mark.parametrize("stall", [False, True])
def test_the_clean_trial_passes_with_evidence(check: str, stall: bool) -> None:
    result = ask(check, clean(stall=stall))
    assert result.verdict is Verdict.PASS, result.summary
    assert result.check == check
    assert any(evidence.good for evidence in result.evidence)
    assert not any(evidence.good is False for evidence in result.evidence)


def test_an_idle_trial_passes_and_says_that_nothing_loaded_it() -> None:
    results = judge(clean("idle"))
    assert {r.check: r.verdict for r in results if r.verdict is not Verdict.PASS} == {
        "under_load": Verdict.SKIP
    }
    assert overall(results, case())[0] is Verdict.PASS


@pytest.mark.parametrize("check", questions(case()))
def test_a_recording_without_events_never_passes(check: str) -> None:
    assert ask(check, EMPTY).verdict is Verdict.ERROR


def test_no_check_at_all_is_an_error() -> None:
    assert overall((), case()) == (Verdict.ERROR, "no check was made")


@pytest.mark.parametrize(
    ("check", "what", "bound"),
    [
        ("transition", "patching of lph_case", "at most"),
        ("healthy", "taint added", "at most"),
        ("redirected", "probe shown in steady", "exit 0, stdout equals 'patched'"),
        ("unloaded", "first bytes of cmdline_proc_show", "as in the baseline"),
    ],
)
def test_a_pass_tells_what_it_was_held_against(check: str, what: str, bound: str) -> None:
    (evidence,) = (e for e in ask(check, clean()).evidence if e.what == what)
    assert evidence.good
    assert bound in evidence.wanted


def test_evidence_points_at_its_event() -> None:
    recording = clean()
    for result in judge(recording):
        for evidence in result.evidence:
            if evidence.event is not None:
                event = recording.events[evidence.event]
                assert (evidence.host_ns, evidence.guest_ns) == (event.host_ns, event.guest_ns)


# --- the trial's verdict -------------------------------------------------------------------

WRONG = change(clean(), Probed, stdout="patched\n")


def test_a_failure_outranks_an_error() -> None:
    both = drop(WRONG, WorkloadSample)
    verdict, reason = overall(judge(both), both.case)
    assert verdict is Verdict.FAIL
    assert reason.startswith("redirected: probe shown in baseline")


def test_an_expected_failure_is_xfail_and_an_unexpected_pass_xpass() -> None:
    failing = expecting(WRONG, xfail="known fault")
    verdict, reason = overall(judge(failing), failing.case)
    assert verdict is Verdict.XFAIL
    assert "known fault" in reason
    passing = expecting(clean(), xfail="known fault")
    assert overall(judge(passing), passing.case)[0] is Verdict.XPASS


def test_an_error_is_no_expected_failure() -> None:
    broken = expecting(drop(clean(), Vitals), xfail="known fault")
    assert overall(judge(broken), broken.case)[0] is Verdict.ERROR


# --- a guest that dies ---------------------------------------------------------------------


def cut(recording: Recording, at: float) -> Recording:
    """End the recording at a time of the trial, as a guest's death does."""
    kept = [event for event in recording.events if event.host_ns <= at * 1e9]
    return msgspec.structs.replace(recording, events=kept)


def killed(condition: str, at: float = 1.6) -> Recording:
    return insert(cut(clean(), at), at + 0.1, GuestEnded, condition=condition, detail="why")


@pytest.mark.parametrize("condition", ["panicked", "oopsed", "hung", "reset", "powered-off"])
@pytest.mark.parametrize("check", ["no_reboot", "healthy"])
def test_a_kernel_that_ends_its_own_life_fails(check: str, condition: str) -> None:
    words = f"the guest {condition} in the phase transition of lph_case: why"
    assert_verdict(check, killed(condition), Verdict.FAIL, words)


@pytest.mark.parametrize(
    "condition", ["killed", "connection-lost", "paused", "silent", "command-hangs"]
)
def test_a_guest_lost_for_other_reasons_is_an_error(condition: str) -> None:
    recording = killed(condition)
    verdict, _ = overall(judge(recording), recording.case)
    assert verdict is Verdict.ERROR
    for result in judge(recording):
        assert result.verdict is Verdict.ERROR, result


def test_what_a_death_hid_is_explained_by_it() -> None:
    result = ask("unloaded", killed("panicked"))
    assert result.verdict is Verdict.ERROR
    assert "panicked in the phase transition of lph_case" in result.summary


def test_the_harness_may_end_the_guest_at_the_end() -> None:
    ended = insert(clean(), 8.1, GuestEnded, condition="killed")
    assert overall(judge(ended), ended.case)[0] is Verdict.PASS


def test_a_panic_counts_even_at_the_end() -> None:
    late = insert(clean(), 8.1, GuestEnded, condition="panicked")
    assert_verdict("no_reboot", late, Verdict.FAIL, "panicked in the phase end")


# --- no evidence, no pass ------------------------------------------------------------------

WANTED = (
    CallsCounted,
    EnabledFunctions,
    FunctionBytes,
    ModuleLoadTried,
    ModuleUnloadTried,
    PatchSysfs,
    PhaseBegan,
    Probed,
    TasksSampled,
    TransitionMarked,
    Vitals,
    WorkloadBegan,
    WorkloadEnded,
    WorkloadSample,
)
"""Kinds of events that every trial has. The others tell that something happened, so that their
absence means that nothing did."""

# Two of them are gaps rather than faults: nobody saw the blocker, or how the transition ended.
FAULTS = {
    "wrong behaviour": WRONG,
    "old code called": change(clean(), CallsCounted, lambda e: e.side == "old", hits=3),
    "not redirected": change(clean(), EnabledFunctions, functions=()),
    "not loaded": change(clean(), ModuleLoadTried, errno=22),
    "not unloaded": change(clean(), ModuleUnloadTried, errno=16),
    "disabled": change(clean(), PatchSysfs, lambda e: e.present, enabled=False),
    "stalled for good": drop(clean(), TransitionMarked, lambda e: e.mark == "completed"),
    "rebooted": change(clean(), Vitals, lambda e: e.taint > 0, boot_id="b2"),
    "stood still": change(
        clean(),
        Heartbeat,
        lambda e: e.host_ns > 2e9,
        cpus=tuple(CpuBeats(cpu, 9, 10**9, BOOTED + 3 * 10**9) for cpu in (0, 1)),
    ),
    "errors": change(clean(), WorkloadSample, lambda e: e.host_ns > 2e9, errors=2),
    "stuck": change(clean(), WorkloadSample, lambda e: e.host_ns > 2e9, longest_gap_ns=10**11),
    "bytes": change(clean(), FunctionBytes, lambda e: e.host_ns > 2e9, hex="e8"),
    "oops": said(clean(), "[   15.400000] BUG: kernel NULL pointer dereference, address: 0"),
    "inconsistent": change(
        clean(), CallSeen, lambda e: e.side == "old", guest_ns=BOOTED + 2_400_000_000
    ),
    "blocker": change(clean(stall=True), TasksSampled, lambda e: e.blockers, blockers=()),
}


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"blocker", "stalled for good"}))
def test_every_fault_of_the_list_fails(fault: str) -> None:
    assert overall(judge(FAULTS[fault]), case())[0] is Verdict.FAIL


@pytest.mark.parametrize("kind", WANTED, ids=lambda kind: kind.__name__)
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(fault=st.sampled_from(sorted(FAULTS)))
def test_dropping_a_kind_of_evidence_never_makes_a_pass(kind: type, fault: str) -> None:
    """Neither of a clean trial, nor of one with a fault that only the lost evidence showed."""
    for recording in (clean(), FAULTS[fault]):
        less = drop(recording, kind)
        assert overall(judge(less), less.case)[0] in (Verdict.FAIL, Verdict.ERROR)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_part_of_a_recording_is_judged_without_a_crash(data: st.DataObject) -> None:
    """A harness that is killed leaves anything."""
    whole = clean(stall=data.draw(st.booleans()))
    indexes = st.integers(0, len(whole.events) - 1)
    gone = data.draw(st.sets(indexes, max_size=60))
    first, last = sorted((data.draw(indexes), data.draw(indexes)))
    events = [e for i, e in enumerate(whole.events[first:last]) if i not in gone]
    part = msgspec.structs.replace(
        whole, events=events, console=CONSOLE[: data.draw(st.integers(0, len(CONSOLE)))]
    )
    verdict, reason = overall(judge(part), part.case)
    assert reason
    if verdict is Verdict.PASS:  # then nothing that matters was lost
        assert {kind for kind in WANTED if any(isinstance(e, kind) for e in events)} == {*WANTED}
        assert len(part.console) > 2


@settings(deadline=None, max_examples=60)
@given(st.permutations(range(12)))
def test_events_in_any_order_are_judged_without_a_crash(order: list[int]) -> None:
    whole = clean()
    size = len(whole.events) // 12 + 1
    parts = [whole.events[at * size : (at + 1) * size] for at in order]
    mixed = msgspec.structs.replace(whole, events=[event for part in parts for event in part])
    for result in judge(mixed):
        assert isinstance(result, CheckResult)


def test_a_timeline_read_back_is_judged_the_same() -> None:
    recording = clean()
    encoded = [msgspec.json.encode(event) for event in recording.events]
    events = [msgspec.json.decode(line, type=AnyEvent) for line in encoded]
    assert judge(msgspec.structs.replace(recording, events=events)) == judge(recording)


def test_a_phase_that_never_began_is_missing() -> None:
    for phase in (Phase.BASELINE, Phase.STEADY, Phase.AFTER):
        without = drop(clean(), PhaseBegan, lambda event, phase=phase: event.phase is phase)
        assert overall(judge(without), case())[0] in (Verdict.ERROR, Verdict.FAIL), phase


def test_the_samples_stall_is_the_cases() -> None:
    assert clean(stall=True).case.expect.stall == STALL
