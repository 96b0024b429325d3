"""Simulated against measured, as a picture: a panel a model for each case, kernel and workload."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from html import escape

from lpharness.comparison.courses import Band, Courses
from lpharness.comparison.drawing import LEFT, RIGHT, WIDTH, Picture, colour_of, picture_svg
from lpharness.comparison.held.hold import Held
from lpharness.comparison.held.rows import Row, Side
from lpharness.results.axes import Logarithmic, power_of_seconds
from lpharness.results.text import one_line, seconds

_TOP = 48
_PANEL, _APART, _BOTTOM = 78, 34, 44


def pictures(held: Held) -> list[Picture]:
    """Return a picture for each case, kernel and workload of which something moved."""
    groups = itertools.groupby(held.rows, key=lambda row: row.name[:3])
    drawn = (_picture(key, [row for row in rows if row.courses]) for key, rows in groups)
    return [picture for picture in drawn if picture is not None]


def _picture(key: tuple[str, ...], rows: Sequence[Row]) -> Picture | None:
    times = [time for row in rows for time in _shown(row)]
    if not times:
        return None
    where = one_line(" · ".join(key))
    title = f"Simulated against measured: {where}"
    axis = Logarithmic(min(times), max(times), LEFT, WIDTH - RIGHT)
    height = _TOP + len(rows) * (_PANEL + _APART) + _BOTTOM - _APART
    parts = [*_legend(), *_axis(axis, height - _BOTTOM)]
    for number, row in enumerate(rows):
        parts += _panel(axis, row, _TOP + number * (_PANEL + _APART))
    return Picture(
        name="held--" + re.sub(r"[^\w.+-]", "_", "--".join(key), flags=re.ASCII),
        title=title,
        about="Share of tasks that had moved to the patch: mean of all repeats, and from the least "
        "to the most. Above each panel when the transition was over: median, least to most; who "
        "failed is not in it.",
        svg=picture_svg(title, height, parts),
    )


def _shown(row: Row) -> Iterator[float]:
    if row.courses is not None:
        yield from (row.courses.times[0], row.courses.times[-1])
    yield from (*row.measured.seconds, *row.simulated.seconds)


def _axis(axis: Logarithmic, base: float) -> Iterator[str]:
    for power in axis.powers():
        x = axis.at(10.0**power)
        yield f'<path d="M{x} {_TOP}V{base}" stroke="#e4e4e4"/>'
        label = power_of_seconds(power)
        yield f'<text x="{x}" y="{base + 16}" text-anchor="middle">{label}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield (
        f'<text x="{middle}" y="{base + 34}" text-anchor="middle">after the transition began</text>'
    )


def _legend() -> Iterator[str]:
    for x, word, dashes in ((LEFT, "measured", ""), (LEFT + 130, "simulated", _DASHES)):
        yield f'<path d="M{x} 14h26" stroke="#333" stroke-width="2"{dashes}/>'
        yield f'<text x="{x + 32}" y="18">{word}</text>'
    for x, fill in ((LEFT + 262, "#333"), (LEFT + 274, "#fff")):
        yield f'<circle cx="{x}" cy="14" r="3.5" fill="{fill}" stroke="#333"/>'
    yield f'<text x="{LEFT + 284}" y="18">when it was over</text>'


_DASHES = ' stroke-dasharray="5 4"'


def _panel(axis: Logarithmic, row: Row, top: int) -> Iterator[str]:
    colour = colour_of(row.name.model)
    base = top + _PANEL
    for percent in (0, 50, 100):
        y = base - percent / 100 * _PANEL
        yield f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end" fill="#666">{percent} %</text>'
    yield (
        f'<text x="{LEFT + 6}" y="{top + 16}" font-weight="bold" fill="{colour}">'
        f"{escape(one_line(row.name.model))}</text>"
    )
    yield from _courses(axis, row.courses, base, colour)
    yield _over(axis, row.measured, top - 8, colour, "measured", "")
    yield _over(axis, row.simulated, top - 16, colour, "simulated", _DASHES)


def _courses(axis: Logarithmic, found: Courses | None, base: int, colour: str) -> Iterator[str]:
    if found is None:
        return
    xs = [LEFT, *(axis.at(time) for time in found.times), WIDTH - RIGHT]
    for band, opacity in ((found.simulated, 0.13), (found.measured, 0.22)):
        yield _between(xs, band, base, colour, opacity)
    for shares, dashes in ((found.measured.mean, ""), (found.simulated.mean, _DASHES)):
        path = _stairs(xs, _heights(base, shares))
        yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'


def _between(xs: Sequence[float], band: Band, base: int, colour: str, opacity: float) -> str:
    above = _stairs(xs, _heights(base, band.most))
    ups = list(zip(xs, _heights(base, band.least), strict=True))[::-1]
    below = "".join(f"V{y}H{x}" for x, y in ups)
    return f'<path d="{above}{below}Z" fill="{colour}" fill-opacity="{opacity}"/>'


def _heights(base: int, shares: Sequence[float]) -> list[float]:
    """Return the pixels of shares, and of none before them and the last behind them."""
    return [round(base - share * _PANEL, 1) for share in (0.0, *shares, shares[-1])]


def _stairs(xs: Sequence[float], ys: Sequence[float]) -> str:
    """Return a line that stays at a height until the next place."""
    steps = zip(xs[1:], ys[1:], strict=True)
    return f"M{xs[0]} {ys[0]}" + "".join(f"H{x}V{y}" for x, y in steps)


def _over(axis: Logarithmic, side: Side, y: int, colour: str, word: str, dashes: str) -> str:
    """Draw when transitions were over: a line from the least to the most, a mark at the median."""
    if side.middle is None:
        return ""
    least, most = axis.at(side.seconds[0]), axis.at(side.seconds[-1])
    x = axis.at(side.middle)
    tip = (
        f"{word}: over after {seconds(side.middle)} "
        f"({seconds(side.seconds[0])} to {seconds(side.seconds[-1])})"
    )
    fill = "#fff" if dashes else colour
    return (
        f"<g><title>{escape(tip)}</title>"
        f'<path d="M{least} {y}H{most}" stroke="{colour}"{dashes}/>'
        f'<circle cx="{x}" cy="{y}" r="3.5" fill="{fill}" stroke="{colour}"/></g>'
    )
