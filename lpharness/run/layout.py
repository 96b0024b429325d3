"""All that a run is to try, and how: shown by a dry run, kept so that the run can be resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.cases import bundled, load
from lpharness.cases.model import Case
from lpharness.results.files import write_atomically
from lpharness.results.model import TrialId
from lpharness.run.attempts import read_attempts
from lpharness.run.cells import Cell, Wanted
from lpharness.run.request import Settings

FILE_NAME = "plan.json"


class Layout(Struct, frozen=True, kw_only=True):
    """Cells, the order in which their trials are to begin, and how everything is tried."""

    settings: Settings
    """With a seed."""
    cells: tuple[Cell, ...]
    order: tuple[TrialId, ...]
    """Every trial of the cells, the first to begin first."""
    retries: int = 1

    def wanted(self) -> Iterator[tuple[TrialId, Cell, Wanted]]:
        """Yield every trial of the cells."""
        for cell in self.cells:
            for wanted in cell.wanted:
                yield cell.id_of(wanted, self.settings.backend), cell, wanted

    def without(self, done: set[TrialId]) -> Layout:
        """Return what is left of it when some trials are done."""
        cells = [
            msgspec.structs.replace(
                cell,
                wanted=tuple(
                    wanted
                    for wanted in cell.wanted
                    if cell.id_of(wanted, self.settings.backend) not in done
                ),
            )
            for cell in self.cells
        ]
        return msgspec.structs.replace(
            self,
            cells=tuple(cell for cell in cells if cell.wanted),
            order=tuple(name for name in self.order if name not in done),
        )


class _KeptCell(Struct, frozen=True, kw_only=True):
    """A cell whose case is named, not told: it is read again when the run goes on."""

    case: str
    kernel: str
    release: str
    wanted: tuple[Wanted, ...]


class _Kept(Struct, frozen=True, kw_only=True):
    """``plan.json``."""

    settings: Settings
    retries: int
    cells: tuple[_KeptCell, ...]
    order: tuple[TrialId, ...]


def typed(settings: Settings, cells: list[Cell], retries: int = 1) -> Layout:
    """Return the layout of cells whose trials begin in the order in which they were typed."""
    order = tuple(cell.id_of(w, settings.backend) for cell in cells for w in cell.wanted)
    return Layout(settings=settings, cells=tuple(cells), order=order, retries=retries)


def keep(layout: Layout, folder: Path) -> None:
    """Write a layout into a run's folder.

    Raises:
        HostError: it cannot be written.
    """
    kept = _Kept(
        settings=layout.settings,
        retries=layout.retries,
        order=layout.order,
        cells=tuple(
            _KeptCell(
                case=_name(cell.case), kernel=cell.kernel, release=cell.release, wanted=cell.wanted
            )
            for cell in layout.cells
        ),
    )
    write_atomically(folder / FILE_NAME, msgspec.json.encode(kept) + b"\n")


def resumed(folder: Path) -> Layout:
    """Return what is left to do of the run in a folder.

    Raises:
        InputError: the folder holds no plan, or a case is not there any more.
    """
    path = folder / FILE_NAME
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except OSError as error:
        raise InputError(
            f"{folder} holds no run that can be resumed: no {FILE_NAME}",
            hint="name the folder that `lpharness run` wrote its results to",
        ) from error
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: not a run's plan: {error}") from error
    cases = {name: load(name) for name in dict.fromkeys(cell.case for cell in kept.cells)}
    cells = tuple(
        Cell(case=cases[cell.case], kernel=cell.kernel, release=cell.release, wanted=cell.wanted)
        for cell in kept.cells
    )
    whole = Layout(settings=kept.settings, cells=cells, order=kept.order, retries=kept.retries)
    done = {attempt.id for attempt in read_attempts(folder) if attempt.last}
    return whole.without({msgspec.structs.replace(name, attempt=0) for name in done})


def _name(case: Case) -> str:
    """Return what finds a case again."""
    if case.folder is None or (case.name in bundled() and case.folder == load(case.name).folder):
        return case.name
    return str(case.folder)
