"""A row of the table: what was measured, what was simulated, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from msgspec import Struct

from lpharness.comparison.courses import Courses
from lpharness.comparison.held.costs import Cost
from lpharness.comparison.held.trial import Name

WITHIN = 0.2
"""Of the measured median; of the failures, as a share of all trials."""


class Side(Struct, frozen=True, kw_only=True):
    """Transitions of one kind: measured, or simulated."""

    count: int
    failed: int
    """Given up, or not over."""
    seconds: tuple[float, ...]
    """Of those that completed, least first."""
    looks: float
    """How often the model tried, on average; 0 where it does not tell."""

    @property
    def middle(self) -> float | None:
        """The median of those that completed."""
        return median(self.seconds) if self.seconds else None

    @property
    def failing(self) -> float:
        """The share that failed."""
        return self.failed / self.count


class Row(Struct, frozen=True, kw_only=True):
    """A model on a kernel under a workload."""

    name: Name
    measured: Side
    simulated: Side
    costs: tuple[Cost, ...]
    """Of its first trial."""
    missing: tuple[str, ...]
    assumed: tuple[str, ...]
    reasons: tuple[str, ...] = ()
    """Why they do not agree; empty where they do."""
    courses: Courses | None = None
    """How the transitions went; of those measured that tell who moved."""

    @property
    def apart(self) -> float | None:
        """How far the simulated median is from the measured, as a share of it."""
        here, there = self.measured.middle, self.simulated.middle
        return None if here is None or there is None else (there - here) / here

    @property
    def time_agrees(self) -> bool:
        """Whether the medians are within 20 %; also where neither side completed."""
        if self.apart is None:
            return self.measured.middle is self.simulated.middle
        return abs(self.apart) <= WITHIN

    @property
    def failures_agree(self) -> bool:
        """Whether the shares that failed are within 20 % of all."""
        return abs(self.measured.failing - self.simulated.failing) <= WITHIN

    @property
    def agrees(self) -> bool:
        """Whether both do."""
        return self.time_agrees and self.failures_agree


def side(seconds: Sequence[float | None], looks: Sequence[int]) -> Side:
    """Put transitions together; ``None`` for those that did not complete."""
    over = tuple(sorted(each for each in seconds if each is not None))
    return Side(
        count=len(seconds),
        failed=len(seconds) - len(over),
        seconds=over,
        looks=sum(looks) / len(looks) if looks else 0.0,
    )
