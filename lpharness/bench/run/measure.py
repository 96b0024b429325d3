"""Times the same trials one by one, several at a time, on a cluster; then a run that goes on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path

from lpharness.base.errors import HostError
from lpharness.base.progress import SILENT, Progress
from lpharness.bench.figures import Bench, Figure, host_load, stopwatch
from lpharness.bench.run.cluster import cluster
from lpharness.bench.run.model import Settings
from lpharness.bench.run.resume import measure_resume
from lpharness.bench.run.rounds import Rounds, parts
from lpharness.cases import load
from lpharness.cases.model import Pace
from lpharness.executor.capacity import Capacity, usable_cpus
from lpharness.executor.contract import Executor, Told
from lpharness.executor.inline import InlineExecutor
from lpharness.executor.local import LocalExecutor
from lpharness.results.folder import RunFolder, TrialFolder
from lpharness.results.model import Verdict
from lpharness.run import Request
from lpharness.run.cells import cells_of
from lpharness.run.conductor import Conductor
from lpharness.run.layout import Layout, typed
from lpharness.run.listener import Silent
from lpharness.run.prepare import with_seed
from lpharness.run.start import dask_executor

_CASE, _WORKLOAD = "cmdline", "proc-reader"
_TWO_SECONDS = Pace(baseline_s=0.5, steady_s=1.0, after_s=0.5)

Opened = Callable[[Told], AbstractContextManager[Executor]]
"""Opens who carries out the trials."""


def measure(settings: Settings, progress: Progress = SILENT) -> Bench:
    """Measure; everything is fetched, built and booted once before.

    Raises:
        HostError: a trial did not pass, so that its time says nothing; or Dask is not installed.
    """
    if settings.cluster and find_spec("distributed") is None:
        raise HostError("Dask is not installed", hint="pip install 'lpharness[dask]'; --no-cluster")
    before = host_load()
    layout = _layout(settings.kernel, settings.trials)
    with tempfile.TemporaryDirectory(prefix="lpharness-bench-") as place:
        folder = Path(place)
        figures = _timed(settings, layout, folder, progress)
        example = TrialFolder(next(folder.glob("*/j*/run/trials/*")))
        if settings.results:
            with progress.step(f"a run with {settings.results} results goes on"):
                figures += measure_resume(layout, folder / "resumed", example, settings.results)
        accelerator = example.load().provenance.accelerator
    return Bench(
        kernel=layout.cells[0].release,
        accelerator=accelerator,
        load=(before, host_load()),
        figures=figures,
    )


def _timed(settings: Settings, layout: Layout, folder: Path, progress: Progress) -> list[Figure]:
    """Time the trials in rounds: on this machine, and in the same minutes on a cluster of it.

    Side by side, since a host's own pace moves more within a quarter of an hour than what is
    looked for.
    """
    rounds = Rounds(settings.jobs or (1, round(usable_cpus())))
    most = max(rounds.jobs)
    for number, part in enumerate(parts(layout, settings.rounds)):
        where = folder / f"round-{number}"
        for jobs in rounds.jobs:
            with progress.step(f"{len(part.order)} trials, {jobs} at a time"):
                rounds.here[jobs].append(_rate(part, where / f"j{jobs}", _here(jobs)))
        if settings.cluster:
            with progress.step(f"{len(part.order)} trials on a cluster of {most} workers"):
                rounds.cluster.append(_on_cluster(part, where, folder / "cluster", most))
    return rounds.figures()


def _layout(kernel: str, trials: int) -> Layout:
    request = Request(
        cases=(load(_CASE),),
        kernels=(kernel,),
        workloads=(_WORKLOAD,),
        repeat=trials,
        pace=_TWO_SECONDS,
    )
    return typed(with_seed(request), cells_of(request), retries=0)


def _here(jobs: int) -> Opened:
    if jobs == 1:
        return InlineExecutor
    return lambda told: LocalExecutor(told, Capacity.of_this_machine(jobs))


def _on_cluster(layout: Layout, folder: Path, place: Path, workers: int) -> float:
    """Return the trials a minute; the workers keep their caches from round to round."""
    with cluster(place, workers=workers) as ours:
        return _rate(layout, folder / "dask", lambda told: dask_executor(told, ours.address))


def _rate(layout: Layout, folder: Path, opened: Opened) -> float:
    """Return the trials a minute, after a few of them that make what is made once."""
    few = layout.without(set(layout.order[4:]))
    _run(few, folder / "first", opened)
    with stopwatch() as watch:
        _run(layout, folder / "run", opened)
    return 60 * len(layout.order) / watch.seconds


def _run(layout: Layout, path: Path, opened: Opened) -> None:
    """Conduct a run, all that is part of it but the reports.

    Raises:
        HostError: not all of it passed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with RunFolder.create(path) as folder:
        conductor = Conductor(layout.settings, lambda: folder, Silent())
        with InlineExecutor(conductor.told) as here, opened(conductor.told) as there:
            conductor.run(layout, preparing=here, trying=there)
    for attempt in conductor.attempts:
        if attempt.verdict is not Verdict.PASS:
            raise HostError(f"{attempt.id.slug}: {attempt.verdict}: {attempt.reason}")
