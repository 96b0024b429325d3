"""A run before anything is fetched or built: cells, each a case on a kernel, and their trials."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.cases.model import Case
from lpharness.guests import backend as find_backend
from lpharness.kernels import release_of
from lpharness.models import require_models
from lpharness.results.model import TrialId
from lpharness.run.request import Request, Settings
from lpharness.workloads import find as find_workload


class Wanted(Struct, frozen=True, kw_only=True):
    """One trial of a cell."""

    workload: str
    variant: str = ""
    model: str = "hybrid"
    repeat: int = 0
    timeout_s: float = 0.0
    """It is given up after so long; 0 for never."""


class Cell(Struct, frozen=True, kw_only=True):
    """A case on a kernel: what is fetched and built as a whole, and tried so and so."""

    case: Case
    kernel: str
    """The kernel's spec, as typed."""
    release: str
    wanted: tuple[Wanted, ...]

    def id_of(self, wanted: Wanted, backend: str) -> TrialId:
        """Return the name of one of its trials."""
        return TrialId(
            case=self.case.name,
            variant=wanted.variant,
            kernel=self.release,
            workload=wanted.workload,
            model=wanted.model,
            backend=backend,
            repeat=wanted.repeat,
        )


def cells_of(request: Request, progress: Progress = SILENT) -> list[Cell]:
    """Return what a request comes to, in the order in which it was typed.

    Raises:
        InputError: a kernel, workload, variant or backend that does not exist, a workload that a
            case cannot drive, or the same trial twice.
        HostError: nobody can be asked for a kernel.
    """
    find_backend(request.backend, uri=request.uri)
    require_models(request.models)
    for case in request.cases:
        for workload in workloads_of(case, request.workloads):
            require_workload(case, workload, request)
    _require_variants(request.cases, request.variants)
    cells = [
        Cell(case=case, kernel=spec, release=release, wanted=_wanted(case, request))
        for spec, release in [(s, release_of(s, progress=progress)) for s in request.kernels]
        for case in request.cases
    ]
    refuse_twins(cells, request)
    return cells


def workloads_of(case: Case, named: Sequence[str]) -> Sequence[str]:
    """Return the workloads that a case is tried with: those that are named, or its default."""
    return named or case.workloads[:1]


def variants_of(case: Case, named: Sequence[str]) -> list[str]:
    """Return a case's variants, or those of them that are named; one without a name for none."""
    if not case.variants:
        return [""]
    return [variant.name for variant in case.variants if not named or variant.name in named]


def require_workload(case: Case, workload: str, settings: Settings) -> None:
    """Refuse a workload that does not exist, or that a case cannot drive.

    Raises:
        InputError: it is so.
    """
    find_workload(workload).command(case.drive, settings.cpus)


def refuse_twins(cells: Iterable[Cell], settings: Settings) -> None:
    """Refuse trials that would write over each other's results.

    Raises:
        InputError: there are some.
    """
    seen: set[str] = set()
    for cell in cells:
        for wanted in cell.wanted:
            name = cell.id_of(wanted, settings.backend)
            if name.slug in seen:
                raise InputError(
                    f"{name.case} would be tried twice on {name.kernel} with {name.workload}",
                    hint="name everything once; --repeat N tries it again",
                )
            seen.add(name.slug)


def _wanted(case: Case, request: Request) -> tuple[Wanted, ...]:
    return tuple(
        Wanted(workload=workload, variant=variant, model=model, repeat=repeat)
        for workload, variant, model, repeat in itertools.product(
            workloads_of(case, request.workloads),
            variants_of(case, request.variants),
            request.models,
            range(request.repeat),
        )
    )


def _require_variants(cases: Sequence[Case], named: Sequence[str]) -> None:
    known = [variant.name for case in cases for variant in case.variants]
    if unknown := [name for name in named if name not in known]:
        names = ", ".join(case.name for case in cases)
        raise InputError(
            f"no variant {unknown[0]!r} of {names}",
            hint=f"there are {', '.join(dict.fromkeys(known))}" if known else "there is none",
        )
