"""What the pictures of a comparison have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from msgspec import Struct

from lpharness.results.curves import MODEL_COLOURS, OTHER_COLOUR

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 90, 30, 20, 46


class Picture(Struct, frozen=True, kw_only=True):
    """One picture."""

    name: str
    """For a file."""
    title: str
    about: str
    svg: str


class Logarithmic:
    """Seconds to pixels, by whole powers of ten."""

    def __init__(self, least: float, most: float) -> None:
        self.first = math.floor(math.log10(max(least, 1e-6)))
        self.last = max(math.ceil(math.log10(max(most, 1e-6))), self.first + 1)

    def x(self, value: float) -> float:
        """Return the pixel of a value; what is off the axis lies at its end."""
        power = math.log10(value) if value > 0 else self.first
        share = (power - self.first) / (self.last - self.first)
        return round(LEFT + min(max(share, 0), 1) * (WIDTH - LEFT - RIGHT), 1)

    def grid(self, base: int) -> str:
        """Return the lines and names of the powers, down to a pixel."""
        parts = []
        for power in range(self.first, self.last + 1):
            x = self.x(10.0**power)
            parts.append(f'<path d="M{x} {TOP}V{base}" stroke="#ddd"/>')
            parts.append(
                f'<text x="{x}" y="{base + 18}" text-anchor="middle">{_power(power)}</text>'
            )
        return "".join(parts)


def _power(power: int) -> str:
    for unit, least in (("s", 0), ("ms", -3), ("µs", -6)):
        if power >= least:
            return f"{10 ** (power - least)} {unit}"
    return f"1e{power} s"


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
