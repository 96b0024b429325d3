"""Many trials: planned, built once each, tried one after another or several at once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from typing import Literal, Protocol

from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.cases.model import Case, Pace, Variant
from lpharness.guests import backend as find_backend
from lpharness.guests.contract import Backend, GuestSpec
from lpharness.images import build as build_image
from lpharness.images.model import Image
from lpharness.kernels import resolve, with_headers
from lpharness.kernels.model import Kernel
from lpharness.results.folder import RunFolder
from lpharness.results.model import Build, CheckResult, Evidence, Trial, TrialId, Verdict
from lpharness.timeline.events import Phase
from lpharness.trial.build import CaseBuild, build_case
from lpharness.trial.keeper import OnPhase
from lpharness.trial.plan import USUAL, Plan
from lpharness.trial.programs import build_companions, build_programs
from lpharness.trial.runner import run_trial
from lpharness.workloads import find as find_workload
from lpharness.workloads.catalog import Workload
from lpharness.workloads.files import gather_files


class Request(Struct, frozen=True, kw_only=True):
    """What a user asks to be tried."""

    cases: tuple[Case, ...]
    kernels: tuple[str, ...]
    """Kernel specs, as typed."""
    workloads: tuple[str, ...] = ()
    """Names; empty for each case's default."""
    variants: tuple[str, ...] = ()
    """Names; empty for all that a case has."""
    repeat: int = 1
    backend: str = "qemu"
    uri: str | None = None
    accelerator: Literal["auto", "tcg", "kvm"] = "auto"
    cpus: int = 2
    memory_mb: int = 512
    fresh: bool = False
    keep_memory: bool = False
    pace: Pace = USUAL
    seed: int | None = None


class Refused(Struct, frozen=True, kw_only=True):
    """A trial that is not run: the answer is known without a guest."""

    id: TrialId
    verdict: Verdict
    reason: str
    evidence: tuple[Evidence, ...] = ()
    build: Build | None = None


class Listener(Protocol):
    """Is told how a run goes, from the thread that runs it."""

    def planned(self, trials: Sequence[TrialId]) -> None:
        """These will be tried, in this order."""

    def phase(self, trial: TrialId, phase: Phase) -> None:
        """A trial enters a phase."""

    def finished(self, trial: Trial) -> None:
        """A trial has its verdict."""


def plan_run(request: Request, progress: Progress = SILENT) -> list[Plan | Refused]:
    """Fetch, build and lay out everything that the request needs; nothing is booted.

    Raises:
        InputError: a kernel, workload, variant or backend that does not exist, a workload that a
            case cannot drive, the same trial twice, or nothing but cases that are themselves at
            fault: a source that does not compile, say.
        HostError: the archive, compiler or disk did not do its part.
    """
    _refuse_unknown(request)
    seed = request.seed if request.seed is not None else random.SystemRandom().getrandbits(32)
    entries: list[Plan | Refused] = []
    builds: list[CaseBuild] = []
    for spec in request.kernels:
        kernel = with_headers(resolve(spec, progress=progress), progress=progress)
        for case in request.cases:
            entries += _plan_case(request, case, kernel, seed, progress, builds)
    _refuse_twins(entries)
    _refuse_bad_input(builds)
    return entries


def execute(
    entries: Sequence[Plan | Refused], request: Request, folder: RunFolder, listener: Listener
) -> list[Trial]:
    """Run the plans one after another and write each trial's document as it ends."""
    backend = find_backend(request.backend, uri=request.uri)
    listener.planned([entry.id for entry in entries])
    trials = []
    for entry in entries:
        trial = carry_out(entry, backend, folder, listener.phase)
        listener.finished(trial)
        trials.append(trial)
    return trials


def carry_out(
    entry: Plan | Refused, backend: Backend, folder: RunFolder, on_phase: OnPhase = lambda *_: None
) -> Trial:
    """Run one plan, or write down why it is not run; either way its document is written."""
    if isinstance(entry, Refused):
        return _write_refusal(entry, folder)
    return run_trial(entry, backend, folder.trial(entry.id), on_phase)


def exit_status(trials: Sequence[Trial]) -> int:
    """Return what the process says of a run: 0 all well, 1 a fail, 3 nobody could say."""
    verdicts = {trial.verdict for trial in trials}
    if verdicts & {Verdict.FAIL, Verdict.XPASS}:
        return 1
    return 3 if Verdict.ERROR in verdicts or not verdicts else 0


def _refuse_unknown(request: Request) -> None:
    """Refuse what can be refused before anything is fetched or built."""
    find_backend(request.backend, uri=request.uri)
    for case in request.cases:
        for workload in _workloads(request, case):
            workload.command(case.drive, request.cpus)
    known = [variant.name for case in request.cases for variant in case.variants]
    if unknown := [name for name in request.variants if name not in known]:
        names = ", ".join(case.name for case in request.cases)
        raise InputError(
            f"no variant {unknown[0]!r} of {names}",
            hint=f"there are {', '.join(dict.fromkeys(known))}" if known else "there is none",
        )


