"""The kernel's own ftrace tests as a workload, in a trial: minutes under emulation, so only one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lpharness.base.errors import HostError
from lpharness.cases import load
from lpharness.results.folder import RunFolder
from lpharness.results.model import Verdict
from lpharness.run import Request, execute, plan_run
from lpharness.timeline.events import WorkloadEnded
from lpharness.trial.plan import Plan


class Nobody:
    """Is told how a run goes."""

    def planned(self, trials: object) -> None: ...

    def phase(self, trial: object, phase: object) -> None: ...

    def finished(self, trial: object) -> None: ...


def test_ftraces_own_tests_pass_while_a_patch_comes_and_goes(tmp_path: Path) -> None:
    request = Request(
        cases=(load("cmdline"),), kernels=("debian:6.12-cloud",), workloads=("ftrace-selftest",)
    )
    try:
        (plan,) = plan_run(request)
    except HostError as error:
        pytest.skip(f"cannot be prepared: {error}")
    assert isinstance(plan, Plan)
    # One test while patched is enough here; a user's trial waits for all of them.
    hasty = msgspec.structs.replace(plan.workload, round_s=0.8)
    plan = msgspec.structs.replace(plan, workload=hasty)
    with RunFolder.create(tmp_path / "run") as run:
        (trial,) = execute([plan], request, run, Nobody())
        (ended,) = [e for e in run.folders()[0].events() if isinstance(e, WorkloadEnded)]
    assert trial.verdict is Verdict.PASS, trial.reason
    assert "0 failures" in ended.detail
    assert "left out" not in ended.detail
