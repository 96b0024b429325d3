"""From a cell to its plans: its kernel fetched, its modules, programs and image built once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.architecture import require_everything
from lpharness.base.errors import BuildError, InputError, LpharnessError
from lpharness.base.progress import SILENT, Progress
from lpharness.cases.model import Case, Variant
from lpharness.engine.beats import build_beats
from lpharness.engine.build import Module
from lpharness.engine.guest_image import guest_image
from lpharness.guests.contract import GuestSpec
from lpharness.images.model import Image
from lpharness.kernels import resolve, with_headers
from lpharness.kernels.model import Kernel
from lpharness.models import HYBRID, build_core, registered, unfit
from lpharness.results.model import Build, Evidence, TrialId, Verdict
from lpharness.run.cells import Cell, Wanted, cells_of
from lpharness.run.meant import not_meant_for
from lpharness.run.request import Request, Settings
from lpharness.trial.build import CaseBuild, build_case
from lpharness.trial.plan import Plan
from lpharness.trial.programs import build_companions, build_programs
from lpharness.workloads import find as find_workload
from lpharness.workloads.catalog import Workload
from lpharness.workloads.files import gather_files


class Refused(Struct, frozen=True, kw_only=True):
    """A trial that is not run: the answer is known without a guest."""

    id: TrialId
    kernel: str
    """As it was asked for: ``debian:6.1-cloud``."""
    verdict: Verdict
    reason: str
    evidence: tuple[Evidence, ...] = ()
    build: Build | None = None


Entry = Plan | Refused


class Prepared(Struct, frozen=True, kw_only=True):
    """A cell whose every trial can be made, or has its answer."""

    entries: tuple[Entry, ...]
    refusal: LpharnessError | None = None
    """What kept it from being prepared, where a run of nothing else is not worth a report."""

    @property
    def makes_sense(self) -> bool:
        """Whether there is more to tell of it than that nothing was tried."""
        return self.refusal is None and any(
            isinstance(entry, Plan) or entry.verdict is not Verdict.SKIP for entry in self.entries
        )


def plan_run(request: Request, progress: Progress = SILENT) -> list[Entry]:
    """Fetch, build and lay out everything that the request needs; nothing is booted.

    Raises:
        InputError: a kernel, workload, variant or backend that does not exist, a workload that a
            case cannot drive, the same trial twice, or nothing but cases that are themselves at
            fault: a source that does not compile, say.
        HostError: the archive, compiler or disk did not do its part.
    """
    settings = with_seed(request)
    prepared = [prepare(cell, settings, progress) for cell in cells_of(request, progress)]
    refuse_bad_input(prepared)
    return [entry for one in prepared for entry in one.entries]


def with_seed(settings: Settings) -> Settings:
    """Return the settings with a seed: random, unless one was asked for.

    Of a request only the settings: what is tried is in the cells, and the plan keeps both.
    """
    values = {name: getattr(settings, name) for name in Settings.__struct_fields__}
    if settings.seed is None:
        values["seed"] = random.SystemRandom().getrandbits(32)
    return Settings(**values)


def prepare(cell: Cell, settings: Settings, progress: Progress = SILENT) -> Prepared:
    """Fetch and build all that a cell's trials need.

    Raises:
        InputError: its kernel does not exist any more, or has no headers, or the backend has no
            guests of its architecture.
        HostError: the archive, compiler or disk did not do its part.
    """
    kernel = with_headers(_kernel(cell, progress), progress=progress)
    if settings.backend != "qemu":
        require_everything(kernel.arch, settings.backend)
    case = cell.case
    if reason := not_meant_for(case, kernel):
        return _all_refused(cell, settings, Verdict.SKIP, reason)
    programs = build_programs(case, kernel.arch)
    companions = build_companions(case, kernel, progress)
    beats = build_beats(kernel, progress) if settings.beats else None
    built = build_case(case, kernel, progress)
    if not built.to_be_run:
        return _not_built(cell, settings, built)

    def plan(wanted: Wanted) -> Entry:
        workload = find_workload(wanted.workload)
        try:
            workload.command(case.drive, settings.cpus, kernel.arch)
        except InputError as error:  # in a matrix not every case can drive every workload
            name = cell.id_of(wanted, settings.backend)
            return Refused(id=name, kernel=cell.kernel, verdict=Verdict.SKIP, reason=error.message)
        variant = _variant(case, wanted.variant)
        try:
            model, modules = _under_model(case, variant, wanted.model, built, kernel, progress)
        except InputError as error:
            name = cell.id_of(wanted, settings.backend)
            verdict = Verdict.ERROR if isinstance(error, BuildError) else Verdict.SKIP
            return Refused(
                id=name, kernel=cell.kernel, verdict=verdict, reason=str(error), build=built.build
            )
        return Plan(
            id=cell.id_of(wanted, settings.backend),
            case=case,
            spec=GuestSpec(
                kernel=kernel,
                image=_image(case, workload, kernel, progress),
                cpus=settings.cpus,
                memory_mb=settings.memory_mb,
                accelerator=settings.accelerator,
            ),
            workload=workload,
            workload_files=gather_files(workload, kernel, progress=progress),
            modules=modules,
            model=model,
            beats=beats,
            build=built.build,
            programs=programs,
            companions=companions,
            variant=variant,
            fresh=settings.fresh,
            pace=settings.pace,
            seed=settings.seed or 0,
            keep_memory=settings.keep_memory,
        )

    return Prepared(entries=tuple(plan(wanted) for wanted in cell.wanted))


def unprepared(cell: Cell, settings: Settings, error: LpharnessError) -> Prepared:
    """Return what comes of a cell that could not be prepared: nobody can say anything of it."""
    prepared = _all_refused(cell, settings, Verdict.ERROR, f"not prepared: {error}")
    return msgspec.structs.replace(prepared, refusal=error)


def refuse_bad_input(prepared: Sequence[Prepared]) -> None:
    """Refuse a run of nothing but cases that somebody has to mend first.

    One of them among others must not keep those from being tried: then it is a result.

    Raises:
        LpharnessError: what is wrong with the first of them.
    """
    refusals = [one.refusal for one in prepared if one.refusal is not None]
    if refusals and not any(one.makes_sense for one in prepared):
        raise refusals[0]


def _kernel(cell: Cell, progress: Progress) -> Kernel:
    """Return the cell's kernel: of the release that it was when the run was laid out."""
    kernel = resolve(cell.kernel, progress=progress)
    if kernel.release == cell.release:
        return kernel
    return resolve(f"debian:{cell.release}", progress=progress)  # the archive has moved on


