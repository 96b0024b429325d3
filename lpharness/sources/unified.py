"""Writes unified diffs of kernel files, as `lpharness.sources.diff` reads them."""

from __future__ import annotations

import difflib

from lpharness.sources.apply import split_lines


def unified_diff(name: str, before: str | None, after: str | None) -> str:
    """Return the unified diff of one file; empty if nothing changes.

    Args:
        name: its path in the tree.
        before: its text, or ``None`` if the diff makes it.
        after: likewise, ``None`` if the diff removes it.
    """
    lines = difflib.unified_diff(
        split_lines(before or ""),
        split_lines(after or ""),
        "/dev/null" if before is None else f"a/{name}",
        "/dev/null" if after is None else f"b/{name}",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
