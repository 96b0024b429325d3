"""What the pictures of a comparison have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from msgspec import Struct

from lpharness.results import axes
from lpharness.results.curves import MODEL_COLOURS, OTHER_COLOUR
from lpharness.results.svg import standing_alone

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 90, 30, 20, 46
CHART = 260
"""The height of a chart with lines; what is written below it is not in it."""


class Picture(Struct, frozen=True, kw_only=True):
    """One picture."""

    name: str
    """For a file."""
    title: str
    about: str
    svg: str


class Logarithmic(axes.Logarithmic):
    """Seconds across a picture, by whole powers of ten."""

    def __init__(self, least: float, most: float) -> None:
        super().__init__(least, most, LEFT, WIDTH - RIGHT)

    def x(self, value: float) -> float:
        """Return the pixel of a value; what is off the axis lies at its end."""
        return self.at(value)

    def grid(self, base: int) -> str:
        """Return the lines and names of the powers, down to a pixel."""
        parts = []
        for power in self.powers():
            x = self.at(10.0**power)
            parts.append(f'<path d="M{x} {TOP}V{base}" stroke="#ddd"/>')
            name = axes.power_of_seconds(power)
            parts.append(f'<text x="{x}" y="{base + 18}" text-anchor="middle">{name}</text>')
        return "".join(parts)


def picture_svg(title: str, height: int, parts: Sequence[str]) -> str:
    """Return a picture that stands alone."""
    return standing_alone(title, WIDTH, height, parts)


def legend(models: Sequence[str]) -> Iterator[str]:
    """Yield the models' names beside their colours, in a row below a chart."""
    y = TOP + CHART + 42
    for number, model in enumerate(models):
        x = LEFT + number * 110
        yield f'<path d="M{x} {y - 4}h18" stroke="{colour_of(model)}" stroke-width="3"/>'
        yield f'<text x="{x + 24}" y="{y}">{escape(model)}</text>'


def colour_of(model: str) -> str:
    """Return a model's colour, the same in every picture."""
    return MODEL_COLOURS.get(model, OTHER_COLOUR)
