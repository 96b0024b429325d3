"""Applies a parsed diff to the content of files: exactly, though perhaps at other lines.

As patch(1) with ``--fuzz=0``: every line of a hunk must be there, but the whole may have moved. If
it could have moved to several places the diff is refused, since the nearest may be the wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.sources.diff import FileDiff, Hunk


class DoesNotApply(InputError):
    """A diff does not fit the file it names."""

    def __init__(
        self, message: str, *, hint: str | None = None, kind: str = "does-not-apply"
    ) -> None:
        super().__init__(message, hint=hint, kind=kind)


class ChangeIsThere(DoesNotApply):
    """What a diff would bring about is in the file already."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint, kind="already-there")


class Applied(Struct, frozen=True, kw_only=True):
    """A file after a diff."""

    content: bytes
    offsets: tuple[int, ...]
    """For each hunk, by how many lines it had moved."""


def apply_file(diff: FileDiff, content: bytes, name: str) -> Applied:
    """Return a file's content after a diff.

    Args:
        diff: what to do.
        content: the file before.
        name: what errors call it.

    Raises:
        DoesNotApply: a hunk does not fit, or fits in several places; it says if the change is
            there already.
    """
    text = content.decode("utf-8", "surrogateescape")
    hunks = _with_line_ends_of(text, diff.hunks)
    lines = split_lines(text)
    try:
        after, offsets = _apply(hunks, lines, name)
    except DoesNotApply as error:
        if _is_applied(hunks, lines):
            raise ChangeIsThere(
                f"{name}: the change is in this kernel already",
                hint="the kernel is newer than the fix; there is nothing to patch",
            ) from None
        raise error from None
    return Applied(content="".join(after).encode("utf-8", "surrogateescape"), offsets=offsets)


def split_lines(text: str) -> list[str]:
    """Return lines with their line feeds; a form feed or a carriage return parts no line."""
    *lines, rest = text.split("\n")
    return [line + "\n" for line in lines] + ([rest] if rest else [])


def _with_line_ends_of(text: str, hunks: Sequence[Hunk]) -> list[Hunk]:
    """Take carriage returns out of a diff that a mail program gave to all of its lines."""
    lines = [line for hunk in hunks for line in (*hunk.old, *hunk.new)]
    if "\r\n" in text or not lines or not all(line.endswith(("\r\n", "\r")) for line in lines):
        return list(hunks)

    def plain(side: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(line.replace("\r\n", "\n").removesuffix("\r") for line in side)

    return [
        Hunk(old_start=h.old_start, new_start=h.new_start, old=plain(h.old), new=plain(h.new),
             at=h.at)
        for h in hunks
    ]  # fmt: skip


def _apply(hunks: Sequence[Hunk], lines: list[str], name: str) -> tuple[list[str], tuple[int, ...]]:
    after: list[str] = []
    done = 0
    offsets: list[int] = []
    for number, hunk in enumerate(hunks, 1):
        expected = max(0, hunk.old_start - (1 if hunk.old else 0))
        near = expected + (offsets[-1] if offsets else 0)
        at = _find(hunk, lines, done, near, f"{name}: hunk {number} (line {hunk.at} of the diff)")
        after += [*lines[done:at], *hunk.new]
        done = at + len(hunk.old)
        offsets.append(at - expected)
    return after + lines[done:], tuple(offsets)


def _find(hunk: Hunk, lines: list[str], start: int, near: int, where: str) -> int:
    """Return the index at which a hunk's old lines are, not before ``start``."""
    if not hunk.old:
        if near > len(lines):
            raise DoesNotApply(f"{where} does not apply: the file has only {len(lines)} lines")
        return max(start, near)
    if near >= start and _fits(hunk, lines, near):
        return near
    places = [at for at in range(start, len(lines) - len(hunk.old) + 1) if _fits(hunk, lines, at)]
    if len(places) == 1:
        return places[0]
    if places:
        raise DoesNotApply(
            f"{where} does not fit at line {near + 1}, but at each of the lines "
            + ", ".join(str(at + 1) for at in places[:8]),
            hint="make the diff anew against this kernel's source, or with more context",
        )
    why = _what_differs(hunk, lines, near)
    raise DoesNotApply(
        f"{where} does not apply at line {near + 1} or elsewhere: {why}",
        hint="is it made for this version of the kernel?",
    )


def _fits(hunk: Hunk, lines: list[str], at: int) -> bool:
    return lines[at] == hunk.old[0] and tuple(lines[at : at + len(hunk.old)]) == hunk.old


def _what_differs(hunk: Hunk, lines: list[str], near: int) -> str:
    there = set(lines)
    for wanted in hunk.old:
        if wanted.strip() and wanted not in there:
            return f"the file has no line {wanted.strip()[:70]!r}"
    for number, wanted in enumerate(hunk.old):
        found = lines[near + number] if near + number < len(lines) else ""
        if wanted != found:
            return f"wanted {wanted.strip()[:70]!r}, found {found.strip()[:70]!r}"
    return "its lines are there, but not together"


def _is_applied(hunks: Sequence[Hunk], lines: list[str]) -> bool:
    """Say whether a diff's outcome is what the file holds."""
    reverse = [
        Hunk(old_start=h.new_start, new_start=h.old_start, old=h.new, new=h.old, at=h.at)
        for h in hunks
    ]
    try:
        _apply(reverse, lines, "")
    except DoesNotApply:
        return False
    return any(hunk.new for hunk in hunks)
