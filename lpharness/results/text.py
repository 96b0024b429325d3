"""Making text of a guest or a case harmless to show: it may hold anything.

Nothing is dropped in silence: a character that would act instead of being seen (terminal escapes,
bidirectional overrides, what XML forbids) is replaced by a visible stand-in.
"""

from __future__ import annotations

import re

_ACTING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 but tab and line feed
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # zero width, bidi, separators
    "\ud800-\udfff\ufffe\uffff"  # not characters, not allowed in XML
    "]"
)


def _stand_in(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"  # few fonts have the Control Pictures block


def visible(text: str) -> str:
    """Return ``text`` with nothing in it that acts; tabs and line feeds stay."""
    return _ACTING.sub(_stand_in, text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 300) -> str:
    """Return ``text`` as one visible line of at most ``limit`` characters and a note."""
    line = visible(text.strip().replace("\r\n", "\n")).replace("\n", " ↵ ").replace("\t", " ")
    return shorten(line, limit)


def block(text: str, limit: int = 4000, lines: int = 60) -> str:
    """Return ``text`` as visible lines, cut to a length and a number of lines with a note."""
    rows = visible(text).rstrip("\n").split("\n")
    kept = shorten("\n".join(rows[:lines]), limit)
    return f"{kept}\n… {len(rows) - lines:,} more lines" if len(rows) > lines else kept


def shorten(text: str, limit: int) -> str:
    """Return ``text``, cut after ``limit`` characters with a note of how many are left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text) - limit:,} more characters)"


def seconds(value: float | None) -> str:
    """Return a duration for a person: ``1.28 s``, ``21 ms``; a dash for none."""
    if value is None:
        return "–"  # noqa: RUF001
    if abs(value) < 0.0005:
        return "0 s" if value == 0 else f"{value * 1e6:.0f} µs"
    if abs(value) < 0.9995:
        return f"{value * 1e3:.0f} ms"
    return f"{value:.2f} s" if abs(value) < 99.995 else f"{value:.0f} s"


def rate(value: float | None) -> str:
    """Return operations per second for a person: ``17,900/s``; a dash for none."""
    if value is None:
        return "–"  # noqa: RUF001
    return f"{value:,.0f}/s" if value >= 10 else f"{value:.2g}/s"
