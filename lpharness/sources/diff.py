"""Unified diffs, as ``diff -u``, git and mail programs write them, read as untrusted text.

Nothing of a diff is ever run or interpreted by a shell, and a path in it that leaves the tree is
refused. What is around the diffs (a mail's head, a changelog) is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from msgspec import Struct

from lpharness.base.errors import InputError

LARGEST = 32 << 20
"""Bytes of a diff that are read at most."""
_LONGEST_PATH, _LONGEST_NAME = 1024, 200  # characters; the kernel's own stay far below
NO_NEWLINE = "\\ No newline at end of file"
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_GIT = re.compile(r'diff --git ("?a/.*"?) ("?b/.*"?)$')
_GIT_HEAD = re.compile(
    r"(old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to"
    r"|rename old|rename new|similarity index|dissimilarity index|index) (.*)"
)
_ESCAPE = re.compile(r'\\([abtnvfr"\\]|[0-3][0-7]{2})')
_ESCAPED = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}


class Hunk(Struct, frozen=True, kw_only=True):
    """One place that changes."""

    old_start: int
    """Line number, from 1; 0 in an empty file."""
    new_start: int
    old: tuple[str, ...]
    """Lines that must be there, each with its line feed unless it is the file's last without."""
    new: tuple[str, ...]
    """Lines that come instead."""
    at: int
    """Line of the diff, from 1."""


class FileDiff(Struct, frozen=True, kw_only=True):
    """What a diff does to one file."""

    old: str | None
    """As written, or ``None`` for a file that the diff makes."""
    new: str | None
    """As written, or ``None`` for a file that it removes."""
    hunks: tuple[Hunk, ...]
    at: int
    """Line of the diff, from 1."""
    git: bool = False
    """Whether git wrote it, so that ``a/`` and ``b/`` are no folders."""
    copied: bool = False
    """Whether the old file stays although the name changes."""

    @property
    def name(self) -> str:
        """The path by which people know the file, as written."""
        return self.new or self.old or ""


def tree_path(name: str) -> str:
    """Return a path of the tree in its plain form.

    Raises:
        InputError: it is absolute, leaves the tree, or is no path.
    """
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts:
        raise InputError(
            f"the path {name!r} leaves the kernel tree", hint="a diff may only name files in it"
        )
    long = len(name) > _LONGEST_PATH or any(len(part) > _LONGEST_NAME for part in pure.parts)
    if not name.isprintable() or str(pure) == "." or long:
        raise InputError(f"{name[:80]!r} is no path in the kernel tree")
    return str(pure)


