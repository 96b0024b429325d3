"""Debian's order of versions (Debian Policy 5.6.12; deb-version(7))."""

from __future__ import annotations

import re
from functools import cmp_to_key, lru_cache
from itertools import zip_longest

_DIGITS = re.compile(r"([0-9]+)")

# One part of a version: alternating text and number, the text as a list of weights.
_Pair = tuple[tuple[int, ...], int]
_NOTHING: _Pair = ((0,), 0)  # what "" and 0 weigh: the shorter part is filled up with it


def compare(left: str, right: str) -> int:
    """Return a negative, zero or positive number as ``left`` is earlier, equal or later."""
    for a, b in zip(_split(left), _split(right), strict=True):
        for x, y in zip_longest(a, b, fillvalue=_NOTHING):
            if x != y:
                return 1 if x > y else -1
    return 0


def satisfies(version: str, relation: str, wanted: str) -> bool:
    """Say whether ``version`` stands in ``relation`` (``<<``, ``<=``, ``=``, …) to ``wanted``.

    Raises:
        ValueError: the relation is none of Debian's.
    """
    order = compare(version, wanted)
    match relation:
        case "<<":
            return order < 0
        case "<=" | "<":  # the single characters are obsolete spellings of <= and >=
            return order <= 0
        case "=":
            return order == 0
        case ">=" | ">":
            return order >= 0
        case ">>":
            return order > 0
    raise ValueError(f"not a relation between versions: {relation!r}")


version_key = cmp_to_key(compare)
"""Sort key for version strings: ``sorted(versions, key=version_key)``, oldest first."""


@lru_cache(maxsize=4096)
def _split(version: str) -> tuple[tuple[_Pair, ...], ...]:
    """Return epoch, upstream version and revision, each ready to be compared."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return _weigh(epoch), _weigh(upstream), _weigh(revision)


def _weigh(part: str) -> tuple[_Pair, ...]:
    pieces = [*_DIGITS.split(part), "0"]  # text, number, text, number, …
    texts, numbers = pieces[::2], pieces[1::2]
    return tuple((_weigh_text(t), int(n)) for t, n in zip(texts, numbers, strict=True))


def _weigh_text(text: str) -> tuple[int, ...]:
    # "~" comes before the end of the text (0), letters before everything else.
    return (*(-1 if c == "~" else ord(c) if c.isalpha() else ord(c) + 256 for c in text), 0)
