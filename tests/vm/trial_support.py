"""Whole trials of a case, and what is asked of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpharness.base.errors import HostError
from lpharness.cases import load
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial, Verdict
from lpharness.run import Request, execute, plan_run


class Nobody:
    """Is told how a run goes."""

    def planned(self, trials: object) -> None: ...

    def phase(self, trial: object, phase: object) -> None: ...

    def finished(self, trial: object) -> None: ...


def tried(what: str | Path, spec: str, folder: Path) -> list[Trial]:
    """Try a case on a kernel, in all its variants; skip where the host lacks what it takes."""
    request = Request(cases=(load(what),), kernels=(spec,))
    try:
        entries = plan_run(request)
    except HostError as error:
        pytest.skip(f"no compiler or QEMU: {error}")
    with RunFolder.create(folder) as run:
        execute(entries, request, run, Nobody())
        return run.trials()


def expect_pass(trials: list[Trial]) -> None:
    """Each trial passed, and so did each of its checks."""
    assert trials
    for trial in trials:
        answers = [(check.check, check.verdict.value, check.summary) for check in trial.checks]
        assert [one for one in answers if one[1] not in ("pass", "skip")] == []
        assert trial.verdict is Verdict.PASS
