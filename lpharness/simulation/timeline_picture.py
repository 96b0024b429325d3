"""A timeline as SVG: a lane a task, and in it which code it runs, and would call."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from lpharness.results.svg import standing_alone
from lpharness.simulation.timeline import Moment, Span, Timeline, extend

OLD, NEW, USER, KERNEL = "#e08a00", "#0067b3", "#c9ced4", "#878d95"
_COLOURS = (OLD, NEW)
_WIDTH, _LEFT, _RIGHT, _TOP = 760, 96, 16, 40
_LANE, _APART, _BAR = 30, 9, 20
_BOTTOM = 96


def timeline_svg(found: Timeline) -> str:
    """Return the picture."""
    height = _TOP + len(found.tasks) * (_LANE + _APART) + _BOTTOM
    base = height - _BOTTOM
    title = f"{found.model}: which code runs, and is called, while the patch is put on"
    lanes = [
        part
        for number, name in enumerate(found.tasks)
        for part in _lane(found, number, name, _TOP + number * (_LANE + _APART))
    ]
    parts = [*_axis(found, base), *lanes, *_marks(found, base), *_legend(base + 48)]
    return standing_alone(title, _WIDTH, height, parts)


def _x(found: Timeline, at_s: float) -> float:
    share = (at_s - found.first_s) / (found.last_s - found.first_s)
    return round(_LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT), 1)


def _axis(found: Timeline, base: int) -> Iterator[str]:
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 100) if found.last_s / s <= 8)
    for number in range(math.ceil(found.first_s / step), math.floor(found.last_s / step) + 1):
        x = _x(found, number * step)
        yield f'<path d="M{x} {_TOP}V{base}" stroke="#e4e4e4"/>'
        label = f"{number * step:g} s"
        yield f'<text x="{x}" y="{base + 16}" text-anchor="middle" fill="#555">{label}</text>'


def _lane(found: Timeline, number: int, name: str, top: int) -> Iterator[str]:
    middle = top + _LANE / 2 + 4
    yield f'<text x="{_LEFT - 10}" y="{middle}" text-anchor="end">{escape(name)}</text>'
    for span in found.spans[number]:
        yield from _bar(found, span, top)
    yield from _strip(found, found.spans[number], top + _BAR + 3)


def _bar(found: Timeline, span: Span, top: int) -> Iterator[str]:
    """Draw what is on the stack: above the outermost patched function, below the innermost."""
    x, width = _place(found, span)
    what = span.what
    if what.innermost >= 0:
        shade = "" if what.running else ' fill-opacity="0.4"'
        parts = [(top, _BAR, what.innermost)]
        if what.outermost != what.innermost:
            parts = [(top, _BAR // 2, what.outermost), (top + _BAR // 2, _BAR // 2, what.innermost)]
        for y, height, version in parts:
            fill = f'fill="{_COLOURS[version]}"{shade}'
            yield f'<rect x="{x}" y="{y}" width="{width}" height="{height}" {fill}/>'
    elif what.running:
        colour = KERNEL if what.in_kernel else USER
        yield f'<rect x="{x}" y="{top + 6}" width="{width}" height="{_BAR - 12}" fill="{colour}"/>'


def _strip(found: Timeline, spans: tuple[Span, ...], y: int) -> Iterator[str]:
    """Draw which version the task would call: a strip below its lane."""
    joined: list[Span] = []
    for span in spans:
        calls = Moment(span.what.calls, -1, -1, running=False, in_kernel=False)
        extend(joined, span.begin_s, span.end_s, calls)
    for span in joined:
        x, width = _place(found, span)
        if span.what.calls == 2:
            yield f'<rect x="{x}" y="{y}" width="{width}" height="2" fill="{NEW}"/>'
            yield f'<rect x="{x}" y="{y + 2}" width="{width}" height="2" fill="{OLD}"/>'
        else:
            colour = _COLOURS[span.what.calls]
            yield f'<rect x="{x}" y="{y}" width="{width}" height="4" fill="{colour}"/>'


def _place(found: Timeline, span: Span) -> tuple[float, float]:
    x, end = _x(found, span.begin_s), _x(found, span.end_s)
    return x, round(max(end - x, 0.4), 1)


def _marks(found: Timeline, base: int) -> Iterator[str]:
    """Draw the begin, each look at all tasks, and the end."""
    begin = _x(found, 0.0)
    yield f'<path d="M{begin} {_TOP - 6}V{base}" stroke="#222" stroke-width="1.2"/>'
    yield f'<text x="{begin}" y="{_TOP - 24}" text-anchor="middle">begins</text>'
    for at, in_the_way in found.tries:
        x, colour = _x(found, at), "#a0161d" if in_the_way else "#12663a"
        sign = "✗" if in_the_way else "✓"
        yield f'<path d="M{x} {_TOP - 6}V{base}" stroke="{colour}" stroke-dasharray="3 3"/>'
        yield f'<text x="{x}" y="{_TOP - 10}" text-anchor="middle" fill="{colour}">{sign}</text>'
    if found.ended_s is not None:
        x = _x(found, found.ended_s)
        yield f'<path d="M{x} {_TOP - 6}V{base}" stroke="#12663a" stroke-width="1.2"/>'
        if x - begin > 60:
            yield f'<text x="{x}" y="{_TOP - 24}" text-anchor="middle">over</text>'


def _legend(y: int) -> Iterator[str]:
    """Write what the colours mean, in two rows."""
    both = f'<rect x="0" y="-9" width="22" height="5" fill="{NEW}"/>'
    rows = (
        (_box(OLD, 10), "in the old code", 160),
        (_box(NEW, 10), "in the new", 136),
        (_box(OLD, 10, 0.4), "asleep in it", 166),
        (both + f'<rect x="0" y="-4" width="22" height="5" fill="{OLD}"/>', "new calls old", 140),
    )
    more = (
        (_box(USER, 8), "runs in user mode", 160),
        (_box(KERNEL, 8), "in the kernel", 136),
        (_box(OLD, 4), "would call the old", 166),
        (_box(NEW, 4), "would call the new", 140),
    )
    for number, entries in enumerate((rows, more)):
        x = _LEFT
        for drawing, word, width in entries:
            yield f'<g transform="translate({x} {y + 22 * number})">{drawing}'
            yield f'<text x="30" y="0">{word}</text></g>'
            x += width


def _box(colour: str, height: int, opacity: float = 1.0) -> str:
    shade = "" if opacity == 1 else f' fill-opacity="{opacity}"'
    y = -4 - height / 2
    return f'<rect x="0" y="{y}" width="22" height="{height}" fill="{colour}"{shade}/>'