def _refuse_twins(entries: Sequence[Plan | Refused]) -> None:
    """Refuse trials that would write over each other's results."""
    seen: set[str] = set()
    for entry in entries:
        if entry.id.slug in seen:
            raise InputError(
                f"{entry.id.case} would be tried twice on {entry.id.kernel} with "
                f"{entry.id.workload}",
                hint="name each case, kernel and workload once; --repeat N tries them again",
            )
        seen.add(entry.id.slug)


def _refuse_bad_input(builds: Sequence[CaseBuild]) -> None:
    """Refuse a run of nothing but cases that somebody has to mend first.

    One of them among others must not keep those from being tried: then it is a result.
    """
    errors = [build.error for build in builds if build.error is not None and build.bad_input]
    if errors and len(errors) == len(builds):
        raise errors[0]


def _workloads(request: Request, case: Case) -> list[Workload]:
    return [find_workload(name) for name in request.workloads or case.workloads[:1]]


def _plan_case(
    request: Request,
    case: Case,
    kernel: Kernel,
    seed: int,
    progress: Progress,
    builds: list[CaseBuild],
) -> Iterator[Plan | Refused]:
    trials = list(
        itertools.product(
            _workloads(request, case), _variants(case, request.variants), range(request.repeat)
        )
    )
    if not meant_for(case, kernel):
        reason = f"the case is for {', '.join(case.kernels)}, not for {kernel.release}"
        for workload, variant, repeat in trials:
            trial_id = _trial_id(request, case, kernel, workload, variant, repeat)
            yield Refused(id=trial_id, verdict=Verdict.SKIP, reason=reason)
        return
    programs = build_programs(case)
    companions = build_companions(case, kernel, progress)
    built = build_case(case, kernel, progress)
    builds.append(built)
    for workload, variant, repeat in trials:
        trial_id = _trial_id(request, case, kernel, workload, variant, repeat)
        if not built.to_be_run:
            yield Refused(
                id=trial_id,
                verdict=built.build.verdict,
                reason=f"build: {built.build.summary}",
                evidence=built.evidence,
                build=built.build,
            )
            continue
        yield Plan(
            id=trial_id,
            case=case,
            spec=GuestSpec(
                kernel=kernel,
                image=_image(case, workload, kernel, progress),
                cpus=request.cpus,
                memory_mb=request.memory_mb,
                accelerator=request.accelerator,
            ),
            workload=workload,
            workload_files=gather_files(workload, kernel, progress=progress),
            modules=built.modules,
            build=built.build,
            programs=programs,
            companions=companions,
            variant=variant,
            fresh=request.fresh,
            pace=request.pace,
            seed=seed,
            keep_memory=request.keep_memory,
        )


def _trial_id(
    request: Request,
    case: Case,
    kernel: Kernel,
    workload: Workload,
    variant: Variant | None,
    repeat: int,
) -> TrialId:
    return TrialId(
        case=case.name,
        variant=variant.name if variant else "",
        kernel=kernel.release,
        workload=workload.name,
        backend=request.backend,
        repeat=repeat,
    )


def _variants(case: Case, wanted: Sequence[str]) -> list[Variant | None]:
    if not case.variants:
        return [None]
    return [variant for variant in case.variants if not wanted or variant.name in wanted]


def meant_for(case: Case, kernel: Kernel) -> bool:
    """Say whether a case's ``kernels`` name a kernel, by its spec or its release."""
    names = (kernel.origin.spec, f"debian:{kernel.release}", kernel.release)
    return any(fnmatch(name, pattern) for pattern in case.kernels for name in names)


def _image(case: Case, workload: Workload, kernel: Kernel, progress: Progress) -> Image:
    recipe = "debian" if "debian" in (case.image, workload.image) else case.image
    wanted = case.guest_modules + (case.target.modules if case.target else ())
    return build_image(recipe, kernel, guest_modules=wanted, progress=progress)


def _write_refusal(refused: Refused, folder: RunFolder) -> Trial:
    """Write the document of a trial whose answer needs no guest."""
    trial_folder = folder.trial(refused.id)
    trial = trial_folder.begin(refused.id, Phase.BUILD, build=refused.build)
    if refused.evidence:
        trial.checks = (
            CheckResult(
                check="inspection",
                verdict=refused.verdict,
                summary=refused.evidence[0].seen,
                evidence=refused.evidence,
            ),
        )
    trial.verdict, trial.reason = refused.verdict, refused.reason
    trial.finished = True
    trial_folder.write(trial)
    return trial
