"""A kernel tree after diffs, in memory: nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from lpharness.base.errors import InputError
from lpharness.sources.apply import DoesNotApply, apply_file
from lpharness.sources.diff import FileDiff, parse_diff, tree_path


class Diffed:
    """Files of a tree as diffs leave them."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        """Begin with a tree that no diff has changed yet.

        Args:
            read: gives a file of the tree, or ``None``.
        """
        self._read = read
        self.contents: dict[str, bytes | None] = {}
        """Each touched file after the diffs; ``None`` if it is gone."""
        self.offsets: dict[str, list[int]] = {}
        """By how many lines each hunk had moved."""

    def read(self, path: str) -> bytes | None:
        """Return a file after the diffs, or ``None`` if there is none of that name."""
        return self.contents[path] if path in self.contents else self._read(path)

    def apply(self, diff: str) -> Self:
        """Apply a diff on top of those before it.

        Raises:
            InputError: the text is no diff, names paths outside the tree, or does not apply.
        """
        changed: set[str] = set()
        for file in parse_diff(diff):
            self._apply(file, changed)
        return self

    def _apply(self, file: FileDiff, changed: set[str]) -> None:
        """Apply what a diff does to one file, and add it to those that the diff has changed."""
        old = self._named(file.old, file) if file.old is not None else None
        new = self._named(file.new, file, beside=old) if file.new is not None else None
        before = b""
        if old is not None:
            found = self.read(old)
            if found is None:
                raise InputError(
                    f"line {file.at} of the diff: this kernel's source has no {old}",
                    hint="is the diff made for another version?",
                    kind="does-not-apply",
                )
            before = found
        elif new is not None and self.read(new):
            raise InputError(
                f"line {file.at} of the diff makes {new}, which is there already",
                hint="the change may be in this kernel",
                kind="does-not-apply",
            )
        try:
            applied = apply_file(file, before, new or old or "")
        except DoesNotApply as error:
            if old not in changed:
                raise
            raise DoesNotApply(
                f"line {file.at} of the diff changes {old} again, and does not fit what it made of "
                f"it before: {error.message}",
                hint="is the same change in it twice?",
            ) from None
        changed |= {name for name in (old, new) if name}
        if old is not None and old != new and not file.copied:
            self.contents[old] = None
        if new is not None:
            self.contents[new] = applied.content
            self.offsets.setdefault(new, []).extend(applied.offsets)

    def _named(self, name: str, file: FileDiff, *, beside: str | None = None) -> str:
        """Return the file of the tree that a diff means, with or without a first folder."""
        tree_path(name)  # refuses what leaves the tree
        _, _, rest = name.partition("/")
        choices = [rest, name] if file.git and rest else [name, rest]
        choices = [tree_path(choice) for choice in choices if choice]
        for choice in choices:
            if self.read(choice) is not None:
                return choice
        if beside is not None and name.endswith(beside):
            return beside
        return choices[0]
