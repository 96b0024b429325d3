"""In what order trials begin so that failures are found early, and how long all of them take."""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from lpharness.executor.capacity import Capacity
from lpharness.results.model import TrialId
from lpharness.run.carry import room_for
from lpharness.run.history import History, Past, failed
from lpharness.run.layout import Layout
from lpharness.run.request import Settings

_UNKNOWN_S = 12.0
"""What a trial takes on a quiet machine, where nobody remembers any."""


class Estimate(Struct, frozen=True, kw_only=True):
    """What a run will take."""

    trials: int
    remembered: int
    """Of so many it is known how long they took the last time."""
    at_a_time: int
    seconds: float


def failures_first(layout: Layout, history: History) -> Layout:
    """Return the layout with what failed last time first, then what takes longest.

    What nobody remembers comes between: it may fail as well.
    """

    def urgency(name: TrialId) -> tuple[int, float]:
        past = history.past(name)
        if failed(past):
            return 0, -_seconds(past)
        return (1, 0.0) if past is None or past.verdict is None else (2, -_seconds(past))

    return msgspec.structs.replace(layout, order=tuple(sorted(layout.order, key=urgency)))


def estimate(layout: Layout, history: History, at_a_time: int) -> Estimate:
    """Return how long it takes if things take as long as the last time."""
    pasts = [history.past(name) for name in layout.order]
    known = [past.seconds for past in pasts if past and past.seconds]
    usual = statistics.median(known) if known else _UNKNOWN_S
    free = [0.0] * at_a_time
    for past in pasts:
        began = heapq.heappop(free)
        heapq.heappush(free, began + (past.seconds if past and past.seconds else usual))
    return Estimate(
        trials=len(pasts), remembered=len(known), at_a_time=at_a_time, seconds=max(free)
    )


def at_a_time(settings: Settings, capacity: Capacity) -> int:
    """Return how many trials there is room for at once."""
    needs = room_for(settings.cpus, settings.memory_mb, settings.accelerator)
    return capacity.times(needs)


def _seconds(past: Past | None) -> float:
    return past.seconds or 0.0 if past else 0.0


def expectations(names: Sequence[TrialId], history: History) -> dict[TrialId, float]:
    """Return how long trials took the last time, of those of which it is known."""
    pasts = {name: history.past(name) for name in names}
    return {name: past.seconds for name, past in pasts.items() if past and past.seconds}
