"""Which files a kernel is built from differ between two source packages, and which are taken."""

from __future__ import annotations

import random
from collections.abc import Iterable
from filecmp import cmp
from pathlib import Path


def changed_files(old: Path, new: Path, suffixes: tuple[str, ...] = (".c",)) -> list[str]:
    """Return the files of two source trees that differ or are new, by name, with a suffix."""
    found = []
    for path in new.rglob("*"):
        if path.suffix in suffixes and path.is_file() and not path.is_symlink():
            name = path.relative_to(new)
            before = old / name
            if not before.is_file() or not cmp(before, path, shallow=False):
                found.append(str(name))
    return sorted(found)


def draw(files: Iterable[str], *, sample: int, seed: int) -> list[str]:
    """Return files drawn at random by a seed, by name: the same whatever order they come in."""
    names = sorted(files)
    return sorted(random.Random(seed).sample(names, min(sample, len(names))))  # noqa: S311


def below(files: Iterable[str], folders: Iterable[str]) -> list[str]:
    """Return the files that lie in some folders, however deep, by name."""
    within = tuple(f"{folder.rstrip('/')}/" for folder in folders)
    return sorted(name for name in files if name.startswith(within))
