"""Faults planted on purpose: none may pass, and each is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from lpharness.cases import load
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial, TrialId, Verdict
from lpharness.run import Request, execute, exit_status, plan_run
from lpharness.timeline.events import Phase

HERE = Path(__file__).parent
KERNEL = "debian:6.1-cloud"


class OnPhase:
    """Does something when a trial enters a phase."""

    def __init__(self, phase: Phase, action: Callable[[], None]) -> None:
        self._phase, self._action = phase, action

    def planned(self, trials: Sequence[TrialId]) -> None: ...

    def phase(self, trial: TrialId, phase: Phase) -> None:
        if phase == self._phase:
            self._action()

    def finished(self, trial: Trial) -> None: ...


def attempt(
    case: str | Path,
    folder: Path,
    phase: Phase = Phase.BUILD,
    action: Callable[[], None] = lambda: None,
) -> Trial:
    request = Request(cases=(load(case),), kernels=(KERNEL,))
    with RunFolder.create(folder) as run:
        trials = execute(plan_run(request), request, run, OnPhase(phase, action))
        (trial,) = trials
        assert run.trials() == trials
    assert exit_status(trials) == {Verdict.FAIL: 1, Verdict.ERROR: 3}[trial.verdict]
    return trial


def verdicts(trial: Trial) -> dict[str, Verdict]:
    return {result.check: result.verdict for result in trial.checks}


def test_a_patch_that_changes_nothing(tmp_path: Path) -> None:
    trial = attempt(HERE / "same-behaviour", tmp_path)
    assert trial.verdict is Verdict.FAIL
    assert trial.reason.startswith("redirected: probe magic-mask in steady: ")
    assert "'0723'" in trial.reason
    wrong = [name for name, verdict in verdicts(trial).items() if verdict is not Verdict.PASS]
    assert wrong == ["redirected"]


def test_a_new_function_that_oopses(tmp_path: Path) -> None:
    trial = attempt(HERE / "oops", tmp_path)
    assert trial.verdict is Verdict.FAIL
    assert trial.reason.startswith("healthy: ")
    assert "NULL pointer dereference" in trial.reason
    assert "lph_oops_proc_show+" in trial.reason


def test_a_transition_that_cannot_end(tmp_path: Path) -> None:
    trial = attempt(HERE / "stuck", tmp_path)
    assert trial.verdict is Verdict.FAIL
    assert trial.reason.startswith("transition: completion of patching of lph_stuck: not within")
    assert "held up by task lph-sleeper" in trial.reason
    assert "__do_sys_pause+" in trial.reason


def test_qemu_killed_is_an_error_and_no_fail(tmp_path: Path) -> None:
    """It says nothing about the patch, which was on and well."""
    killed = []

    def kill() -> None:
        for child in psutil.Process().children():
            if child.name().startswith("qemu-system"):
                child.kill()
                killed.append(child.pid)

    trial = attempt("cmdline", tmp_path, Phase.STEADY, kill)
    assert len(killed) == 1
    assert trial.verdict is Verdict.ERROR
    assert trial.reason.startswith("harness: ")
    assert "SIGKILL" in trial.reason
    assert Verdict.FAIL not in verdicts(trial).values()
