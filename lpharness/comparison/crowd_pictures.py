"""Cost against number of tasks, as pictures with two logarithmic axes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from html import escape

from lpharness.comparison.crowds import Point
from lpharness.comparison.drawing import LEFT, WIDTH, Picture, colour_of, picture_svg
from lpharness.comparison.summary import Spread
from lpharness.results.axes import Logarithmic, power_of_count, power_of_seconds
from lpharness.results.text import one_line, seconds

_HEIGHT, _RIGHT, _TOP, _BOTTOM = 400, 110, 40, 50
_LEAST_APART = 15

Value = Callable[[Point], Spread | None]


def crowd_pictures(points: Sequence[Point]) -> list[Picture]:
    """Return two for each case and kernel: until it is over, and for how long the machine stops."""
    found: list[Picture] = []
    for key, group in itertools.groupby(points, key=lambda point: (point.case, point.kernel)):
        its, where = list(group), " · ".join(map(one_line, key))
        name = re.sub(r"[^\w.+-]", "_", "--".join(key), flags=re.ASCII)
        for stem, what, value in (
            ("over", "Time until patching is over", _seconds),
            ("stopped", "Time for which the machine stands still", _stopped),
        ):
            title = f"{what}, by the number of tasks: {where}"
            svg = _svg(title, its, value)
            if svg:
                about = "Dots: measured, median, from the least to the most. Dashed: simulated."
                found.append(
                    Picture(name=f"crowd-{stem}--{name}", title=title, about=about, svg=svg)
                )
    return found


def _seconds(point: Point) -> Spread | None:
    return point.seconds


def _stopped(point: Point) -> Spread | None:
    return point.stopped


def _svg(title: str, points: Sequence[Point], value: Value) -> str:
    known = [(point, found) for point in points if (found := value(point)) is not None]
    if not known:
        return ""
    base = _HEIGHT - _BOTTOM
    x = Logarithmic(
        min(point.tasks for point, _ in known), max(point.tasks for point, _ in known),
        LEFT, WIDTH - _RIGHT,
    )  # fmt: skip
    y = Logarithmic(
        min(found.least for _, found in known), max(found.most for _, found in known), base, _TOP
    )
    lines: dict[tuple[str, str], list[tuple[float, float, Spread]]] = {}
    for point, found in known:
        at = (x.at(point.tasks), y.at(found.median), found)
        lines.setdefault((point.model, point.side), []).append(at)
    parts = [
        *_legend(),
        *_grid(x, y),
        *(part for key, line in lines.items() for part in _line(*key, line, y)),
        *_labels(lines),
    ]
    return picture_svg(title, _HEIGHT, parts)


def _legend() -> Iterator[str]:
    yield f'<path d="M{LEFT} 18h26" stroke="#333" stroke-width="2"/>'
    yield f'<circle cx="{LEFT + 13}" cy="18" r="4" fill="#333"/>'
    yield f'<text x="{LEFT + 32}" y="22">measured</text>'
    dashed = 'stroke="#333" stroke-width="1.5" stroke-dasharray="5 4"'
    yield f'<path d="M{LEFT + 130} 18h26" {dashed}/>'
    yield f'<text x="{LEFT + 162}" y="22">simulated</text>'


def _grid(x: Logarithmic, y: Logarithmic) -> Iterator[str]:
    base, end = _HEIGHT - _BOTTOM, WIDTH - _RIGHT
    for power in x.powers():
        at = x.at(10.0**power)
        yield f'<path d="M{at} {_TOP}V{base}" stroke="#ddd"/>'
        label = power_of_count(power)
        yield f'<text x="{at}" y="{base + 18}" text-anchor="middle">{label}</text>'
    for power in y.powers():
        at = y.at(10.0**power)
        yield f'<path d="M{LEFT} {at}H{end}" stroke="#ddd"/>'
        label = power_of_seconds(power)
        yield f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{label}</text>'
    middle = (LEFT + end) / 2
    yield f'<text x="{middle}" y="{base + 38}" text-anchor="middle">tasks of the machine</text>'


def _line(
    model: str, side: str, line: Sequence[tuple[float, float, Spread]], y: Logarithmic
) -> Iterator[str]:
    colour = colour_of(model)
    path = "M" + "L".join(f"{at} {height}" for at, height, _ in line)
    simulated = side == "simulated"
    dashes = ' stroke-dasharray="5 4"' if simulated else ""
    width = 1.5 if simulated else 2
    yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>'
    for at, height, found in () if simulated else line:
        whisker = f"M{at} {y.at(found.least)}V{y.at(found.most)}"
        yield f'<path d="{whisker}" stroke="{colour}"/>'
        yield (
            f'<circle cx="{at}" cy="{height}" r="4" fill="{colour}">'
            f"<title>{escape(f'{one_line(model)}: {seconds(found.median)}')}</title></circle>"
        )


def _labels(
    lines: dict[tuple[str, str], list[tuple[float, float, Spread]]],
) -> Iterator[str]:
    """Write each model's name beside the end of its longest line, apart from the others."""
    ends: dict[str, tuple[float, float]] = {}
    for (model, _), line in lines.items():
        at, height, _ = line[-1]
        if model not in ends or at >= ends[model][0]:
            ends[model] = (at, height)
    last = float("-inf")
    for model, (at, height) in sorted(ends.items(), key=lambda item: item[1][1]):
        last = max(height, last + _LEAST_APART)
        colour = colour_of(model)
        name = escape(one_line(model))
        yield f'<text x="{at + 9}" y="{last + 4}" fill="{colour}">{name}</text>'
