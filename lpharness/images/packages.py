"""Debian packages laid into a tree, as far as a guest needs them.

Maintainer scripts are never run. What they would have done that matters here is data: links and
overlays of the recipe, and the merged ``/usr`` that ``usrmerge`` leaves.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment, Segment

from lpharness.base.architecture import ARCHITECTURES
from lpharness.base.errors import InputError
from lpharness.images.tree import File, Symlink, Tree, from_folder

_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_LIBRARY_FOLDERS = (
    *(f"usr/lib/{one.gnu}" for one in ARCHITECTURES.values()), "usr/lib64", "usr/lib"
)  # fmt: skip
"""Where ld.so looks without ``ld.so.cache`` (Debian's multiarch folder is compiled into it)."""


def merged_usr() -> Tree:
    """Return an empty system whose ``/bin``, ``/lib`` and so on are links into ``/usr``."""
    tree = Tree()
    for name in _MERGED:
        tree.add_folder(f"usr/{name}")
        tree.add(name, Symlink(f"usr/{name}"))
    return tree


def lay(folders: Iterable[Path], *, keep: tuple[str, ...], drop: tuple[str, ...]) -> Tree:
    """Return the tree of unpacked packages, thinned as the recipe's ``keep`` and ``drop`` say.

    Raises:
        InputError: two packages do not go together, or a pattern of ``keep`` matches nothing.
    """
    tree = merged_usr()
    for folder in folders:
        try:
            tree.merge(from_folder(folder))
        except ValueError as error:
            raise InputError(f"the package in {folder} does not fit: {error}") from error
    tree.remove(drop)
    if keep:
        tree.keep(_with_libraries(tree, _matching(tree, keep)) | set(_MERGED))
    return tree


def _matching(tree: Tree, patterns: tuple[str, ...]) -> set[str]:
    found = set()
    for pattern in patterns:
        matches = {path for path in tree.entries if fnmatchcase(path, pattern)}
        if not matches:
            raise InputError(f"no file of the recipe's packages matches keep {pattern!r}")
        found |= matches
    return found


def _with_libraries(tree: Tree, paths: set[str]) -> set[str]:
    """Return ``paths``, what their links lead to, and the shared libraries that they need."""
    found: set[str] = set()
    queue = sorted(paths)
    while queue:
        path = queue.pop()
        if path in found or path not in tree.entries:
            continue
        found.add(path)
        entry = tree.entries[path]
        if isinstance(entry, Symlink):
            queue.append(tree.follow(path))
        elif isinstance(entry, File):
            queue += _libraries(tree, path, entry)
    return found


def _libraries(tree: Tree, user: str, file: File) -> list[str]:
    """Return the paths of what the dynamic linker would load for a file, and of the linker."""
    linking = _linking(file)
    origin = posixpath.dirname("/" + user)
    own = [place.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for place in linking.paths]
    found = []
    for name in linking.needed:
        places = [""] if "/" in name else [*own, *_LIBRARY_FOLDERS]
        candidates = (tree.resolve(posixpath.join(place, name)) for place in places)
        path = next((path for path in candidates if path in tree.entries), None)
        if path is None:
            raise InputError(f"{user} needs {name}, which no package of the recipe has")
        found.append(path)
    return found


class _Linking(NamedTuple):
    """What an ELF file asks of the dynamic linker."""

    needed: list[str]
    paths: list[str]
    """Folders of ``DT_RUNPATH`` or ``DT_RPATH``."""


def _linking(file: File) -> _Linking:
    linking = _Linking([], [])
    if isinstance(file.content, Path):
        with file.content.open("rb") as stream, suppress(ELFError):  # a script, or data
            for segment in ELFFile(stream).iter_segments():
                _read_segment(segment, linking)
    return linking


def _read_segment(segment: Segment, linking: _Linking) -> None:
    if isinstance(segment, InterpSegment):
        linking.needed.append(posixpath.normpath(segment.get_interp_name()))
    elif isinstance(segment, DynamicSegment):
        for tag in segment.iter_tags():
            match tag.entry.d_tag:
                case "DT_NEEDED":
                    linking.needed.append(tag.needed)  # type: ignore[attr-defined]
                case "DT_RUNPATH":
                    linking.paths.extend(tag.runpath.split(":"))  # type: ignore[attr-defined]
                case "DT_RPATH":
                    linking.paths.extend(tag.rpath.split(":"))  # type: ignore[attr-defined]
