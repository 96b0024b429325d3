"""How often CPUs stood still, and for how long: the heartbeats in the kernel of several trials."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from lpharness.comparison.measured import Measured, StandStill

EDGES_S = (0.0002, 0.001, 0.005, 0.02, 0.1)

Window = tuple[float, float]
"""Seconds since the begin of a trial's load."""


class Standing(Struct, frozen=True, kw_only=True):
    """What CPUs did not do in some time of some trials."""

    periods_s: tuple[float, ...]
    """How finely it was looked, in each way that it was."""
    cpu_s: float
    """The time of all CPUs."""
    still_s: float
    """How much of that they stood still for longer than a few periods."""
    longest_s: float
    deaf_s: float
    """The longest stretch without any interrupt."""
    over: tuple[float | None, ...]
    """How often in a second of a CPU it stood still for longer than each of `EDGES_S`; ``None``
    where stretches of that length are too short to be told."""
    lost: int
    """Stretches that were not read in time, in the whole of the trials."""

    @property
    def share(self) -> float | None:
        """How much of the time they stood still."""
        return self.still_s / self.cpu_s if self.cpu_s else None


def overlaps(still: StandStill, window: Window | None) -> bool:
    """Tell whether a part of a stand-still lies in a window."""
    return window is not None and still.at_s < window[1] and still.at_s + still.seconds > window[0]


def baseline_of(trial: Measured) -> Window | None:
    """Return the window in which nothing was changed yet."""
    return None if trial.baseline_s is None else (-trial.baseline_s, 0.0)


def standing(looked: Iterable[tuple[Measured, Window | None]]) -> Standing | None:
    """Sum up windows of trials; ``None`` if none of them had heartbeats in the kernel."""
    known = [(t, t.beating, w) for t, w in looked if t.beating is not None and w is not None]
    if not known:
        return None
    cpu_s = sum(beating.cpus * (end - begin) for _, beating, (begin, end) in known)
    inside = [(s, w) for trial, _, w in known for s in trial.stills if overlaps(s, w)]
    kept_s = max(beating.kept_s for _, beating, _ in known)

    def rate(edge: float) -> float | None:
        if edge < kept_s or not cpu_s:
            return None
        return sum(still.seconds > edge for still, _ in inside) / cpu_s

    return Standing(
        periods_s=tuple(sorted({beating.period_s for _, beating, _ in known})),
        cpu_s=cpu_s,
        still_s=sum(_part(still, window) for still, window in inside),
        longest_s=max((still.seconds for still, _ in inside), default=0.0),
        deaf_s=max((still.deaf_s for still, _ in inside), default=0.0),
        over=tuple(rate(edge) for edge in EDGES_S),
        lost=sum(beating.lost for _, beating, _ in known),
    )


def _part(still: StandStill, window: Window) -> float:
    """Return how much of a stand-still lies in a window."""
    begin, end = window
    return max(min(still.at_s + still.seconds, end) - max(still.at_s, begin), 0.0)
