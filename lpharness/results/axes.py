"""Axes of pictures: values to pixels, and what is written along them."""

from __future__ import annotations

import math


class Logarithmic:
    """Values to pixels, by whole powers of ten."""

    def __init__(self, least: float, most: float, begin: float, end: float) -> None:
        """Make an axis.

        Args:
            least: what must have a place on it; below a millionth all is one.
            most: the same; the axis goes on to the next power of ten.
            begin: the pixel of the lowest power.
            end: that of the highest.
        """
        self.first = math.floor(math.log10(max(least, 1e-6)))
        self.last = max(math.ceil(math.log10(max(most, 1e-6))), self.first + 1)
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        """Return a value's pixel; what is beyond an end lies on it."""
        power = math.log10(value) if value > 0 else self.first
        share = min(max((power - self.first) / (self.last - self.first), 0.0), 1.0)
        return round(self._begin + share * (self._end - self._begin), 1)

    def powers(self) -> range:
        """Return the powers of ten along it."""
        return range(self.first, self.last + 1)


def power_of_seconds(power: int) -> str:
    """Return a power of ten as a time: ``10 ms``."""
    for unit, least in (("s", 0), ("ms", -3), ("µs", -6)):
        if power >= least:
            return f"{10 ** (power - least)} {unit}"
    return f"1e{power} s"


def power_of_count(power: int) -> str:
    """Return a power of ten as a number of things: ``10,000``."""
    return f"{10.0**power:,.0f}" if power >= 0 else f"{10.0**power:g}"
