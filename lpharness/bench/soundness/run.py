"""Tries what was drawn, several at a time; what is through is written down and not done again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from lpharness.base.errors import InputError, LpharnessError
from lpharness.base.progress import SILENT, Progress
from lpharness.bench.settings import require_same
from lpharness.bench.soundness.draw import cells, draw
from lpharness.bench.soundness.hog import hogs
from lpharness.bench.soundness.model import Cell, Draw, Settings
from lpharness.bench.together import attempts
from lpharness.cases import bundled, load
from lpharness.cases.model import Case
from lpharness.checks.rejudge import rejudge
from lpharness.executor.contract import Ended, Task
from lpharness.kernels import resolve
from lpharness.kernels.model import Kernel
from lpharness.results.folder import RunFolder, TrialFolder
from lpharness.results.model import Trial, TrialId
from lpharness.run import Request, plan_run
from lpharness.run.carry import Carry
from lpharness.run.prepare import Entry
from lpharness.workloads import find as find_workload

ASKED = "soundness-settings.json"
FREE = ("jobs", "number")
"""May differ when a measurement goes on: how many at a time, and in all."""


def measure(settings: Settings, folder: RunFolder, progress: Progress = SILENT) -> list[Trial]:
    """Try all that the settings draw, and return the trials as today's checks judge them.

    What an earlier run into the same folder finished is not tried again.

    Raises:
        InputError: the folder holds a measurement with other settings, or what is asked for does
            not exist.
        HostError: a worker was killed, or the archive, compiler or disk did not do its part.
    """
    for name in settings.workloads:
        find_workload(name)
    cases = _cases(settings)
    require_same(settings, folder.path / ASKED, FREE)
    kernels = {spec: resolve(spec, progress=progress) for spec in settings.kernels}
    if len({kernel.release for kernel in kernels.values()}) < len(kernels):
        raise InputError("two of the kernels are the same", hint="name each kernel once")
    found = cells(cases.values(), kernels.items(), settings.workloads)
    drawn = draw(found, number=settings.number, seed=settings.seed)
    names = {one: _name(one, kernels) for one in drawn}
    done = {trial.id for trial in folder.trials() if trial.finished}
    waiting = [one for one in drawn if names[one] not in done]
    with progress.step(f"{len(drawn)} trials", unit="trials") as step:
        entries = _planned(waiting, cases, names, progress)
        for count, trial in enumerate(_tried(entries, settings, folder), 1):
            step.update(len(drawn) - len(waiting) + count, len(drawn))
            step.note(f"{trial.verdict} {trial.id.slug}")
    asked = set(names.values())
    return [trial for trial in rejudge(folder.path) if trial.id in asked]


def _cases(settings: Settings) -> dict[str, Case]:
    """Return the cases to choose from, by name."""
    cases = [load(name) for name in settings.cases or bundled()]
    found = {case.name: case for case in cases}
    if len(found) < len(cases):
        raise InputError("two of the cases have the same name", hint="name each case once")
    return found


def _name(draw: Draw, kernels: dict[str, Kernel]) -> TrialId:
    cell = draw.cell
    return TrialId(
        case=cell.case,
        kernel=kernels[cell.kernel].release,
        workload=cell.workload,
        variant=cell.variant,
        repeat=draw.turn,
    )


def _planned(
    drawn: Sequence[Draw], cases: dict[str, Case], names: dict[Draw, TrialId], progress: Progress
) -> Iterator[Entry]:
    """Yield what to carry out in the order drawn; fetch and build what it needs only then."""
    plans: dict[TrialId, Entry] = {}
    for one in drawn:
        name = msgspec.structs.replace(names[one], repeat=0)
        if name not in plans:
            like = [d.cell for d in drawn if _built_as(d.cell) == _built_as(one.cell)]
            request = Request(
                cases=(cases[one.cell.case],),
                kernels=(one.cell.kernel,),
                workloads=tuple(dict.fromkeys(cell.workload for cell in like)),
            )
            plans |= {entry.id: entry for entry in plan_run(request, progress)}
        yield msgspec.structs.replace(plans[name], id=names[one])


def _built_as(cell: Cell) -> tuple[str, str]:
    """Return what a cell's modules depend on."""
    return cell.case, cell.kernel


def _tried(entries: Iterable[Entry], settings: Settings, folder: RunFolder) -> Iterator[Trial]:
    """Yield the trials in the order in which they get through."""
    tasks = (_task(entry, folder) for entry in entries)
    with hogs(settings.hogs):
        for ended in attempts(tasks, settings.jobs):
            yield ended.result if ended.error is None else _broken(ended, folder)


def _task(entry: Entry, folder: RunFolder) -> Task:
    carry = Carry(entry=entry)
    place = folder.trial(entry.id).path
    return Task(key=place.name, call=carry, folder=place, needs=carry.needs)


def _broken(ended: Ended, folder: RunFolder) -> Trial:
    """Write down that the harness itself broke, which is no pass either."""
    if isinstance(ended.error, LpharnessError):
        raise ended.error
    document = TrialFolder(folder.path / "trials" / ended.key)
    trial = document.load()
    trial.reason += f": {type(ended.error).__name__}: {ended.error}"
    document.write(trial)
    return trial
