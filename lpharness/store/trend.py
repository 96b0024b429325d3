"""How a measure has moved from release to release."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from lpharness.store.database import Store
from lpharness.store.measures import Measure
from lpharness.store.runs import runs
from lpharness.store.trials import Line, Which, find, measured


class Point(Struct, frozen=True, kw_only=True):
    """A measure in one release, or in one run that is of none."""

    release: str
    """The tag, or the run's name."""
    at: datetime
    """When its first run was made."""
    values: tuple[float, ...]
    """One of each trial, sorted."""

    @property
    def median(self) -> float:
        """The value in the middle."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """Lower and upper quartile; of a single value, it twice."""
        if len(self.values) < 2:
            return self.values[0], self.values[0]
        lower, _, upper = statistics.quantiles(self.values, n=4, method="inclusive")
        return lower, upper


class Trend(Struct, frozen=True, kw_only=True):
    """A measure of one line, release after release."""

    line: Line
    name: str
    phase: str
    unit: str
    points: tuple[Point, ...]


def trends(store: Store, which: Which, name: str, phase: str = "") -> list[Trend]:
    """Return how a measure has moved, for each line that has it.

    Args:
        store: where to look.
        which: which trials.
        name: the measure: one of `lpharness.store.measures`.
        phase: its phase; empty for each, as a trend of its own.

    Raises:
        InputError: ``which.run`` means no run.
        HostError: the store cannot be read.
    """
    releases = {run.key: run for run in runs(store)}
    values = measured(store, which, name)
    grouped: dict[tuple[Line, str, str], dict[str, list[tuple[datetime, float]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for trial in find(store, which):
        run = releases[trial.run]
        for (of_phase, unit), value in _slowest(values.get(trial.id, ())).items():
            if phase in ("", of_phase):
                for release in run.tags or (run.name,):
                    grouped[trial.line, of_phase, unit][release].append((run.created_at, value))
    return [
        Trend(line=line, name=name, phase=of_phase, unit=unit, points=_points(by_release))
        for (line, of_phase, unit), by_release in sorted(grouped.items())
    ]


def _slowest(found: Sequence[Measure]) -> dict[tuple[str, str], float]:
    """Return one value of a trial for each phase: of several livepatches the greatest."""
    greatest: dict[tuple[str, str], float] = {}
    for measure in found:
        key = measure.phase, measure.unit
        greatest[key] = max(measure.value, greatest.get(key, measure.value))
    return greatest


def _points(by_release: dict[str, list[tuple[datetime, float]]]) -> tuple[Point, ...]:
    points = [
        Point(
            release=release,
            at=min(at for at, _ in found),
            values=tuple(sorted(value for _, value in found)),
        )
        for release, found in by_release.items()
    ]
    return tuple(sorted(points, key=lambda point: (point.at, point.release)))