def _all_refused(cell: Cell, settings: Settings, verdict: Verdict, reason: str) -> Prepared:
    return Prepared(
        entries=tuple(
            Refused(
                id=cell.id_of(wanted, settings.backend),
                kernel=cell.kernel,
                verdict=verdict,
                reason=reason,
            )
            for wanted in cell.wanted
        )
    )


def _not_built(cell: Cell, settings: Settings, built: CaseBuild) -> Prepared:
    return Prepared(
        entries=tuple(
            Refused(
                id=cell.id_of(wanted, settings.backend),
                kernel=cell.kernel,
                verdict=built.build.verdict,
                reason=f"build: {built.build.summary}",
                evidence=built.evidence,
                build=built.build,
            )
            for wanted in cell.wanted
        ),
        refusal=built.error if built.bad_input else None,
    )


def _under_model(
    case: Case,
    variant: Variant | None,
    name: str,
    built: CaseBuild,
    kernel: Kernel,
    progress: Progress,
) -> tuple[Path | None, tuple[Module, ...]]:
    """Return a model's own module, and the livepatches registered with it.

    Raises:
        BuildError: it cannot be built for this kernel, or a livepatch not be registered with it.
        InputError: the case asks for what the model cannot do.
        HostError: tools or space are missing.
    """
    if name == HYBRID:
        return None, built.modules
    if reason := unfit(case, variant, name):
        raise InputError(reason)
    core = build_core(name, kernel, progress)
    return core.path, tuple(registered(module, core) for module in built.modules)


def _variant(case: Case, name: str) -> Variant | None:
    return next((variant for variant in case.variants if variant.name == name), None)


def _image(case: Case, workload: Workload, kernel: Kernel, progress: Progress) -> Image:
    recipe = "debian" if "debian" in (case.image, workload.image) else case.image
    wanted = case.guest_modules + (case.target.modules if case.target else ())
    return guest_image(recipe, kernel, guest_modules=wanted, progress=progress)
