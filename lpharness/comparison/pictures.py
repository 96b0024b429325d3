"""A comparison as pictures: SVG that stands alone, for a page or a paper."""

from __future__ import annotations

import itertools
import math
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from html import escape

from msgspec.structs import replace

from lpharness.checks.transitions import Direction
from lpharness.comparison.courses import steps
from lpharness.comparison.drawing import (
    BOTTOM,
    CHART,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Logarithmic,
    Picture,
    colour_of,
    legend,
    picture_svg,
)
from lpharness.comparison.measured import Crossing, Measured, completed
from lpharness.comparison.still_picture import still_picture
from lpharness.comparison.summary import DIRECTIONS, Comparison
from lpharness.results.curves import Curve, curves_svg
from lpharness.results.model import Verdict
from lpharness.results.text import one_line, seconds

_ROW = 44
_NOISE = "#8a8f96"


def pictures(comparison: Comparison) -> list[Picture]:
    """Return the pictures of each case, kernel and workload in turn."""
    known = [
        replace(trial, model=one_line(trial.model))
        for trial in comparison.trials
        if trial.verdict not in (Verdict.ERROR, Verdict.SKIP)
    ]
    found: list[Picture] = []
    for key, group in itertools.groupby(known, key=lambda t: (t.case, t.kernel, t.workload)):
        trials, where = list(group), one_line(" · ".join(key))
        name = re.sub(r"[^\w.+-]", "_", "--".join(key), flags=re.ASCII)
        for direction in DIRECTIONS:
            for draw in (_moved, _gaps, still_picture, _paces):
                picture = draw(trials, direction, where, name)
                if picture is not None:
                    found.append(picture)
    return found


# --- who had moved -----------------------------------------------------------------------------


def _moved(
    trials: Sequence[Measured], direction: Direction, where: str, name: str
) -> Picture | None:
    """Draw the first transition of each model that tells of moves; of others the moment."""
    curves: dict[str, Curve] = {}
    for trial, crossing in completed(trials, direction):
        points = tuple(steps(crossing))
        if points and trial.model not in curves:
            curves[trial.model] = Curve(model=trial.model, label=trial.model, points=points)
    if not curves:
        return None
    title = f"Share of tasks that had moved, {direction}: {where}"
    return Picture(
        name=f"moved-{direction}--{name}",
        title=title,
        about="Of the moves that were seen, in the first transition of each model that completed.",
        svg=curves_svg(title, list(curves.values())),
    )


# --- how long CPUs did nothing --------------------------------------------------------------------


def _gaps(
    trials: Sequence[Measured], direction: Direction, where: str, name: str
) -> Picture | None:
    """Draw a row a model: each trial's longest gap, its noise before, and the machine's stops."""
    rows: dict[str, list[str]] = defaultdict(list)
    found = list(completed(trials, direction))
    values = [v for trial, crossing in found for v in _of_gaps(trial, crossing)]
    if not values:
        return None
    axis = Logarithmic(min(values), max(values))
    for trial, crossing in found:
        y = TOP + list(rows).index(trial.model) * _ROW if trial.model in rows else None
        y = TOP + len(rows) * _ROW if y is None else y
        marks = rows[trial.model]
        if trial.baseline_gap:
            x = axis.x(trial.baseline_gap.whole_s)
            tip = f"noise before: {seconds(trial.baseline_gap.whole_s)}"
            marks.append(_dot(x, y + 29, _NOISE, tip))
        if crossing.gap:
            tip = f"longest gap of a CPU: {seconds(crossing.gap.whole_s)}"
            marks.append(_dot(axis.x(crossing.gap.whole_s), y + 15, colour_of(trial.model), tip))
        for stop in crossing.stops:
            tip = f"machine stopped: {seconds(stop.seconds)}"
            marks.append(_bar(axis.x(stop.seconds), y + 15, colour_of(trial.model), tip))
    base = TOP + len(rows) * _ROW
    parts = [axis.grid(base)]
    for number, (model, marks) in enumerate(rows.items()):
        y = TOP + number * _ROW
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 19}" text-anchor="end" fill="{colour_of(model)}">'
            f"{escape(model)}</text>"
        )
        parts += marks
    title = f"How long CPUs did nothing, {direction}: {where}"
    return Picture(
        name=f"gaps-{direction}--{name}",
        title=title,
        about="A dot a trial: the longest gap of a CPU's heartbeat, whoever made it; grey: the "
        "longest before anything was changed. A bar a stop of the machine, by the model's account.",
        svg=picture_svg(title, base + BOTTOM, parts),
    )


