"""How transitions went: the share of tasks that had moved, over time, of several together."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from msgspec import Struct

from lpharness.comparison.measured import Crossing

Steps = Sequence[tuple[float, float]]
"""Seconds, and the share of tasks that had moved from then on; by time."""
POINTS = 120
_FIRST_S = 1e-4


class Band(Struct, frozen=True, kw_only=True):
    """Several transitions at the same times: shares of their tasks."""

    count: int
    """Of transitions."""
    least: tuple[float, ...]
    mean: tuple[float, ...]
    """Of models that switch everything at once, the share of transitions that had switched."""
    most: tuple[float, ...]


class Courses(Struct, frozen=True, kw_only=True):
    """The same transition measured and simulated."""

    times: tuple[float, ...]
    """Seconds after it began."""
    measured: Band
    simulated: Band


def steps(crossing: Crossing) -> Steps:
    """Return when tasks moved in a transition, by the moves that were seen; nothing if none was."""
    times = sorted(move.at_s for move in crossing.moves)
    if not times and crossing.switched_s is not None:
        times = [crossing.switched_s]
    if not times:
        return ()
    found = [(at, (number + 1) / len(times)) for number, at in enumerate(times)]
    return ((0.0, 0.0), *found)


def courses(measured: Sequence[Steps], simulated: Sequence[Steps]) -> Courses | None:
    """Set both beside each other at the same times, from the first move to the last.

    Args:
        measured: of each transition; ``((0, 0),)`` of one in which nobody ever moved.
        simulated: the same.
    """
    moves = [at for each in (*measured, *simulated) for at, share in each if share > 0]
    if not measured or not simulated or not moves:
        return None
    first, last = max(min(moves), _FIRST_S) / 1.5, max(max(moves), _FIRST_S) * 1.5
    width = math.log(last / first) / (POINTS - 1)
    times = tuple(first * math.exp(number * width) for number in range(POINTS))
    return Courses(times=times, measured=_band(measured, times), simulated=_band(simulated, times))


def _band(curves: Sequence[Steps], times: Sequence[float]) -> Band:
    rows = [_at(curve, times) for curve in curves]
    columns = list(zip(*rows, strict=True))
    return Band(
        count=len(curves),
        least=tuple(min(column) for column in columns),
        mean=tuple(sum(column) / len(column) for column in columns),
        most=tuple(max(column) for column in columns),
    )


def _at(curve: Steps, times: Sequence[float]) -> list[float]:
    """Return the shares at some times: a curve stays where it is until its next step."""
    ats = [at for at, _ in curve]
    return [curve[place - 1][1] if (place := bisect_right(ats, time)) else 0.0 for time in times]
