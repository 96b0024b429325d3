"""Transition curves as SVG: the share of tasks that had moved, over time, a line for each model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from msgspec import Struct

from lpharness.results.axes import power_of_seconds
from lpharness.results.svg import standing_alone

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _RIGHT = 760, 360, 60, 20, 50, 130
MODEL_COLOURS = {
    "immediate": "#b3261e",
    "ksplice": "#8a5a00",
    "kpatch": "#5b8c00",
    "kgraft": "#00677d",
    "hybrid": "#5a3fc0",
}
"""The same in every picture."""
OTHER_COLOUR = "#333"
_FIRST_S = 1e-4


class Curve(Struct, frozen=True, kw_only=True):
    """One line: it stays where it is until the next point."""

    model: str
    label: str
    points: tuple[tuple[float, float], ...]
    """Seconds after the transition began, and the share of tasks that had moved; at least one."""


def curves_svg(title: str, curves: Sequence[Curve]) -> str:
    """Return the picture; time runs on a logarithmic axis from 0.1 ms on."""
    last = max((point[0] for each in curves for point in each.points), default=1.0)
    axis = _Axis(max(last, 10 * _FIRST_S))
    labels = _apart([_y(each.points[-1][1]) for each in curves])
    lines = [_line(axis, each, label) for each, label in zip(curves, labels, strict=True)]
    return standing_alone(title, _WIDTH, _HEIGHT, [*_grid(axis), *lines])


class _Axis:
    """Seconds to pixels."""

    def __init__(self, last: float) -> None:
        self.first, self.last = math.log10(_FIRST_S), math.log10(last)

    def x(self, seconds: float) -> float:
        share = (math.log10(max(seconds, _FIRST_S)) - self.first) / (self.last - self.first)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(share: float) -> float:
    return round(_TOP + (1 - share) * (_HEIGHT - _TOP - _BOTTOM), 1)


def _grid(axis: _Axis) -> list[str]:
    base = _HEIGHT - _BOTTOM
    parts = []
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent / 100)
        parts.append(f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{percent} %</text>')
    for power in range(math.floor(axis.first), math.floor(axis.last) + 1):
        x = axis.x(10.0**power)
        label = power_of_seconds(power)
        parts.append(f'<path d="M{x} {_TOP}V{base}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{base + 18}" text-anchor="middle">{label}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 10}" text-anchor="middle">'
        "after the transition began</text>"
    )
    return parts


def _line(axis: _Axis, each: Curve, label_y: float) -> str:
    points = each.points
    path = f"M{axis.x(points[0][0])} {_y(points[0][1])}"
    path += "".join(f"H{axis.x(at)}V{_y(share)}" for at, share in points[1:])
    colour = MODEL_COLOURS.get(each.model, OTHER_COLOUR)
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        f'<text x="{axis.x(points[-1][0]) + 6}" y="{label_y + 4}" fill="{colour}">'
        f"{escape(each.label)}</text>"
    )


def _apart(heights: Sequence[float]) -> list[float]:
    """Move labels that would cover each other down, in their order."""
    placed: list[float] = []
    for height in heights:
        while any(abs(height - other) < 15 for other in placed):
            height += 15
        placed.append(height)
    return placed
