"""The selftests of some kernels: planned, built once each, run one after another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from lpharness.base.architecture import require_everything
from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.checks.contract import Selftest
from lpharness.engine.guest_image import guest_image
from lpharness.guests import backend as find_backend
from lpharness.guests.contract import GuestSpec
from lpharness.kernels import resolve
from lpharness.kernels.model import Kernel
from lpharness.results.folder import RunFolder
from lpharness.results.model import Build, Trial, TrialId, Verdict
from lpharness.selftest.build import build_bundle
from lpharness.selftest.runner import SelftestPlan, run_selftest
from lpharness.selftest.source import find_tests
from lpharness.selftest.suite import LIVEPATCH, chosen, lacking, read_suite
from lpharness.timeline.events import Phase

_IMAGE = "debian"
_WORKLOAD = "selftest"


class Request(Struct, frozen=True, kw_only=True):
    """What a user asks to be run."""

    kernels: tuple[str, ...]
    """Kernel specs, as typed."""
    patterns: tuple[str, ...] = ()
    """Of programs and tests; empty for all."""
    backend: str = "qemu"
    uri: str | None = None
    accelerator: Literal["auto", "tcg", "kvm"] = "auto"
    cpus: int = 2
    memory_mb: int = 512
    fresh: bool = False


class Skipped(Struct, frozen=True, kw_only=True):
    """A program that is not run, since the kernel lacks what it needs."""

    id: TrialId
    reason: str


class Listener(Protocol):
    """Is told how a run goes, from the thread that runs it."""

    def planned(self, trials: Sequence[TrialId]) -> None:
        """These will be run, in this order."""

    def phase(self, trial: TrialId, phase: Phase) -> None:
        """A trial enters a phase."""

    def tested(self, trial: TrialId, test: str, verdict: Verdict) -> None:
        """A test of a program is through."""

    def finished(self, trial: Trial) -> None:
        """A trial has its verdict."""


class Available(Struct, frozen=True, kw_only=True):
    """The selftests of a kernel."""

    kernel: str
    lacks: str
    """Options that the tests need and the kernel was built without; empty if it has all."""
    programs: tuple[Selftest, ...]


def available(request: Request, progress: Progress = SILENT) -> list[Available]:
    """Return what there is to run, nothing built or booted.

    Raises:
        InputError: a kernel or pattern that does not exist, or no source of exactly that kernel.
        HostError: the source cannot be fetched.
    """
    found = []
    for spec in request.kernels:
        kernel = resolve(spec, progress=progress)
        source = find_tests(kernel, LIVEPATCH, progress=progress)
        found.append(
            Available(
                kernel=kernel.release,
                lacks=lacking(source, kernel.config),
                programs=chosen(read_suite(source), request.patterns),
            )
        )
    return found


def plan_selftests(request: Request, progress: Progress = SILENT) -> list[SelftestPlan | Skipped]:
    """Fetch and build everything that the request needs; nothing is booted.

    Raises:
        InputError: a kernel, backend or pattern that does not exist, no source of exactly that
            kernel, the same kernel twice, or one of an architecture that has no such tests here.
        HostError: the archive, compiler or disk did not do its part.
    """
    find_backend(request.backend, uri=request.uri)
    kernels = [resolve(spec, progress=progress) for spec in request.kernels]
    for at, kernel in enumerate(kernels):
        if kernel.release in [earlier.release for earlier in kernels[:at]]:
            raise InputError(f"{kernel.release} is named twice", hint="name each kernel once")
    return [entry for kernel in kernels for entry in _plan_kernel(request, kernel, progress)]


def execute(
    entries: Sequence[SelftestPlan | Skipped],
    request: Request,
    folder: RunFolder,
    listener: Listener,
) -> list[Trial]:
    """Run the programs one after another and write each trial's document as it ends."""
    backend = find_backend(request.backend, uri=request.uri)
    listener.planned([entry.id for entry in entries])
    trials = []
    for entry in entries:
        if isinstance(entry, Skipped):
            trial = _write_skipped(entry, folder)
        else:
            trial = run_selftest(
                entry, backend, folder.trial(entry.id), listener.phase, listener.tested
            )
        listener.finished(trial)
        trials.append(trial)
    return trials


def _plan_kernel(
    request: Request, kernel: Kernel, progress: Progress
) -> list[SelftestPlan | Skipped]:
    require_everything(kernel.arch, "the kernel's own tests")
    source = find_tests(kernel, LIVEPATCH, progress=progress)
    programs = chosen(read_suite(source), request.patterns)
    ids = [
        TrialId(
            case=program.name, kernel=kernel.release, workload=_WORKLOAD, backend=request.backend
        )
        for program in programs
    ]
    if missing := lacking(source, kernel.config):
        reason = f"{kernel.release} was built without what the tests need: {missing}"
        return [Skipped(id=id_, reason=reason) for id_ in ids]
    began = time.monotonic()
    bundle = build_bundle(source, LIVEPATCH, kernel, progress=progress)
    build = Build(verdict=Verdict.PASS, seconds=time.monotonic() - began)
    image = guest_image(_IMAGE, kernel, guest_modules=bundle.guest_modules, progress=progress)
    spec = GuestSpec(
        kernel=kernel,
        image=image,
        cpus=request.cpus,
        memory_mb=request.memory_mb,
        accelerator=request.accelerator,
    )
    return [
        SelftestPlan(
            id=id_, selftest=program, spec=spec, bundle=bundle, build=build, fresh=request.fresh
        )
        for id_, program in zip(ids, programs, strict=True)
    ]


def _write_skipped(skipped: Skipped, folder: RunFolder) -> Trial:
    trial_folder = folder.trial(skipped.id)
    trial = trial_folder.begin(skipped.id, Phase.BUILD)
    trial.verdict, trial.reason = Verdict.SKIP, skipped.reason
    trial.finished = True
    trial_folder.write(trial)
    return trial
