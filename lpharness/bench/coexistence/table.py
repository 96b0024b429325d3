"""The matrix as a table, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from lpharness.bench.coexistence.model import ORDERS, Met, Outcome, tracers

TITLES = {tracer.name: tracer.title for tracer in tracers()}


def cells(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Return a row for each tracer and kernel: title, kernel, and a cell for each order."""
    found = {(o.kernel, o.tracer, o.order): o for o in outcomes}
    pairs = list(dict.fromkeys((o.tracer, o.kernel) for o in outcomes))
    pairs.sort(key=lambda pair: list(TITLES).index(pair[0]))
    return [
        [TITLES[tracer], kernel, *(_cell(found.get((kernel, tracer, o.name))) for o in ORDERS)]
        for tracer, kernel in pairs
    ]


def markdown(outcomes: Sequence[Outcome], command: str) -> str:
    """Return the page's table with its date, its command and what was refused in full."""
    return "\n".join(_lines(outcomes, command)) + "\n"


def _lines(outcomes: Sequence[Outcome], command: str) -> Iterator[str]:
    kernels = ", ".join(dict.fromkeys(o.kernel for o in outcomes))
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    yield "# Who goes with a livepatch at one function"
    yield ""
    yield f"Measured {today} on {kernels} by `{command}`. The tracer comes:"
    yield ""
    yield f"| tracer | kernel | {' | '.join(order.name for order in ORDERS)} |"
    yield f"|---|---|{'---|' * len(ORDERS)}"
    for row in cells(outcomes):
        yield f"| {' | '.join(row)} |"
    others = [o for o in outcomes if o.met is not Met.WORKS]
    if others:
        yield ""
    for outcome in others:
        later = f"; {outcome.later} once the other has gone" if outcome.later else ""
        yield (
            f"- {outcome.kernel}, {TITLES[outcome.tracer]}, {outcome.order}: "
            f"{outcome.met.value}, {outcome.summary}{later}"
        )


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return ""
    if outcome.met is Met.REFUSED:
        return f"refused: {outcome.summary}"
    return outcome.met.value
