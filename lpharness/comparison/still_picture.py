"""How often CPUs did nothing for longer than so much, as a picture: each model beside its noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lpharness.checks.transitions import Direction
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
from lpharness.comparison.measured import Measured, completed
from lpharness.comparison.standing import Window, baseline_of, overlaps
from lpharness.results import axes

_LEAST = 0.01
"""Fewer a second are at the bottom of the picture."""

_Line = list[tuple[float, float]]
"""For each length the rate, a second of a CPU, of stretches that are at least so long."""


def still_picture(
    trials: Sequence[Measured], direction: Direction, where: str, name: str
) -> Picture | None:
    """Draw two lines a model: while the patch came or went, and before anything was changed."""
    lines: dict[str, tuple[_Line, _Line]] = {}
    for model in dict.fromkeys(trial.model for trial in trials):
        of = [trial for trial in trials if trial.model == model]
        while_it = [(trial, crossing.window_s) for trial, crossing in completed(of, direction)]
        now, before = _rates(while_it), _rates([(trial, baseline_of(trial)) for trial in of])
        if now:
            lines[model] = (now, before)
    points = [point for pair in lines.values() for line in pair for point in line]
    if not points:
        return None
    x = Logarithmic(min(at for at, _ in points), max(at for at, _ in points))
    y = axes.Logarithmic(_LEAST, max(rate for _, rate in points), TOP + CHART, TOP)
    parts = [x.grid(TOP + CHART), *_grid(y)]
    for model, (now, before) in lines.items():
        parts.append(_path(before, x, y, colour_of(model), "1", ' stroke-dasharray="4 3"'))
        parts.append(_path(now, x, y, colour_of(model), "2", ""))
    title = f"How often CPUs did nothing for longer, {direction}: {where}"
    return Picture(
        name=f"stills-{direction}--{name}",
        title=title,
        about="Stretches in a second of a CPU in which it did nothing, by heartbeats in the "
        "kernel, at least as long as below; dashed: the noise before anything was changed. "
        "All repeats together.",
        svg=picture_svg(title, TOP + CHART + BOTTOM + 18, [*parts, *legend(list(lines))]),
    )


def _rates(looked: Sequence[tuple[Measured, Window | None]]) -> _Line:
    known = [(t, t.beating, w) for t, w in looked if t.beating is not None and w is not None]
    cpu_s = sum(beating.cpus * (end - begin) for _, beating, (begin, end) in known)
    lengths = sorted(
        (s.seconds for trial, _, w in known for s in trial.stills if overlaps(s, w)), reverse=True
    )
    if not cpu_s:
        return []
    line: _Line = []
    for number, length in enumerate(lengths, 1):
        # Of many that differ by less than a pixel one is enough.
        if not line or length < 0.99 * line[-1][0]:
            line.append((length, number / cpu_s))
        else:
            line[-1] = (line[-1][0], number / cpu_s)
    return line


def _grid(axis: axes.Logarithmic) -> Iterator[str]:
    for power in axis.powers():
        y = axis.at(10.0**power)
        yield f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{10.0**power:g}/s</text>'


def _path(
    line: _Line, x: Logarithmic, y: axes.Logarithmic, colour: str, width: str, more: str
) -> str:
    if not line:
        return ""
    path = "M" + "L".join(f"{x.x(at)} {y.at(rate)}" for at, rate in line)
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{more}/>'
