"""Recorded trials judged again by today's checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from lpharness.base.errors import InputError
from lpharness.checks.judge import CHECKS, judge, overall
from lpharness.checks.replay import load_recording
from lpharness.results.folder import RunFolder, TrialFolder
from lpharness.results.model import CheckResult, Trial, Verdict


def rejudge(results: Path) -> list[Trial]:
    """Return the trials of a run (or the one of a trial's folder) with today's verdicts.

    What only the live harness could know, its own troubles, is kept as it was recorded. A trial
    that cannot be replayed keeps its document and says why; nothing is written.

    Raises:
        InputError: there is no trial, or its document cannot be read.
    """
    if TrialFolder(results).document_path.is_file():
        loaded = [(TrialFolder(results), TrialFolder(results).load())]
    else:
        loaded = RunFolder.open(results).loaded()
    if not loaded:
        raise InputError(f"{results} holds no trial", hint="name a folder that `run` wrote")
    return [_again(folder, trial) for folder, trial in loaded]


def _again(folder: TrialFolder, trial: Trial) -> Trial:
    if trial.verdict is Verdict.SKIP or _refused(trial):
        return trial
    try:
        recording = load_recording(folder.path)
    except InputError as error:
        return msgspec.structs.replace(trial, verdict=Verdict.ERROR, reason=error.message)
    judged = judge(recording)
    checks = (*_of_the_harness(trial, judged), *judged)
    verdict, reason = overall(checks, recording.case)
    return msgspec.structs.replace(trial, checks=checks, verdict=verdict, reason=reason)


def _refused(trial: Trial) -> bool:
    """Whether the answer was known before anything was booted, so that nothing was recorded."""
    inspected = any(result.check == "inspection" for result in trial.checks)
    unbuilt = trial.build is not None and trial.build.verdict is not Verdict.PASS
    return trial.finished and (inspected or unbuilt)


def _of_the_harness(trial: Trial, judged: Sequence[CheckResult]) -> list[CheckResult]:
    if not trial.finished:
        return [CheckResult(check="harness", verdict=Verdict.ERROR, summary=trial.reason)]
    asked = {*CHECKS, *(result.check for result in judged)}
    return [result for result in trial.checks if result.check not in asked]
