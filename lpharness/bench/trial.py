"""What a trial costs, and the steps before it: C to module, inspection, start-up."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from lpharness.base.cache import Cache
from lpharness.base.progress import SILENT, Progress
from lpharness.bench.figures import Bench, Figure, host_load, own_memory_mib, timed
from lpharness.cases import load
from lpharness.engine.build import build_module
from lpharness.guests import backend
from lpharness.kernels import resolve, with_headers
from lpharness.kernels.model import Kernel
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial, Verdict
from lpharness.results.writers import write_reports
from lpharness.run import Request, plan_run
from lpharness.trial.plan import Plan
from lpharness.trial.runner import run_trial

_CASE = "cmdline"
_COMMAND = [sys.executable, "-m", "lpharness.cli"]


def measure(kernel: str, repeat: int, progress: Progress = SILENT) -> Bench:
    """Measure whole trials of the ``cmdline`` case under ``proc-reader``, all of it cached."""
    load_before = host_load()
    found = with_headers(resolve(kernel, progress=progress), progress=progress)
    case = load(_CASE)
    with progress.step("C to module, cold"):
        cold = _cold_builds(found, repeat)
    module = build_module(case, case.modules[0], found)
    with progress.step("start-up"):
        inspect = _runs(repeat, "inspect", str(module.path), "-k", f"debian:{found.release}")
        help_ = _runs(repeat, "--help")
    request = Request(cases=(case,), kernels=(kernel,), workloads=("proc-reader",))
    with progress.step("trials"):
        seconds, trials = _trials(request, repeat)
    passed = sum(trial.verdict is Verdict.PASS for trial in trials)
    return Bench(
        kernel=found.release,
        accelerator=trials[0].provenance.accelerator,
        load=(load_before, host_load()),
        figures=[
            Figure(name="C to module, cold", unit="s", samples=cold, bound=6.0),
            Figure(name="inspect", unit="s", samples=inspect, bound=0.3),
            Figure(name="--help", unit="s", samples=help_, bound=0.2),
            Figure(name="whole trial", unit="s", samples=seconds, bound=12.0),
            Figure(name="trials that passed, of all", unit="", samples=[passed / len(trials)]),
            Figure(
                name="memory of the harness", unit="MiB", samples=[own_memory_mib()], bound=150.0
            ),
        ],
    )


def _cold_builds(kernel: Kernel, repeat: int) -> list[float]:
    case = load(_CASE)

    def build() -> None:
        with tempfile.TemporaryDirectory(prefix="lpharness-bench-") as folder:
            build_module(case, case.modules[0], kernel, cache=Cache(Path(folder)))

    return timed(repeat, build)


def _runs(repeat: int, *arguments: str) -> list[float]:
    def run() -> None:
        subprocess.run([*_COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL)

    run()  # the first reads files from the disk
    return timed(repeat, run)


def _trials(request: Request, repeat: int) -> tuple[list[float], list[Trial]]:
    """Time trials with their documents and reports; the first, which makes the snapshot, aside."""
    (plan,) = plan_run(request)
    assert isinstance(plan, Plan)
    backend_ = backend(request.backend)
    trials: list[Trial] = []

    def once() -> None:
        with (
            tempfile.TemporaryDirectory(prefix="lpharness-bench-") as folder,
            RunFolder.create(Path(folder) / "run") as run,
        ):
            trials.append(run_trial(plan, backend_, run.trial(plan.id)))
            write_reports(run)

    once()
    return timed(repeat, once), trials
