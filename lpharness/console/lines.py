"""From console bytes to clean lines: what firmware, terminals and printk add is taken off."""

from __future__ import annotations

import re

from msgspec import Struct

LONGEST_LINE = 8192
"""Bytes of a line that are looked at; printk's own limit is about 1 KiB."""

# ECMA-48 control sequences, and the two-byte escapes that SeaBIOS uses to reset the terminal.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_a-z0-9=>])")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# printk's prefix: level (<6>), seconds since boot, and the caller where PRINTK_CALLER is set. It is
# searched, not matched: a program that ended its output without a newline leaves it in mid-line.
_STAMP = re.compile(r"(?:<\d{1,3}>)?\[ *(\d{1,10}\.\d{6})\](?:\[ *([TC]\d+)\])? ?")


class Line(Struct, frozen=True):
    """A console line, cleaned."""

    number: int
    """1-based, counted by newlines."""
    stamp: float | None
    """The kernel's own seconds since boot; ``None`` on a line without a stamp."""
    caller: str
    """``T<pid>`` or ``C<cpu>`` where the kernel prints it, else empty."""
    text: str
    """What was said, without the prefix."""


def clean(raw: bytes) -> str:
    """Return a raw line as text: bad UTF-8 replaced, escapes and control characters removed."""
    text = raw[:LONGEST_LINE].decode("utf-8", errors="replace")
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    return _CONTROLS.sub("", text).rstrip()


def parse_line(number: int, raw: bytes) -> Line:
    """Return a raw line without its newline as a `Line`."""
    text = clean(raw)
    found = _STAMP.search(text)
    if found is None:
        return Line(number, None, "", text.lstrip())
    return Line(number, float(found[1]), found[2] or "", text[found.end() :])


class LineBuffer:
    """Cuts a stream into blocks of whole lines and holds no more than one line back.

    What a line has beyond `LONGEST_LINE` bytes is dropped, so memory stays bounded whatever comes.
    """

    def __init__(self) -> None:
        self._rest = bytearray()

    def push(self, data: bytes) -> bytes:
        """Return the whole lines that ``data`` completes, each with its newline."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._keep(data)
            return b""
        first = data.index(b"\n")
        self._keep(data[:first])
        block = bytes(self._rest) + data[first:end]
        self._rest.clear()
        self._keep(data[end:])
        return block

    def flush(self) -> bytes:
        """Return the unfinished last line, without a newline; empty if there is none."""
        block = bytes(self._rest)
        self._rest.clear()
        return block

    def _keep(self, data: bytes) -> None:
        self._rest += data[: LONGEST_LINE - len(self._rest)]
