"""What patching costs against the number of tasks.

Measured under the workloads ``crowd`` and ``crowd-N``: N tasks that sleep, so that whoever looks at
all tasks has so many more to look at.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from lpharness.comparison.measured import Crossing, Measured
from lpharness.comparison.spreads import spread_of
from lpharness.comparison.summary import Spread, spread
from lpharness.comparison.tables import Table
from lpharness.results.model import Verdict
from lpharness.results.text import one_line

_SHOWN = (100, 1_000, 10_000, 100_000)
"""Of the simulated, in the table; the pictures and the data have all."""
_CROWD = re.compile(r"crowd(-\d+)?")


class Point(Struct, frozen=True, kw_only=True):
    """Patching by one model on a machine with so many tasks."""

    case: str
    kernel: str
    model: str
    side: Literal["measured", "simulated"]
    tasks: int
    """Of the whole machine, the most that were seen at one time."""
    transitions: int
    failed: int
    """Given up, or not over."""
    seconds: Spread | None
    """Until it was over, of those that completed."""
    stopped: Spread | None
    """How long the machine stood still, one value a stop; ``None`` where nothing stops it."""


def is_crowd(workload: str) -> bool:
    """Tell whether a workload is one of the crowds."""
    return _CROWD.fullmatch(workload) is not None


def measured_points(trials: Sequence[Measured]) -> list[Point]:
    """Return a point a crowd and model; nothing where a model was tried in one crowd only.

    Args:
        trials: in the order of `read_run`.
    """
    known = [
        trial
        for trial in trials
        if is_crowd(trial.workload) and trial.verdict not in (Verdict.ERROR, Verdict.SKIP)
    ]
    groups = itertools.groupby(known, key=lambda t: (t.case, t.kernel, t.workload, t.model))
    counted: dict[tuple[str, ...], int] = {}
    for trial in known:  # not every model counts them: the same crowd is as large under another
        key = (trial.case, trial.kernel, trial.workload)
        counted[key] = max(counted.get(key, 0), trial.tasks or 0)
    points = [_point(list(group), counted[key[:3]]) for key, group in groups]
    return [point for point in _sorted(points) if len(_same(points, point)) > 1]


def _sorted(points: Sequence[Point]) -> list[Point]:
    models = list(dict.fromkeys(point.model for point in points))
    return sorted(points, key=lambda p: (p.case, p.kernel, models.index(p.model), p.tasks))


def _same(points: Sequence[Point], point: Point) -> list[Point]:
    key = (point.case, point.kernel, point.model)
    return [each for each in points if (each.case, each.kernel, each.model) == key]


def _point(trials: Sequence[Measured], tasks: int) -> Point:
    first = trials[0]
    crossings = [c for t in trials for c in t.crossings if _is_patching(c)]
    over = [c for c in crossings if c.outcome == "completed"]
    return Point(
        case=first.case,
        kernel=first.kernel,
        model=first.model,
        side="measured",
        tasks=tasks,
        transitions=len(crossings),
        failed=len(crossings) - len(over),
        seconds=spread(c.seconds for c in over),
        stopped=spread(stop.seconds for c in crossings for stop in c.stops),
    )


def _is_patching(crossing: Crossing) -> bool:
    return crossing.direction == "patching" and crossing.outcome != "never began"


def crowd_tables(points: Sequence[Point]) -> list[Table]:
    """Return a table a case and kernel."""
    groups = itertools.groupby(points, key=lambda point: (point.case, point.kernel))
    return [_table(" · ".join(map(one_line, key)), list(group)) for key, group in groups]


def _table(where: str, points: Sequence[Point]) -> Table:
    return Table(
        title=f"Cost against the number of tasks: {where}",
        columns=("model", "side", "tasks", "failed", "over after", "machine stopped"),
        named=2,
        rows=tuple(
            (
                one_line(point.model),
                point.side,
                f"{point.tasks:,}",
                f"{point.failed} of {point.transitions}",
                spread_of(point.seconds),
                spread_of(point.stopped),
            )
            for point in points
            if point.side == "measured" or point.tasks in _SHOWN
        ),
        note="Patching. Median (least to most). Simulated: the smallest crowd's scenario with so "
        "many more tasks that sleep; the work at one task costs what it cost in other transitions.",
    )
