"""The geometry of the charts: per cent of the width, pixels of the height, as in all pictures."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lpharness.results.model import WORST_FIRST, Verdict
from lpharness.results.text import seconds
from lpharness.store.runs import Run
from lpharness.store.trend import Point, Trend

TREND_HEIGHT = 96.0
BARS_HEIGHT = 130.0
_ROOM = 8.0  # px above the greatest value, so that its sign is whole


class Dot(Struct, frozen=True, kw_only=True):
    """A median in one release, with its quartiles as a whisker."""

    x: float
    y: float
    lower: float
    upper: float
    title: str


class TrendChart(Struct, frozen=True, kw_only=True):
    """How one measure of one line has moved."""

    dots: Sequence[Dot]
    most: str
    """What the top of the scale stands for."""
    first: str
    last: str
    """The releases at both ends."""
    words: str


def trend_chart(trend: Trend, most: float) -> TrendChart:
    """Draw a trend on a scale from nothing to ``most``, which charts side by side share."""
    points = trend.points
    return TrendChart(
        dots=[_dot(point, at, len(points), most) for at, point in enumerate(points)],
        most=seconds(most),
        first=points[0].release,
        last=points[-1].release if len(points) > 1 else "",
        words=_words(points),
    )


def top(trends: Sequence[Trend]) -> float:
    """Return the greatest value that a chart of any of them must show."""
    return max((point.spread[1] for trend in trends for point in trend.points), default=0) or 1.0


def _dot(point: Point, at: int, of: int, most: float) -> Dot:
    lower, upper = point.spread
    return Dot(
        x=round(3 + 94 * (at / (of - 1) if of > 1 else 0.5), 2),
        y=_y(point.median, most),
        lower=_y(lower, most),
        upper=_y(upper, most),
        title=f"{point.release}: {seconds(point.median)}, of {len(point.values)}, "
        f"quartiles {seconds(lower)} to {seconds(upper)}",
    )


def _y(value: float, most: float) -> float:
    return round(TREND_HEIGHT - (TREND_HEIGHT - _ROOM) * min(1.0, value / most), 2)


def _words(points: Sequence[Point]) -> str:
    first, last = points[0], points[-1]
    if len(points) == 1:
        return f"{seconds(first.median)} in {first.release}"
    moved = f", {last.median / first.median - 1:+.0%}" if first.median else ""
    return (
        f"{seconds(first.median)} in {first.release}, "
        f"{seconds(last.median)} in {last.release}{moved}"
    )


class Share(Struct, frozen=True, kw_only=True):
    """The trials of a run that came to one verdict, as a part of its column."""

    verdict: Verdict
    y: float
    height: float
    count: int


class Column(Struct, frozen=True, kw_only=True):
    """A run."""

    key: str
    name: str
    x: float
    width: float
    shares: Sequence[Share]
    title: str


def run_columns(runs: Sequence[Run]) -> list[Column]:
    """Draw the runs side by side, the oldest first, each as high as it has trials."""
    most = max((run.trials for run in runs), default=0) or 1
    width = 100 / (len(runs) or 1)
    columns = []
    for at, run in enumerate(runs):
        y, shares = BARS_HEIGHT, []
        for verdict in reversed(WORST_FIRST):  # what is good stands at the bottom
            if count := run.verdicts.get(verdict, 0):
                height = max(1.5, BARS_HEIGHT * count / most)  # one of thousands is still seen
                y -= height
                shares.append(
                    Share(
                        verdict=verdict, y=round(max(0.0, y), 2), height=round(height, 2),
                        count=count,
                    )
                )  # fmt: skip
        counts = ", ".join(f"{share.count} {share.verdict.value}" for share in reversed(shares))
        columns.append(
            Column(
                key=run.key,
                name=run.tags[0] if run.tags else run.name,
                x=round(at * width, 3),
                width=round(width, 3),
                shares=shares,
                title=f"{', '.join((*run.tags, run.name))}, {run.created_at:%Y-%m-%d}: {counts}",
            )
        )
    return columns
