"""What a trial costs, and the steps before it: C to module, inspection, start-up."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from lpharness.base.cache import Cache
from lpharness.base.progress import SILENT, Progress
from lpharness.bench.figures import Figure, timed
from lpharness.cases import load
from lpharness.engine.build import build_module
from lpharness.guests import backend
from lpharness.kernels import resolve, with_headers
from lpharness.kernels.model import Kernel
from lpharness.results.folder import RunFolder
from lpharness.results.model import Verdict
from lpharness.results.writers import write_reports
from lpharness.run import Request, plan_run
from lpharness.trial.plan import Plan
from lpharness.trial.runner import run_trial

_MIB = 1 << 20
_CASE = "cmdline"
_COMMAND = [sys.executable, "-m", "lpharness.cli"]


def measure(kernel: str, repeat: int, progress: Progress = SILENT) -> list[Figure]:
    """Measure whole trials of the ``cmdline`` case under ``proc-reader``, all of it cached."""
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
        trials = _trials(request, repeat)
    return [
        Figure(name="C to module, cold", unit="s", samples=cold, bound=6.0),
        Figure(name="inspect", unit="s", samples=inspect, bound=0.3),
        Figure(name="--help", unit="s", samples=help_, bound=0.2),
        *trials,
    ]


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


def _trials(request: Request, repeat: int) -> list[Figure]:
    """Time trials with their documents and reports; the first, which makes the snapshot, aside."""
    (plan,) = plan_run(request)
    assert isinstance(plan, Plan)
    backend_ = backend(request.backend)
    verdicts: list[Verdict] = []

    def once() -> None:
        with (
            tempfile.TemporaryDirectory(prefix="lpharness-bench-") as folder,
            RunFolder.create(Path(folder) / "run") as run,
        ):
            verdicts.append(run_trial(plan, backend_, run.trial(plan.id)).verdict)
            write_reports(run)

    once()
    samples = timed(repeat, once)
    memory = psutil.Process().memory_info().rss / _MIB
    good = sum(verdict is Verdict.PASS for verdict in verdicts)
    return [
        Figure(name="whole trial", unit="s", samples=samples, bound=12.0),
        Figure(name="trials that passed, of all", unit="", samples=[good / len(verdicts)]),
        Figure(name="memory of the harness", unit="MiB", samples=[memory], bound=150.0),
    ]
