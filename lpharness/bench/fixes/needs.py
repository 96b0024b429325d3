"""What else a fix needs that does not compile by itself: told from the compiler's own words.

A file's change often leans on a header's, or on a function that another file's change adds. Those
changes are looked for, the fewest that bring the names that the compiler misses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path, PurePosixPath

from lpharness.bench.fixes.sample import changed_files

_MISSED = (
    re.compile(r"implicit declaration of function '(\w+)'"),
    re.compile(r"'(\w+)' undeclared"),
    re.compile(r"has no member named '(\w+)'"),
    re.compile(r"too (?:many|few) arguments to function '(\w+)'"),
    re.compile(r"unknown type name '(\w+)'"),
    re.compile(r"(?:incomplete|undefined) type '(?:struct|union|enum) (\w+)'"),
    re.compile(r"conflicting types for '(\w+)'"),
    re.compile(r"the patch needs (\w+),"),
)  # fmt: skip
_NO_FILE = re.compile(r"fatal error: (\S+): No such file or directory")
_WORD = re.compile(rb"[A-Za-z_]\w+")


def missed_names(said: str) -> set[str]:
    """Return the identifiers that a compiler, or the engine's resolver, does not know."""
    return {name for pattern in _MISSED for name in pattern.findall(said)}


def providers(said: str, old: Path, new: Path, have: Iterable[str]) -> tuple[str, ...]:
    """Return the changed files that bring what is missed: headers, or else sources.

    Args:
        said: the compiler's errors, or the engine's.
        old: the source before.
        new: the source after.
        have: files that are in the diff already.
    """
    have = set(have)
    absent = {PurePosixPath(name).name for name in _NO_FILE.findall(said)}
    names = missed_names(said)
    for suffix in (".h", ".c"):
        found = {
            file
            for file, words in _additions(old, new, suffix).items()
            if file not in have and (words & names or PurePosixPath(file).name in absent)
        }
        if found:
            return tuple(sorted(_nearest(found, have)))
    return ()


def _nearest(found: set[str], have: set[str]) -> set[str]:
    """Return those in the folders of the fix itself, or in ``include/``; else all."""
    folders = {str(PurePosixPath(file).parent) for file in have}
    near = {file for file in found if str(PurePosixPath(file).parent) in folders}
    shared = {file for file in found if file.startswith(("include/", "arch/x86/include/"))}
    return near or shared or found


@cache
def _additions(old: Path, new: Path, suffix: str) -> dict[str, frozenset[str]]:
    """Return, for each changed file, the identifiers in the lines that came."""
    return {
        name: frozenset(_added_words(old / name, new / name))
        for name in changed_files(old, new, (suffix,))
    }


def _added_words(before: Path, after: Path) -> Iterable[str]:
    known = set(before.read_bytes().splitlines()) if before.is_file() else set()
    for line in after.read_bytes().splitlines():
        if line not in known:
            yield from (word.decode() for word in _WORD.findall(line))
