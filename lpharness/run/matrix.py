"""A file that lays out a whole release: cases by kernels by workloads by models by repeats."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.cases import load, tagged
from lpharness.cases.model import Case
from lpharness.cases.toml import read_as
from lpharness.kernels import release_of
from lpharness.models import require_models
from lpharness.run.cells import (
    Cell,
    Wanted,
    refuse_twins,
    variants_of,
    workloads_of,
)
from lpharness.run.layout import Layout, typed
from lpharness.run.prepare import with_seed
from lpharness.run.request import GuestSettings, Settings
from lpharness.workloads import find as find_workload

ALL = "all"
"""In place of workloads: all that a case makes sense with."""


class Block(Struct, frozen=True, kw_only=True):
    """Cases by kernels by workloads by models by repeats."""

    cases: tuple[str, ...] = ()
    """Names of bundled cases, or folders, from where the file is."""
    tags: tuple[str, ...] = ()
    """The bundled cases that have one of these, besides."""
    kernels: tuple[str, ...] = ()
    workloads: tuple[str, ...] | str = ()
    """Names, or ``all``; each case's first unless given."""
    variants: tuple[str, ...] = ()
    models: tuple[str, ...] = ("hybrid",)
    repeats: int = 1
    timeout_s: float = 0.0


class Exclude(Struct, frozen=True, kw_only=True):
    """Patterns; a trial that fits all that are given is left out."""

    case: str = "*"
    kernel: str = "*"
    """Of what was typed, or of the release."""
    workload: str = "*"
    variant: str = "*"
    model: str = "*"

    def fits(self, cell: Cell, wanted: Wanted) -> bool:
        """Say whether it leaves a trial out."""
        return (
            fnmatch(cell.case.name, self.case)
            and (fnmatch(cell.kernel, self.kernel) or fnmatch(cell.release, self.kernel))
            and fnmatch(wanted.workload, self.workload)
            and fnmatch(wanted.variant, self.variant)
            and fnmatch(wanted.model, self.model)
        )


class Matrix(Block, frozen=True, kw_only=True):
    """The whole file."""

    exclude: tuple[Exclude, ...] = ()
    include: tuple[Block, ...] = ()
    """More blocks, which nothing is excluded from."""
    guest: GuestSettings = GuestSettings()
    """``[guest]``: what all guests are like."""
    seed: int | None = None
    retries: int = 1


def read_matrix(file: Path) -> Matrix:
    """Read a matrix and check it as far as data can be.

    Raises:
        InputError: it cannot be read, or says something that cannot be; says where.
    """
    matrix = read_as(file, "a matrix", Matrix, manual="docs/matrix.md")
    for where, block in _blocks(matrix):
        _check(block, f"{file}: {where}")
    if matrix.retries < 0:
        raise InputError(f"{file}: retries: {matrix.retries} is less than none")
    return matrix


def lay_out(file: Path, progress: Progress = SILENT) -> Layout:
    """Return what a matrix comes to, in the order in which it is written.

    Raises:
        InputError: the file, or a case, kernel, workload or model in it, is not as it must be.
        HostError: nobody can be asked for a kernel.
    """
    matrix = read_matrix(file)
    settings = with_seed(Settings(seed=matrix.seed, **msgspec.structs.asdict(matrix.guest)))
    releases: dict[str, str] = {}
    cells: list[Cell] = []
    for where, block in _blocks(matrix):
        excludes = matrix.exclude if block is matrix else ()
        try:
            cells += _cells(block, file.parent, excludes, releases, progress)
        except InputError as error:
            raise InputError(f"{file}: {where}: {error.message}", hint=error.hint) from error
    _require_use(matrix, file, releases)
    if not cells:
        raise InputError(f"{file}: nothing is left to be tried", hint="exclude less")
    try:
        refuse_twins(cells, settings)
    except InputError as error:
        hint = "name each thing once; include only what is not there"
        raise InputError(f"{file}: {error.message}", hint=hint) from None
    return typed(settings, _merged(cells), matrix.retries)


def _blocks(matrix: Matrix) -> Iterator[tuple[str, Block]]:
    if matrix.cases or matrix.tags or matrix.kernels or not matrix.include:
        yield "top level", matrix
    for number, block in enumerate(matrix.include):
        yield f"include[{number}]", block


def _check(block: Block, where: str) -> None:
    if not block.cases and not block.tags:
        raise InputError(f"{where}: names no case", hint='cases = ["cmdline"], or tags = ["quick"]')
    if not block.kernels:
        raise InputError(f"{where}: names no kernel", hint='kernels = ["debian:6.1-cloud"]')
    if block.repeats < 1:
        raise InputError(f"{where}: repeats: {block.repeats} is less than once")
    if block.timeout_s < 0:
        raise InputError(f"{where}: timeout_s: {block.timeout_s:g} s is less than no time")
    if isinstance(block.workloads, str) and block.workloads != ALL:
        raise InputError(
            f"{where}: workloads: {block.workloads!r} is no list",
            hint=f'workloads = ["{block.workloads}"], or "{ALL}"',
        )


def _cells(
    block: Block,
    folder: Path,
    excludes: Sequence[Exclude],
    releases: dict[str, str],
    progress: Progress,
) -> Iterator[Cell]:
    require_models(block.models)
    for name in block.workloads if not isinstance(block.workloads, str) else ():
        find_workload(name)
    cases = _cases(block, folder)
    for spec in block.kernels:
        if spec not in releases:
            releases[spec] = release_of(spec, progress=progress)
    for spec, case in itertools.product(block.kernels, cases):
        whole = Cell(
            case=case, kernel=spec, release=releases[spec], wanted=tuple(_wanted(case, block))
        )
        left = tuple(
            wanted
            for wanted in whole.wanted
            if not any(exclude.fits(whole, wanted) for exclude in excludes)
        )
        if left:
            yield msgspec.structs.replace(whole, wanted=left)


def _cases(block: Block, folder: Path) -> list[Case]:
    named = [load(folder / name if "/" in name else name) for name in block.cases]
    also = tagged(block.tags) if block.tags else []
    return list({case.name: case for case in (*named, *also)}.values())


def _wanted(case: Case, block: Block) -> Iterator[Wanted]:
    workloads = (
        case.workloads if isinstance(block.workloads, str) else workloads_of(case, block.workloads)
    )
    for workload, variant, model, repeat in itertools.product(
        workloads, variants_of(case, block.variants), block.models, range(block.repeats)
    ):
        yield Wanted(
            workload=workload,
            variant=variant,
            model=model,
            repeat=repeat,
            timeout_s=block.timeout_s,
        )


def _require_use(matrix: Matrix, file: Path, releases: dict[str, str]) -> None:
    """Refuse an exclude that leaves nothing out: it is a slip of the pen, and found too late."""
    bare = msgspec.structs.replace(matrix, exclude=())
    for number, exclude in enumerate(matrix.exclude):
        cells = _cells(bare, file.parent, (), releases, SILENT)
        if not any(exclude.fits(cell, wanted) for cell in cells for wanted in cell.wanted):
            raise InputError(
                f"{file}: exclude[{number}]: leaves nothing out",
                hint="its keys are patterns of what the matrix names, and all of them must fit",
            )


def _merged(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells, those of one case on one kernel as one: what it needs is built once."""
    found: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        key = (cell.case.name, cell.release)
        if key in found:
            wanted = found[key].wanted + cell.wanted
            found[key] = msgspec.structs.replace(found[key], wanted=wanted)
        else:
            found[key] = cell
    return list(found.values())
