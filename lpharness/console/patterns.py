"""The classifier's patterns, read from ``patterns.toml`` beside this file."""

from __future__ import annotations

import re
import tomllib
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct

FRAME = r"[\w.]+\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[\w+\])?"
"""A function as the kernel names it in a stack: ``name+offset/size [module]``."""


class Severity(StrEnum):
    """How bad it is; ``patterns.toml`` says what each word means."""

    FATAL = "fatal"
    BAD = "bad"
    ODD = "odd"
    EXPECTED = "expected"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Pattern(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One class of console line; the fields are explained in ``patterns.toml``."""

    name: str
    severity: Severity
    source: str
    regex: str
    example: str
    start: tuple[str, ...] = ()
    needle: tuple[str, ...] = ()
    report: bool = False
    part_of: frozenset[str] = frozenset()
    aftermath: bool = False
    reads: tuple[str, ...] = ()

    def belongs_to(self, report: Pattern, *, ended: bool) -> bool:
        """Tell whether a line of this class is a part of an open (or just ended) report."""
        if ended and not self.aftermath:
            return False
        named = "*" in self.part_of or report.name in self.part_of
        return named and self.severity.rank >= report.severity.rank


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pattern: tuple[Pattern, ...]
    skip_frames: frozenset[str]


class Patterns:
    """All patterns, ready to be applied."""

    def __init__(self, data: dict[str, Any]) -> None:
        """Compile what ``patterns.toml`` holds.

        Raises:
            ValueError: the data is not of the form that the file describes.
        """
        parsed = msgspec.convert(data, _File)
        self.all = parsed.pattern
        self.skip_frames = parsed.skip_frames
        self._compiled = [(pattern, re.compile(pattern.regex)) for pattern in parsed.pattern]
        self._reads = {
            pattern.name: tuple(
                re.compile(text.replace("{frame}", FRAME)) for text in pattern.reads
            )
            for pattern in parsed.pattern
        }
        self._needles = sorted({n.encode() for pattern in parsed.pattern for n in pattern.needle})
        # Where a line's text may begin: at the line's start, after a stamp, a caller or a level.
        starts = sorted({s.encode() for pattern in parsed.pattern for s in pattern.start})
        self._starts = re.compile(rb"(?:\n|\] |>)" + _trie(starts))

    @property
    def names(self) -> frozenset[str]:
        """The names of all patterns."""
        return frozenset(pattern.name for pattern in self.all)

    def promising(self, block: bytes) -> list[int]:
        """Return where, in a block of whole lines, the lines begin that a pattern might match.

        The search is by literals alone and takes some 10 ns a byte; `match` has the last word.
        """
        padded = b"\n" + block
        hits: set[int] = set()
        at = 0
        while found := self._starts.search(padded, at):
            at = padded.index(b"\n", found.end())
            hits.add(block.rfind(b"\n", 0, found.end() - 1) + 1)
        for needle in self._needles:
            at = block.find(needle)
            while at >= 0:
                hits.add(block.rfind(b"\n", 0, at) + 1)
                at = block.find(needle, block.index(b"\n", at))
        return sorted(hits)

    def match(self, text: str) -> tuple[Pattern, dict[str, str]] | None:
        """Return the first pattern that the line (without its prefix) matches, and its groups."""
        for pattern, regex in self._compiled:
            if found := regex.match(text):
                groups = {name: value for name, value in found.groupdict().items() if value}
                return pattern, groups
        return None

    def reads(self, pattern: Pattern) -> tuple[re.Pattern[str], ...]:
        """Return what is searched in the lines of a report of this class."""
        return self._reads[pattern.name]


def _trie(words: list[bytes]) -> bytes:
    """Return a regular expression for any of the words, each common beginning written once.

    ``re`` tries alternatives one after the other; so written it fails at the first odd byte.
    """
    if b"" in words or not words:
        return b"" if words else b"(?!)"
    tails: dict[bytes, list[bytes]] = {}
    for word in words:
        tails.setdefault(word[:1], []).append(word[1:])
    branches = [re.escape(head) + _trie(rest) for head, rest in tails.items()]
    return branches[0] if len(branches) == 1 else b"(?:" + b"|".join(branches) + b")"


@cache
def bundled_patterns() -> Patterns:
    """Return the patterns that come with lpharness."""
    text = files("lpharness.console").joinpath("patterns.toml").read_text(encoding="utf-8")
    return Patterns(tomllib.loads(text))
