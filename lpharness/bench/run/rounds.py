"""Trials timed in rounds, and what the rounds say side by side."""

from __future__ import annotations

from collections.abc import Iterator

from lpharness.bench.figures import Figure
from lpharness.run.layout import Layout

_CLUSTER_BOUND = 5.0
"""Percent of time that a cluster on the same machine may add."""


def parts(layout: Layout, rounds: int) -> Iterator[Layout]:
    """Yield a layout's trials in so many parts, as even as can be; none of them is empty."""
    for number in range(min(rounds, len(layout.order))):
        mine = set(layout.order[number::rounds])
        yield layout.without(set(layout.order) - mine)


class Rounds:
    """Trials a minute, one sample for each round."""

    def __init__(self, jobs: tuple[int, ...]) -> None:
        self.jobs = tuple(dict.fromkeys(jobs))
        self.here: dict[int, list[float]] = {number: [] for number in self.jobs}
        self.cluster: list[float] = []
        """On a cluster with as many workers as the most that ran at a time here."""

    def figures(self) -> list[Figure]:
        """Return the rates, and the ratios of rates that were taken in the same round."""
        found = [Figure(name=_called(n), unit="", samples=self.here[n]) for n in self.jobs]
        most = self.here[max(self.jobs)]
        if 1 in self.here and len(self.jobs) > 1:
            times = [many / one for many, one in zip(most, self.here[1], strict=True)]
            found.append(Figure(name="times as many as one by one", unit="", samples=times))
        if self.cluster:
            pairs = zip(most, self.cluster, strict=True)
            more = [100 * (here / there - 1) for here, there in pairs]
            workers = f"trials a minute, on a cluster of {max(self.jobs)} workers"
            found += [
                Figure(name=workers, unit="", samples=self.cluster),
                Figure(
                    name="time that the cluster adds to that",
                    unit="%",
                    samples=more,
                    bound=_CLUSTER_BOUND,
                ),
            ]
        return found


def _called(jobs: int) -> str:
    how = "one by one" if jobs == 1 else f"{jobs} at a time"
    return f"trials a minute, {how}"
