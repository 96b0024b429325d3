"""When a run will be through, as far as one can tell."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping

from lpharness.results.model import TrialId


class Remaining:
    """Keeps what is left to do, and how long such things take."""

    def __init__(self, expected: Mapping[TrialId, float]) -> None:
        self._expected = expected
        self._left: set[TrialId] = set()
        self._took: list[float] = []

    def planned(self, trials: Iterable[TrialId]) -> None:
        """Take note of what there is to do."""
        self._left.update(trials)

    def finished(self, trial: TrialId, seconds: float) -> None:
        """Take note that something is through."""
        self._left.discard(trial)
        if seconds:
            self._took.append(seconds)

    def seconds(self, at_a_time: int) -> float | None:
        """Return how long the rest will take; ``None`` if nobody can tell yet."""
        known = [self._expected[trial] for trial in self._left if trial in self._expected]
        usual = statistics.fmean(self._took or known) if self._took or known else None
        if usual is None:
            return None
        return (sum(known) + usual * (len(self._left) - len(known))) / max(1, at_a_time)

    def words(self, at_a_time: int) -> str:
        """Return that for people: ``12 left, done at 14:03``."""
        seconds = self.seconds(at_a_time)
        if seconds is None:
            return f"{len(self._left)} left"
        done_at = time.strftime("%H:%M", time.localtime(time.time() + seconds))
        return f"{len(self._left)} left, done at about {done_at}"
