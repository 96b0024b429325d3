"""Why a simulation and a measurement disagree, as far as the figures themselves tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lpharness.comparison.held.costs import Cost
from lpharness.comparison.held.rows import WITHIN, Row, Side
from lpharness.comparison.held.told import AT_FIRST_S, Sample, What
from lpharness.results import text

_WORK: dict[What, str] = {
    "redirect": "redirecting a function",
    "gather": "until all CPUs stood still",
    "resume": "from the stop to going on",
    "mark": "until all tasks were marked",
    "unmark": "from the last look to the end",
}


def reasons(row: Row, own: Sequence[Sample]) -> tuple[str, ...]:
    """Return why a row does not agree; nothing if it does.

    Args:
        row: without reasons.
        own: what the row's own trials told of the work: not in the simulation, but here.
    """
    if row.agrees:
        return ()
    found = [
        *_failures(row),
        *_tries(row),
        *_work(row, own),
        *_scatter(row.measured),
        *_no_cost(row),
    ]
    return tuple(found) or ("not known",)


def _failures(row: Row) -> Iterator[str]:
    if row.failures_agree:
        return
    more = "measured" if row.measured.failing > row.simulated.failing else "simulated"
    yield (
        f"more {more} transitions failed: how long tasks stay in the patched functions is known "
        "only from samples"
    )


def _tries(row: Row) -> Iterator[str]:
    """How many tries it took decides by whole seconds."""
    here, there = row.measured, row.simulated
    if row.name.model == "hybrid":
        at_once, simulated = _at_first(here), _at_first(there)
        if abs(at_once - simulated) > WITHIN or 0 < at_once < 1:
            yield (
                f"over at the first try: {at_once:.0%} measured, {simulated:.0%} simulated; else "
                "the kernel's timer adds 0.75 s to 1.75 s, and a task that runs on another CPU, "
                "or that CPU's idle task, decides which"
            )
    elif here.looks and abs(here.looks - there.looks) > WITHIN:
        yield f"{here.looks:.1f} tries measured, {there.looks:.1f} simulated, each a timer apart"


def _at_first(side: Side) -> float:
    return sum(each < AT_FIRST_S for each in side.seconds) / max(1, len(side.seconds))


def _work(row: Row, own: Sequence[Sample]) -> Iterator[str]:
    """The machine's own work took longer or shorter than in the trials that tell its cost."""
    for cost in row.costs:
        here = sorted(s.value for s in own if s.what == cost.what and s.direction == "patching")
        if cost.what in _WORK and here and _matters(row, cost, here):
            yield (
                f"{_WORK[cost.what]}: {_range(here)} here, {_range(cost.values)} where the cost is "
                f"from ({cost.source}), the host's share taken into account"
            )


def _matters(row: Row, cost: Cost, here: Sequence[float]) -> bool:
    """Whether a cost explains a tenth of the measured time."""
    middle = here[len(here) // 2]
    return abs(middle - cost.middle) > WITHIN / 2 * (row.measured.middle or 0.0)


def _scatter(measured: Side) -> Iterator[str]:
    middle = measured.middle
    if middle is None:
        return
    if measured.count == 1:
        yield "measured once: nobody knows how far repeats would lie apart"
    elif measured.seconds[-1] - measured.seconds[0] > 2 * WITHIN * middle:
        yield (
            f"the repeats themselves lie from {text.seconds(measured.seconds[0])} to "
            f"{text.seconds(measured.seconds[-1])}"
        )


def _no_cost(row: Row) -> Iterator[str]:
    if row.missing:
        yield f"no other trial tells what it costs: {', '.join(row.missing)}"


def _range(values: Sequence[float]) -> str:
    low, high = text.seconds(values[0]), text.seconds(values[-1])
    return low if low == high else f"{low} to {high}"
