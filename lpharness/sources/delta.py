"""What changed in a file between two source packages, as a diff: a fix as it was shipped."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from pathlib import Path

from lpharness.archive import Archive
from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.sources.apply import split_lines
from lpharness.sources.ctext import function_spans
from lpharness.sources.diff import tree_path
from lpharness.sources.package import unpack_source
from lpharness.sources.unified import unified_diff


def delta(
    old_version: str,
    new_version: str,
    paths: str | Sequence[str],
    *,
    functions: Collection[str] = (),
    archive: Archive | None = None,
    progress: Progress = SILENT,
) -> str:
    """Return the unified diff of files between two versions of Debian's kernel source.

    Args:
        old_version: of ``linux-source-*``, for example ``6.1.192-1``. It may be the newer one:
            that gives a kernel an old flaw back.
        new_version: likewise.
        paths: files of the tree, such as ``fs/ext4/mballoc.c``.
        functions: take only what changed in these; empty for all.
        archive: where the packages are.
        progress: told of downloads and unpacking.

    Raises:
        InputError: a version is not in the archive, neither has the file, nothing changed, or
            nothing in one of the functions.
        HostError: a package cannot be fetched or unpacked.
    """
    archive = archive or Archive(progress=progress)
    names = [tree_path(name) for name in ([paths] if isinstance(paths, str) else paths)]
    old, new = (
        unpack_source(version, archive, progress=progress) for version in (old_version, new_version)
    )
    pairs = [(name, _text(old / name), _text(new / name)) for name in names]
    for name, before, after in pairs:
        if before is None and after is None:
            raise InputError(f"neither version has {name}")
    if functions:
        pairs = _only(functions, pairs)
    text = "".join(unified_diff(*pair) for pair in pairs)
    if not text:
        raise InputError(
            f"{', '.join(names)}: the same in {old_version} and {new_version}",
            hint="is it the right file, and are these the right versions?",
        )
    return text


Pair = tuple[str, str | None, str | None]


def _only(functions: Collection[str], pairs: Sequence[Pair]) -> list[Pair]:
    """Undo what changed outside of functions."""
    changed: set[str] = set()
    kept = []
    for name, before, after in pairs:
        text, inside = within(before or "", after or "", functions)
        changed |= inside
        kept.append((name, before, text if after is not None or text else None))
    for function in functions:
        if function not in changed:
            raise InputError(
                f"{', '.join(name for name, _, _ in pairs)}: nothing changed in {function}()",
                hint="is it the right function, and are these the right versions?",
            )
    return kept


def within(before: str, after: str, functions: Collection[str]) -> tuple[str, set[str]]:
    """Return a text after those changes only that touch a function, and the functions touched.

    A change touches a function if a line of it lies in the function before or after it.
    """
    old, new = split_lines(before), split_lines(after)
    spans = {
        function: (_lines_of(before, function), _lines_of(after, function))
        for function in functions
    }
    changed: set[str] = set()
    text: list[str] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, begin, end, new_begin, new_end in matcher.get_opcodes():
        if tag == "equal":
            text += old[begin:end]
            continue
        inside = {
            function
            for function, (lines, new_lines) in spans.items()
            if _meet(lines, begin, end) or _meet(new_lines, new_begin, new_end)
        }
        text += new[new_begin:new_end] if inside else old[begin:end]
        changed |= inside
    return "".join(text), changed


def _lines_of(text: str, function: str) -> list[tuple[int, int]]:
    """Return the lines of a function's definitions, from 0, the last one not included."""
    return [
        (text.count("\n", 0, begin), text.count("\n", 0, end) + 1)
        for begin, end in function_spans(text, function)
    ]


def _meet(spans: Sequence[tuple[int, int]], begin: int, end: int) -> bool:
    return any(first < end and begin < last for first, last in spans if begin < end)


def _text(path: Path) -> str | None:
    if not path.exists():
        return None
    return path.read_bytes().decode("utf-8", "surrogateescape")
