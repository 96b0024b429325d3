"""What there is to be tried, and in what order a seed draws it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice

from lpharness.base.errors import InputError
from lpharness.bench.soundness.model import Cell, Draw
from lpharness.cases.model import Case
from lpharness.kernels.model import Kernel
from lpharness.run import not_meant_for


def cells(
    cases: Iterable[Case], kernels: Iterable[tuple[str, Kernel]], workloads: Sequence[str]
) -> list[Cell]:
    """Return every case on each kernel that it is meant for, with each of its workloads.

    A case that is meant to fail, or to be refused, is not clean.

    Args:
        cases: to choose from.
        kernels: each spec, and what it stands for.
        workloads: only these; all that a case makes sense with, if empty.

    Raises:
        InputError: nothing is left.
    """
    clean = [case for case in cases if not (case.expect.xfail or case.expect.refused)]
    found = [
        Cell(case=case.name, kernel=spec, workload=workload, variant=variant)
        for spec, kernel in kernels
        for case in clean
        if not not_meant_for(case, kernel)
        for workload in case.workloads
        if not workloads or workload in workloads
        for variant in [variant.name for variant in case.variants] or [""]
    ]
    if not found:
        raise InputError(
            "no case is meant for these kernels and workloads",
            hint="`lpharness case list` shows them, `lpharness case show CASE` what each is for",
        )
    return sorted(found)


def draw(among: Sequence[Cell], *, number: int, seed: int) -> list[Draw]:
    """Draw cells by a seed, none again before all others have had their turn.

    A greater number goes on where a smaller one ends.
    """
    return list(islice(_rounds(sorted(among), random.Random(seed)), number))  # noqa: S311


def _rounds(among: list[Cell], chance: random.Random) -> Iterator[Draw]:
    for turn in count():
        yield from (Draw(cell=cell, turn=turn) for cell in chance.sample(among, len(among)))
