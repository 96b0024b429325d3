"""Edits of C text by what it says, not by line: they fit versions for which no diff was made.

An edit names a file, a function and a text in it that becomes another. The text is compared word by
word, so how it is spaced and broken into lines is of no account, and what comments say neither.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from itertools import pairwise

from msgspec import Struct

from lpharness.sources.apply import ChangeIsThere, DoesNotApply
from lpharness.sources.ctext import function_spans, without_comments
from lpharness.sources.diff import tree_path
from lpharness.sources.unified import unified_diff

_STRING = re.compile(r"""(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')""")
_WORD = re.compile(
    rf"\s+|[A-Za-z0-9_]+|{_STRING.pattern}"
    r"|->|\+\+|--|<<=|>>=|<<|>>|&&|\|\||\#\#|\.\.\.|[-+*/%&|^<>=!]=|.",
    re.DOTALL,
)
_CALLED = 60  # characters of a text that a message quotes


class Edit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In this file, in this function, this text becomes that."""

    file: str
    """Path in the tree, for example ``fs/ext4/mballoc.c``."""
    old: str
    """C text that must be there."""
    new: str
    """What comes instead; may be empty."""
    function: str = ""
    """Where; empty for anywhere in the file."""
    count: int = 1
    """How often ``old`` must be there; all of them change."""

    @property
    def place(self) -> str:
        """File and function, for messages."""
        return f"{self.file}: {self.function}()" if self.function else self.file


def edit_diff(read: Callable[[str], bytes | None], edits: Sequence[Edit]) -> str:
    """Return the unified diff that edits come to on a tree; each sees what those before it made.

    Args:
        read: gives a file of the tree (`lpharness.sources.tree.SourceTree.read`).
        edits: what to change, in order.

    Raises:
        InputError: a path leaves the tree, or the tree has no such file.
        DoesNotApply: an edit does not fit, or its outcome is there already; it names file and
            function.
    """
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for edit in edits:
        path = tree_path(edit.file)
        if path not in before:
            before[path] = after[path] = _read(read, path)
        after[path] = edited(after[path], edit)
    return "".join(unified_diff(path, before[path], after[path]) for path in before)


def edited(text: str, edit: Edit) -> str:
    """Return a file's text after an edit.

    Raises:
        DoesNotApply: it does not fit, or its outcome is there already.
    """
    code = without_comments(text)
    spans = _spans(text, edit)
    found = _places(code, edit.old, spans)
    there = _places(code, edit.new, spans)
    kept = [place for place in found if not any(_inside(place, other) for other in there)]
    if there and not kept:
        raise ChangeIsThere(
            f"{edit.place}: the change is in this kernel already: {_called(edit.new)} is there",
            hint="there is nothing to patch",
        )
    if len(kept) != edit.count:
        raise DoesNotApply(
            f"{edit.place}: {_called(edit.old)} is {_there(len(kept))}, "
            f"wanted {_times(edit.count)}",
            hint="is the edit made for this version of the kernel?"
            if len(kept) < edit.count
            else "give more of the text, name the function, or say `count`",
        )
    for begin, end in reversed(kept):
        text = text[:begin] + _indented(edit.new, text, begin) + text[end:]
    return text


def _read(read: Callable[[str], bytes | None], path: str) -> str:
    content = read(path)
    if content is None:
        raise DoesNotApply(
            f"this kernel's source has no {path}", hint="is the edit made for another version?"
        )
    return content.decode("utf-8", "surrogateescape")


def _spans(text: str, edit: Edit) -> list[tuple[int, int]]:
    if not edit.function:
        return [(0, len(text))]
    spans = function_spans(text, edit.function)
    if not spans:
        raise DoesNotApply(
            f"{edit.file} defines no function {edit.function}",
            hint="is the edit made for another version of the kernel?",
        )
    return spans


def _places(code: str, wanted: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return where a text is, word by word, in code without comments."""
    pattern = _pattern(wanted)
    if pattern is None:
        return []
    strings = [match.span() for match in _STRING.finditer(code)]
    places = [match.span() for span in spans for match in pattern.finditer(code, *span)]
    return [at for at in places if not any(begin < at[0] < end for begin, end in strings)]


def _pattern(wanted: str) -> re.Pattern[str] | None:
    """Return a pattern for C text in which white space between words is free."""
    words = [w for w in _WORD.findall(without_comments(wanted)) if not w.isspace()]
    if not words:
        return None
    parts = [r"(?<!\w)" if _wordy(words[0][0]) else "", re.escape(words[0])]
    for before, word in pairwise(words):
        # Two names need a space between them; what else stands together may, or may not.
        parts.append(r"\s+" if _wordy(before[-1]) and _wordy(word[0]) else r"\s*")
        parts.append(re.escape(word))
    parts.append(r"(?!\w)" if _wordy(words[-1][-1]) else "")
    return re.compile("".join(parts))


def _wordy(character: str) -> bool:
    return character.isalnum() or character == "_"


def _inside(place: tuple[int, int], other: tuple[int, int]) -> bool:
    return other[0] <= place[0] and place[1] <= other[1] and place != other


def _indented(new: str, text: str, at: int) -> str:
    """Return the new text with the indentation of the line it comes into."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    margin = line[: len(line) - len(line.lstrip())]
    body = textwrap.dedent(new.strip("\n")).rstrip()
    return body.replace("\n", f"\n{margin}")


def _called(text: str) -> str:
    plain = " ".join(text.split())
    return repr(plain if len(plain) <= _CALLED else plain[:_CALLED] + "…")


def _there(count: int) -> str:
    return f"there {_times(count)}" if count else "not there"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
