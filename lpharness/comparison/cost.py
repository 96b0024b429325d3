"""What a call costs, over all bursts of some trials."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from msgspec import Struct

from lpharness.comparison.measured import STAGES, Call, Stage


class Middle(Struct, frozen=True, kw_only=True):
    """Some values by their middle: others take the CPU away in the midst of some bursts."""

    median: float
    low: float
    """A quarter of the values is below."""
    high: float
    """A quarter is above."""


class Cost(Struct, frozen=True, kw_only=True):
    """Calls of a patched function in one stage, beside those of one that is never patched."""

    stage: Stage
    bursts: int
    call: Middle
    """Nanoseconds a call."""
    twin: Middle
    more: float
    """By how many nanoseconds a call takes longer than the twin's: the median over the bursts."""
    ratio: float | None
    """How many times as long: likewise; ``None`` where the twin's take no time."""


def costs(calls: Iterable[Call]) -> tuple[Cost, ...]:
    """Return the cost of a call in each stage that has bursts, in order."""
    by_stage: dict[Stage, list[Call]] = {stage: [] for stage in STAGES}
    for call in calls:
        if call.stage is not None:
            by_stage[call.stage].append(call)
    return tuple(_cost(stage, found) for stage, found in by_stage.items() if found)


def _cost(stage: Stage, calls: Sequence[Call]) -> Cost:
    ratios = [call.ns / call.twin_ns for call in calls if call.twin_ns > 0]
    return Cost(
        stage=stage,
        bursts=len(calls),
        call=middle([call.ns for call in calls]),
        twin=middle([call.twin_ns for call in calls]),
        more=statistics.median(call.ns - call.twin_ns for call in calls),
        ratio=statistics.median(ratios) if ratios else None,
    )


def middle(values: Sequence[float]) -> Middle:
    """Return the median and the quartiles of at least one value."""
    if len(values) == 1:
        return Middle(median=values[0], low=values[0], high=values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Middle(median=median, low=low, high=high)
