"""What the pictures of a comparison have in common."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from msgspec import Struct

from lpharness.results import axes
from lpharness.results.curves import MODEL_COLOURS, OTHER_COLOUR

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 90, 30, 20, 46


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
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12" role="img">'
    )
    return "\n".join(
        [
            opening,
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def colour_of(model: str) -> str:
    """Return a model's colour, the same in every picture."""
    return MODEL_COLOURS.get(model, OTHER_COLOUR)
