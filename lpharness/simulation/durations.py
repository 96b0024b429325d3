"""Durations and their distributions, as they are written, and as tables of quantiles."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist

import numpy as np

from lpharness.base.errors import InputError
from lpharness.simulation.machine import Array

QUANTILES = 1025
"""Points of a table: the longest duration of an exponential one is 7.6 times its mean."""
LONGEST_NS = 10**13

_UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|min)")
_HINT = "for example 250us, 1.5s, exponential 10ms, uniform 1ms 2ms, lognormal 1ms 0.5, fitted NAME"


def nanoseconds(text: str) -> int:
    """Read one duration.

    Raises:
        InputError: it is none, or none that can be simulated.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise InputError(f"not a duration: {text!r}", hint=_HINT)
    value = round(float(found[1]) * _UNITS[found[2]])
    if value > LONGEST_NS:
        raise InputError(f"too long a duration: {text}", hint="at most 10000s")
    return value


def table(text: str, named: Mapping[str, Sequence[str]]) -> Array:
    """Return the quantiles of a distribution as it is written.

    Raises:
        InputError: it is none.
    """
    words = text.split()
    known = _SHAPES.get(words[0]) if words else None
    if known is None:
        if len(words) != 1:
            raise InputError(f"not a duration or distribution: {text!r}", hint=_HINT)
        return _clip(np.full(QUANTILES, nanoseconds(words[0]), dtype=np.float64))
    if words[0] == "fitted":
        return _named(text, words[1:], named)
    count, shape = known
    if len(words) != count + 1:
        raise InputError(f"{words[0]} takes {count} values: {text!r}", hint=_HINT)
    return _clip(shape(words[1:]))


def _named(text: str, words: Sequence[str], named: Mapping[str, Sequence[str]]) -> Array:
    if len(words) != 1 or words[0] not in named or len(named[words[0]]) < 2:
        raise InputError(
            f"no distribution for {text!r}",
            hint="name one of [distributions], which has two durations or more",
        )
    points = np.array([nanoseconds(each) for each in named[words[0]]], dtype=np.float64)
    if np.any(np.diff(points) < 0):
        raise InputError(f"distribution {words[0]}: quantiles must not fall")
    return _clip(np.interp(_places(), np.linspace(0, 1, len(points)), points))


def _places() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.linspace(0.0, 1.0, QUANTILES)


def _clip(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Array:
    return np.clip(np.rint(values), 1, LONGEST_NS).astype(np.int64)


def _exponential(words: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    mean = nanoseconds(words[0])
    inside = np.minimum(_places(), 1 - 0.5 / QUANTILES)
    return -mean * np.log1p(-inside)


def _uniform(words: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    low, high = (nanoseconds(each) for each in words)
    if high < low:
        raise InputError(f"uniform {words[0]} {words[1]}: the second must not be less")
    return np.linspace(low, high, QUANTILES)


def _lognormal(words: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    median = nanoseconds(words[0])
    try:
        sigma = float(words[1])
    except ValueError:
        sigma = math.nan
    if not 0 <= sigma <= 5:
        raise InputError(f"lognormal: sigma {words[1]!r} is not from 0 to 5", hint=_HINT)
    normal = NormalDist()
    edge = 0.5 / QUANTILES
    return np.array(
        [
            median * math.exp(sigma * normal.inv_cdf(min(1 - edge, max(edge, each))))
            for each in _places()
        ]
    )


_Shape = Callable[[Sequence[str]], np.ndarray[tuple[int], np.dtype[np.float64]]]
_SHAPES: dict[str, tuple[int, _Shape]] = {
    "exponential": (1, _exponential),
    "uniform": (2, _uniform),
    "lognormal": (2, _lognormal),
    "fitted": (1, _exponential),
}