def _of_gaps(trial: Measured, crossing: Crossing) -> Iterator[float]:
    for gap in (trial.baseline_gap, crossing.gap):
        if gap and gap.whole_s > 0:
            yield gap.whole_s
    yield from (stop.seconds for stop in crossing.stops if stop.seconds > 0)


# --- what the workload got done -------------------------------------------------------------------


def _paces(
    trials: Sequence[Measured], direction: Direction, where: str, name: str
) -> Picture | None:
    """Draw a line a model: the median of its repeats, as a share of what was done before."""
    shares: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for trial, crossing in completed(trials, direction):
        for at, rate in crossing.pace if trial.before else ():
            shares[trial.model][at].append(rate / (trial.before or 1))
    lines = {
        model: [(at, statistics.median(values)) for at, values in sorted(by_time.items())]
        for model, by_time in shares.items()
    }
    points = [point for line in lines.values() for point in line]
    if not points:
        return None
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    top = max(1.25, max(share for _, share in points))

    def x(at: float) -> float:
        wide = WIDTH - LEFT - RIGHT
        return round(LEFT + (at - first) / max(last - first, 1e-9) * wide, 1)

    def y(share: float) -> float:
        return round(TOP + (1 - share / top) * CHART, 1)

    title = f"Throughput around the transition, {direction}: {where}"
    return Picture(
        name=f"throughput-{direction}--{name}",
        title=title,
        about="Operations of the workload, as a share of those before the load; the transition "
        "begins at 0 s. Median of the repeats.",
        svg=picture_svg(
            title,
            TOP + CHART + BOTTOM + 18,
            [
                *_frame(x, y, first, last, top),
                *_drawn(lines, x, y),
                *legend(list(lines)),
            ],
        ),
    )


def _frame(
    x: Callable[[float], float],
    y: Callable[[float], float],
    first: float,
    last: float,
    top: float,
) -> Iterator[str]:
    base = TOP + CHART
    for percent in range(0, math.floor(top * 100) + 1, 25 if top < 2 else 100):
        at = y(percent / 100)
        yield f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{percent} %</text>'
    step = max(1, math.ceil((last - first) / 10))
    for second in range(math.ceil(first), math.floor(last) + 1, step):
        at = x(second)
        colour = "#888" if second == 0 else "#ddd"
        yield f'<path d="M{at} {TOP}V{base}" stroke="{colour}"/>'
        yield f'<text x="{at}" y="{base + 18}" text-anchor="middle">{second} s</text>'


def _drawn(
    lines: dict[str, list[tuple[float, float]]],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> Iterator[str]:
    for model, line in lines.items():
        path = "M" + "L".join(f"{x(at)} {y(share)}" for at, share in line)
        colour = colour_of(model)
        yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _dot(x: float, y: float, colour: str, tip: str) -> str:
    return (
        f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}" fill-opacity="0.75">'
        f"<title>{escape(tip)}</title></circle>"
    )


def _bar(x: float, y: float, colour: str, tip: str) -> str:
    return (
        f'<rect x="{x - 1.5}" y="{y - 8}" width="3" height="16" fill="{colour}">'
        f"<title>{escape(tip)}</title></rect>"
    )
