"""Trials recorded from real guests, judged by today's checks."""

from pathlib import Path

import pytest
from checks_clean_test import WANTED
from checks_samples import drop

from lpharness.checks import CHECKS, judge, overall, questions
from lpharness.checks.rejudge import rejudge
from lpharness.checks.replay import load_recording
from lpharness.results.model import Verdict

TRIALS = Path(__file__).parent.parent / "recordings" / "trials"
CLEAN = ("cmdline", "stall", "patch-first")


def test_every_recording_is_held_to_something() -> None:
    assert {path.name for path in TRIALS.iterdir()} == {*CLEAN, "oops"}


@pytest.mark.parametrize("name", CLEAN)
def test_trials_that_went_well_pass_every_check(name: str) -> None:
    recording = load_recording(TRIALS / name)
    results = judge(recording)
    assert {r.check: r.verdict for r in results} == {
        **dict.fromkeys(questions(recording.case), Verdict.PASS),
        **dict.fromkeys(("heartbeat", "resources"), Verdict.SKIP),  # they are older than these
    }
    assert overall(results, recording.case)[0] is Verdict.PASS


@pytest.mark.parametrize("kind", WANTED, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", CLEAN)
def test_none_of_their_evidence_can_be_done_without(name: str, kind: type) -> None:
    less = drop(load_recording(TRIALS / name), kind)
    assert overall(judge(less), less.case)[0] in (Verdict.FAIL, Verdict.ERROR)


def test_the_stall_names_its_blocker_and_shows_its_stack() -> None:
    result = CHECKS["transition"](load_recording(TRIALS / "stall"))
    (blocker,) = [e for e in result.evidence if e.what == "blocker of patching of lph_pause"]
    assert "lph-sleeper" in blocker.seen
    assert "__do_sys_pause+" in blocker.seen


def test_an_oops_fails_with_what_the_kernel_said_of_it() -> None:
    """A kernel that lived on after workers were killed under a patched system call."""
    (trial,) = rejudge(TRIALS / "oops")
    assert trial.verdict is Verdict.FAIL
    assert "kernel NULL pointer dereference" in trial.reason
    assert "in do_syscall_64+0x5d/0x90, task lph-worker:105" in trial.reason
    verdicts = {result.check: result.verdict for result in trial.checks}
    assert verdicts["under_load"] is Verdict.FAIL
    assert verdicts["no_reboot"] is Verdict.PASS
    assert verdicts["transition"] is Verdict.ERROR
    (taint,) = {r.summary for r in trial.checks if r.check == "unloaded"}
    assert "D: the kernel died" in taint
