"""Why a simulation and a measurement disagree, as far as the figures themselves tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

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
        *_work(row, own, least=WITHIN / 2),
        *_scatter(row),
        *_no_cost(row),
    ]
    return tuple(found or _work(row, own, least=0.0)) or ("not known",)


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
        yield from _two_kinds(here, there)
    elif here.looks and abs(here.looks - there.looks) > WITHIN:
        yield f"{here.looks:.1f} tries measured, {there.looks:.1f} simulated, each a timer apart"


def _two_kinds(here: Side, there: Side) -> Iterator[str]:
    """The hybrid is over at once, or the kernel's timer adds 0.75 s to 1.75 s."""
    at_once, simulated = _at_first(here), _at_first(there)
    if max(at_once, simulated) == 0 or min(at_once, simulated) == 1:
        return
    first = f"{_shown(here, _is_first)} and {_shown(there, _is_first)}"
    later = f"{_shown(here, _is_later)} and {_shown(there, _is_later)}"
    yield (
        f"over at the first try: {at_once:.0%} measured, {simulated:.0%} simulated (these took "
        f"{first}, the others {later}): a race between the kernel's look at all tasks and whoever "
        "runs on another CPU; the median of a few falls to one side of it or the other"
    )


def _is_first(seconds: float) -> bool:
    return seconds < AT_FIRST_S


def _is_later(seconds: float) -> bool:
    return seconds >= AT_FIRST_S


def _shown(side: Side, fits: Callable[[float], bool]) -> str:
    found = [each for each in side.seconds if fits(each)]
    return text.seconds(median(found) if found else None)


def _at_first(side: Side) -> float:
    return sum(map(_is_first, side.seconds)) / max(1, len(side.seconds))


def _work(row: Row, own: Sequence[Sample], least: float) -> Iterator[str]:
    """The machine's own work took longer or shorter than in the trials that tell its cost.

    Args:
        row: which.
        own: what its own trials told.
        least: of the measured time; what explains less is left out.
    """
    for cost in row.costs:
        here = sorted(s.value for s in own if s.what == cost.what and s.direction == "patching")
        if cost.what not in _WORK or not here:
            continue
        if abs(median(here) - cost.middle) >= least * (row.measured.middle or 0.0):
            yield (
                f"{_WORK[cost.what]}: {_range(here)} here, {_range(cost.values)} where the cost is "
                f"from ({cost.source}; the host's share taken into account)"
            )


def _scatter(row: Row) -> Iterator[str]:
    """Of few repeats that lie far apart no median is sure to a fifth."""
    measured, middle, there = row.measured, row.measured.middle, row.simulated.middle
    if middle is None:
        return
    if measured.count == 1:
        yield "measured once: nobody knows how far repeats would lie apart"
        return
    least, most = measured.seconds[0], measured.seconds[-1]
    if most - least > 2 * WITHIN * middle:
        among = there is not None and least <= there <= most
        yield (
            f"the repeats themselves lie from {text.seconds(least)} to {text.seconds(most)}"
            + (", the simulated median among them" if among else "")
        )


def _no_cost(row: Row) -> Iterator[str]:
    if row.missing:
        yield f"no other trial tells what it costs: {', '.join(row.missing)}"


def _range(values: Sequence[float]) -> str:
    low, high = text.seconds(values[0]), text.seconds(values[-1])
    return low if low == high else f"{low} to {high}"
