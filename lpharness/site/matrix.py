"""The matrix: cases by kernels; in each cell a tile for each workload, model and backend."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from lpharness.results.model import WORST_FIRST, Verdict, worst
from lpharness.site.addresses import case_page, trial_page
from lpharness.store.trials import Found

MOST_TILES = 1500
"""On one page: what a browser shows at once. More rows make a further part of the page."""


class Slot(Struct, frozen=True, kw_only=True, order=True):
    """What the guest was busy with and how it was patched: a tile's place in its cell."""

    workload: str
    model: str
    backend: str


class Tile(Struct, frozen=True, kw_only=True):
    """What came of a line in one run: the worst of its repeats."""

    trial: Found
    """The one that it opens."""
    href: str
    verdict: Verdict
    repeats: int
    mixed: bool
    """Whether the repeats did not all come out alike."""

    @property
    def words(self) -> str:
        """What it says, without a colour."""
        repeats = f", worst of {self.repeats}" if self.mixed else ""
        repeats = repeats or (f", all {self.repeats} repeats" if self.repeats > 1 else "")
        return f"{self.verdict.value}{repeats}: {self.trial.line}"


class Row(Struct, frozen=True, kw_only=True):
    """A case, or a variant of one, on all kernels."""

    case: str
    variant: str
    title: str
    href: str
    slots: Sequence[Slot]
    """Those in which it was tried on any kernel: a tile's place tells what it is."""
    cells: Sequence[Sequence[Tile | None]]
    """By kernel, then by slot; empty where nothing was tried."""

    @property
    def tiles(self) -> list[Tile]:
        """Those that there are."""
        return [tile for cell in self.cells for tile in cell if tile]

    @property
    def worst(self) -> Verdict:
        """What speaks for all of it."""
        return worst(tile.verdict for tile in self.tiles)


class Matrix(Struct, frozen=True, kw_only=True):
    """Rows and columns, the worst rows first."""

    kernels: Mapping[str, str]
    """As asked for, with the newest exact release among the trials."""
    slots: Sequence[Slot]
    rows: Sequence[Row]

    @property
    def counts(self) -> Counter[Verdict]:
        """How many tiles came to each verdict."""
        return Counter(tile.verdict for row in self.rows for tile in row.tiles)

    @property
    def alike(self) -> bool:
        """Whether a place in a cell stands for the same in all rows."""
        return all(row.slots == self.slots for row in self.rows)

    @property
    def workloads(self) -> list[str]:
        """For a choice among them."""
        return sorted({slot.workload for slot in self.slots})

    @property
    def models(self) -> list[str]:
        """For a choice among them."""
        return sorted({slot.model for slot in self.slots})

    def parts(self) -> list[Sequence[Row]]:
        """Return the rows page by page; at least one page."""
        parts: list[list[Row]] = [[]]
        tiles = 0
        for row in self.rows:
            tiles += len(row.tiles)
            if parts[-1] and tiles > MOST_TILES:
                parts.append([])
                tiles = len(row.tiles)
            parts[-1].append(row)
        return list(parts)


_Cells = Mapping[str, Mapping[Slot, Sequence[Found]]]


def matrix(trials: Iterable[Found]) -> Matrix:
    """Lay out trials of which each line has those of one run."""
    kernels: dict[str, Found] = {}
    slots: set[Slot] = set()
    places: dict[tuple[str, str], dict[str, dict[Slot, list[Found]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for trial in trials:
        line = trial.line
        slot = Slot(workload=line.workload, model=line.model, backend=line.backend)
        slots.add(slot)
        places[line.case, line.variant][line.target][slot].append(trial)
        before = kernels.get(line.target)
        if before is None or trial.started_at > before.started_at:
            kernels[line.target] = trial
    targets = sorted(kernels)
    rows = [_row(*name, cells, targets) for name, cells in sorted(places.items())]
    return Matrix(
        kernels={target: kernels[target].kernel for target in targets},
        slots=sorted(slots),
        rows=sorted(rows, key=lambda row: WORST_FIRST.index(row.worst)),
    )


def _row(case: str, variant: str, cells: _Cells, targets: Sequence[str]) -> Row:
    slots = sorted({slot for found in cells.values() for slot in found})
    return Row(
        case=case,
        variant=variant,
        title=_title(cells),
        href=case_page(case),
        slots=slots,
        cells=[
            [_tile(cells[target][slot]) if slot in cells[target] else None for slot in slots]
            if target in cells
            else []
            for target in targets
        ],
    )


def _tile(repeats: Sequence[Found]) -> Tile:
    verdict = worst(trial.verdict for trial in repeats)
    trial = next(trial for trial in repeats if trial.verdict is verdict)
    return Tile(
        trial=trial,
        href=trial_page(trial),
        verdict=verdict,
        repeats=len(repeats),
        mixed=len({trial.verdict for trial in repeats}) > 1,
    )


def _title(cells: _Cells) -> str:
    titles = (
        trial.title for slots in cells.values() for found in slots.values() for trial in found
    )
    return next(filter(None, titles), "")
