"""The flaw: seen in a guest without the patch, gone with it; whatever else is no pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from checks_clauses import ERROR, FAIL, PASS, SKIP, STEADY
from checks_samples import Tale, ask, assert_verdict, change, clean, drop, insert, said

from lpharness.cases.model import Flaw, Outcome, Signs, Text
from lpharness.checks import Recording, judge, overall
from lpharness.results.model import Verdict
from lpharness.timeline.events import FlawTried, GuestEnded, GuestStarted, Note, Phase

QUIET = (
    "[    0.000000] Linux version 6.1.0-55-cloud-amd64 (debian-kernel@lists.debian.org)",
    "[    2.200000] EXT4-fs (loop0): mounted filesystem",
)
OOPS = (
    "[    7.100000] BUG: kernel NULL pointer dereference, address: 0000000000000000",
    "[    7.100010] Oops: 0000 [#1] PREEMPT SMP NOPTI",
    "[    7.100020] CPU: 0 PID: 51 Comm: kworker/u4:1 Not tainted 6.1.0-55-cloud-amd64 #1",
    "[    7.100030] RIP: 0010:ext4_mb_load_buddy_gfp+0x1a0/0x470",
    "[    7.100040] ---[ end trace 0000000000000000 ]---",
)
SIGNS = Signs(console=("page-fault",), functions=("ext4_mb_load_buddy_gfp",))
FLAW = Flaw(run="trigger", unpatched=SIGNS, patched=Outcome(stdout=Text(equals="survived")))


def tried(tale: Tale, at: float, patched: bool, **fields: Any) -> None:
    plain = {"exit_status": 0, "stdout": "survived\n", "stderr": "", "seconds": 1.0, "detail": ""}
    tale.add(at, FlawTried, patched=patched, console_lines=len(QUIET), **(plain | fields))


def control(console: Sequence[str] = (*QUIET, *OOPS), **fields: Any) -> Recording:
    """Return the recording of a guest without the patch that oopses at the trigger."""
    tale = Tale()
    tale.phase(0, Phase.CONTROL)
    tale.add(0.5, GuestStarted, how="restore", seconds=0.3, accelerator="tcg")
    gone = {"exit_status": None, "stdout": "", "detail": "the kernel showed the flaw meanwhile"}
    tried(tale, 2, False, **(gone | fields))
    tale.phase(3, Phase.END)
    return msgspec.structs.replace(
        clean(), events=tale.events, console=tuple(console), functions=()
    )


def trial(beside: Recording | None = None, flaw: Flaw = FLAW, **fields: Any) -> Recording:
    plain = clean()
    with_flaw = msgspec.structs.replace(
        plain,
        case=msgspec.structs.replace(plain.case, flaw=flaw),
        control=control() if beside is None else beside,
    )
    event = {"exit_status": 0, "stdout": "survived\n", "stderr": "", "seconds": 1.0, "detail": ""}
    event |= {"patched": True, "console_lines": len(plain.console)}
    return insert(with_flaw, 3.7, FlawTried, **(event | fields))


def test_a_flaw_that_was_seen_and_is_gone_passes_with_its_evidence() -> None:
    result = assert_verdict("flaw", trial(), PASS, "seen without the patch, gone with it")
    (shown,) = [item for item in result.evidence if item.console_line is not None]
    assert (shown.control, shown.console_line, shown.good) == (True, len(QUIET) + 1, True)
    assert "in ext4_mb_load_buddy_gfp+0x1a0/0x470, task kworker/u4:1:51" in shown.seen
    (patched,) = [item for item in result.evidence if item.what == "trigger with the patch"]
    assert (patched.control, patched.seen) == (False, "exit 0, 'survived'")
    verdict, _ = overall(judge(trial()), trial().case)
    assert verdict is Verdict.PASS


def test_a_case_without_a_flaw_is_not_asked() -> None:
    assert ask("flaw", clean()).verdict is SKIP
    assert "flaw" not in [result.check for result in judge(clean())]


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        (control(QUIET, exit_status=0), "the flaw was not seen: no page-fault in ext4_mb_load"),
        (control((*OOPS, *QUIET)), "not seen"),  # before the trigger was run
        (control([*QUIET, *(line.replace("ext4_mb_", "other_") for line in OOPS)]), "not seen"),
        (control([*QUIET, "[    7.1] WARNING: CPU: 0 PID: 1 at fs/ext4/mballoc.c:1 "
                  "ext4_mb_load_buddy_gfp+0x1/0x2"]), "not seen"),
    ],
)  # fmt: skip
def test_a_flaw_that_was_not_seen_proves_nothing(beside: Recording, words: str) -> None:
    recording = trial(beside)
    assert_verdict("flaw", recording, ERROR, words)
    verdict, reason = overall(judge(recording), recording.case)
    assert verdict is Verdict.ERROR
    assert reason.startswith("flaw: ")


def test_a_control_that_came_to_nothing_says_why() -> None:
    broken = drop(control(), FlawTried)
    assert_verdict("flaw", trial(broken), ERROR, "was not run: the trial ended before")
    broken = insert(broken, 1, Note, text="the agent does not answer")
    broken = insert(broken, 1.1, GuestEnded, condition="killed")
    words = "was not run: the agent does not answer (the guest killed)"
    assert_verdict("flaw", trial(broken), ERROR, words)
    without = msgspec.structs.replace(trial(), control=None)
    assert_verdict("flaw", without, ERROR, "there was no control guest")


@pytest.mark.parametrize(
    ("fields", "verdict", "words"),
    [
        ({"stdout": "lost\n"}, FAIL, "exit 0, 'lost'; stdout is not 'survived'"),
        ({"exit_status": 1}, FAIL, "exit status is not 0"),
        ({"exit_status": None, "detail": "did not end within 300 s"}, ERROR, "did not end within"),
    ],
)
def test_how_the_trigger_must_come_out_with_the_patch(
    fields: dict[str, Any], verdict: Verdict, words: str
) -> None:
    assert_verdict("flaw", trial(**fields), verdict, words)


def test_a_patch_that_fixes_nothing_fails() -> None:
    oops = [line.replace("[    7.", "[   13.") for line in OOPS]
    still = said(trial(exit_status=None, detail="the kernel showed the flaw meanwhile"), *oops)
    result = assert_verdict("flaw", still, FAIL, "the flaw is still there: BUG: kernel NULL")
    (wrong,) = [item for item in result.evidence if item.good is False]
    assert (wrong.control, wrong.console_line) == (False, len(clean().console) + 1)


def test_a_guest_that_died_of_the_trigger_though_patched_fails() -> None:
    died = insert(trial(exit_status=None, detail="gone"), 3.8, GuestEnded, condition="panicked")
    assert_verdict("flaw", died, FAIL, "trigger with the patch: the guest panicked")


def test_a_trigger_that_was_never_run_with_the_patch_is_no_pass() -> None:
    assert_verdict("flaw", drop(trial(), FlawTried), ERROR, "trigger with the patch: was not run")


WRONG_ANSWER = Flaw(
    run="trigger",
    unpatched=Signs(outcome=Outcome(exit=None, stdout=Text(equals="leaked"))),
    patched=Outcome(stdout=Text(equals="survived")),
)


@pytest.mark.parametrize(
    ("fields", "verdict", "words"),
    [
        ({"exit_status": 7, "stdout": "leaked\n"}, PASS, "seen without"),
        ({"exit_status": 0, "stdout": "survived\n"}, ERROR, "stdout is not 'leaked'"),
        ({"exit_status": None, "stdout": "leaked\n", "detail": "timed out"}, ERROR, "timed out"),
    ],
)
def test_a_flaw_may_show_in_what_the_trigger_says(
    fields: dict[str, Any], verdict: Verdict, words: str
) -> None:
    assert_verdict("flaw", trial(control(QUIET, **fields), WRONG_ANSWER), verdict, words)


def test_the_console_of_the_control_is_no_fault_of_the_patch() -> None:
    """Neither its findings nor its death count for any other check."""
    recording = trial(insert(control(), 2.5, GuestEnded, condition="panicked"))
    assert all(result.verdict is PASS for result in judge(recording))
    assert change(recording, FlawTried, STEADY, stdout="x") != recording


def returning(**fields: Any) -> Recording:
    """A trial of a flaw that shows as an outcome, and is tried again after the unload."""
    signs = Signs(outcome=Outcome(stdout=Text(equals="leaks")))
    flaw = Flaw(run="t", unpatched=signs, patched=FLAW.patched, returns=True)
    beside = control(console=QUIET, exit_status=0, stdout="leaks\n")
    event = {"exit_status": 0, "stderr": "", "seconds": 1.0, "detail": "", "patched": False}
    event |= {"console_lines": 0}
    return insert(trial(beside, flaw), 7.65, FlawTried, **(event | fields))


def test_a_flaw_that_must_come_back_after_the_unload() -> None:
    assert_verdict("flaw", returning(stdout="leaks\n"), PASS, "seen without the patch")
    healed = returning(stdout="survived\n")
    assert_verdict("flaw", healed, FAIL, "trigger after the unload: the flaw did not come back")
    untried = drop(healed, FlawTried, lambda event: not event.patched)
    assert_verdict("flaw", untried, ERROR, "trigger after the unload: was not run")
    gone = returning(stdout="", exit_status=None)
    assert_verdict("flaw", gone, ERROR, "trigger after the unload: never came back")