def parse_diff(text: str) -> list[FileDiff]:
    """Return what a diff does, file by file; a file may come more than once.

    Args:
        text: one diff or several, with whatever a mail or ``git format-patch`` puts around.

    Raises:
        InputError: it holds no diff, is cut short or mangled, or is of a kind that cannot be
            applied (a merge's combined diff, a binary one).
    """
    if len(text) > LARGEST:
        raise InputError(f"the diff is larger than {LARGEST >> 20} MiB")
    parser = _Parser(text)
    found = list(parser.files())
    if not found and parser.modes:
        raise InputError(
            "the diff changes only the modes of files", hint="there is nothing to patch"
        )
    if not found:
        raise InputError("no diff in it", hint="a unified diff is wanted: git diff, or diff -u")
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.at = 0
        self.modes = 0
        """Files of which only the mode changes."""
        if self.lines and self.lines[-1] == "":
            self.lines.pop()

    def files(self) -> Iterator[FileDiff]:
        while self.at < len(self.lines):
            line = self._line()
            self._refuse(line)
            if match := _GIT.match(line):
                if (found := self._git(match)) is not None:
                    yield found
            elif self._at_names():
                yield self._plain(old=None, new=None, at=self.at + 1, git=False, copied=False)
            elif _HUNK.match(line):
                raise self._fail("a hunk without the names of its file (--- and +++)")
            else:
                self.at += 1

    def _refuse(self, line: str) -> None:
        if line.startswith(("diff --cc ", "diff --combined ", "@@@ ")):
            raise InputError(
                f"line {self.at + 1} of the diff: the combined diff of a merge cannot be applied",
                hint="take it against one parent: git diff MERGE^1 MERGE",
            )
        if line.startswith("GIT binary patch") or re.match(r"Binary files .* differ$", line):
            raise InputError(f"line {self.at + 1} of the diff: binary files cannot be patched live")

    def _git(self, match: re.Match[str]) -> FileDiff | None:
        """Read git's own lines on a file, and its hunks if it has any."""
        at = self.at + 1
        head: dict[str, str] = {}
        self.at += 1
        while self.at < len(self.lines):
            line = self._line()
            self._refuse(line)
            if self._at_names():
                old, new = _from_git(match, head)
                return self._plain(old=old, new=new, at=at, git=True, copied="copy from" in head)
            known = _GIT_HEAD.match(line)
            if not known:
                break
            head[known[1]] = known[2]
            self.at += 1
        old, new = _from_git(match, head)
        if old and new and old[2:] == new[2:]:  # less a/ and b/
            self.modes += 1
            return None
        return FileDiff(
            old=old, new=new, hunks=(), at=at, git=True, copied="copy from" in head
        )  # fmt: skip

    def _plain(
        self, *, old: str | None, new: str | None, at: int, git: bool, copied: bool
    ) -> FileDiff:
        """Read the two names and the hunks after them."""
        before, after = (_name(self._line(self.at + i)[4:]) for i in (0, 1))
        self.at += 2
        hunks = tuple(self._hunks())
        if not hunks:
            raise self._fail("no hunk after the names of a file")
        if not git:
            old, new = before, after
            git = bool(
                (before is None or before.startswith("a/"))
                and (after is None or after.startswith("b/"))
            )
        if old is None and new is None:
            raise self._fail("a file that is neither before nor after the change")
        return FileDiff(old=old, new=new, hunks=hunks, at=at, git=git, copied=copied)

    def _hunks(self) -> Iterator[Hunk]:
        while self.at < len(self.lines):
            line = self._line()
            self._refuse(line)
            match = _HUNK.match(line)
            if match is None:
                return
            at = self.at + 1
            self.at += 1
            old_left = 1 if match[2] is None else int(match[2])
            new_left = 1 if match[4] is None else int(match[4])
            old, new = self._body(old_left, new_left)
            yield Hunk(
                old_start=int(match[1]), new_start=int(match[3]), old=tuple(old), new=tuple(new),
                at=at,
            )  # fmt: skip

    def _body(self, old_left: int, new_left: int) -> tuple[list[str], list[str]]:
        old: list[str] = []
        new: list[str] = []
        last: tuple[list[str], ...] = ()
        while old_left or new_left or (last and self._at_no_newline()):
            if self.at >= len(self.lines):
                raise self._fail("the diff is cut short")
            line = self.lines[self.at]
            tag, rest = (line[:1], line[1:]) if line not in ("", "\r") else (" ", line)
            if tag == "\\" and last:
                for side in last:
                    side[-1] = side[-1].removesuffix("\n")
                last = ()
                self.at += 1
                continue
            last = {" ": (old, new), "-": (old,), "+": (new,)}.get(tag, ())
            if not last:
                raise self._fail(f"not a line of a hunk: {line[:60]!r}")
            for side in last:
                side.append(rest + "\n")
            old_left -= tag != "+"
            new_left -= tag != "-"
            if old_left < 0 or new_left < 0:
                raise self._fail("a hunk has other lines than its head says")
            self.at += 1
        return old, new

    def _at_no_newline(self) -> bool:
        return self.at < len(self.lines) and self.lines[self.at].startswith("\\")

    def _at_names(self) -> bool:
        return (
            self._line().startswith("--- ")
            and self._line(self.at + 1).startswith("+++ ")
            and _HUNK.match(self._line(self.at + 2)) is not None
        )

    def _line(self, at: int | None = None) -> str:
        at = self.at if at is None else at
        return self.lines[at].removesuffix("\r") if at < len(self.lines) else ""

    def _fail(self, what: str) -> InputError:
        return InputError(
            f"line {min(self.at + 1, len(self.lines))} of the diff: {what}",
            hint="has a mail program broken its lines?",
        )


def _from_git(match: re.Match[str], head: dict[str, str]) -> tuple[str | None, str | None]:
    """Return the names before and after, without ``a/`` and ``b/`` where git leaves them out."""
    old = head.get("rename from") or head.get("copy from") or head.get("rename old")
    new = head.get("rename to") or head.get("copy to") or head.get("rename new")
    before = "a/" + _unquote(old) if old else _unquote(match[1])
    after = "b/" + _unquote(new) if new else _unquote(match[2])
    return (
        None if "new file mode" in head else before,
        None if "deleted file mode" in head else after,
    )


def _name(text: str) -> str | None:
    """Return the name in what follows ``---`` or ``+++``, where a date may come after a tab."""
    name = text if text.startswith('"') else text.partition("\t")[0].rstrip(" ")
    name = _unquote(name)
    return None if name == "/dev/null" else name


def _unquote(name: str) -> str:
    """Undo git's quoting of names with odd characters (quote_c_style() in its quote.c)."""
    if not (name.startswith('"') and name.endswith('"') and len(name) > 1):
        return name

    def plain(match: re.Match[str]) -> str:
        return chr(_ESCAPED[match[1]] if match[1] in _ESCAPED else int(match[1], 8))

    return (
        _ESCAPE.sub(plain, name[1:-1])
        .encode("latin-1", "surrogateescape")
        .decode("utf-8", "surrogateescape")
    )
