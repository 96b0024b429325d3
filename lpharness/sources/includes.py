"""Which files may include which, read from the text of a whole tree once.

Only names are compared, not include paths, and conditions are ignored; so the answer holds every
file that does include a given one, and a few that don't. The compiler tells these apart.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from lpharness.base.cache import Cache
from lpharness.base.errors import HostError
from lpharness.base.process import run_to_end
from lpharness.sources.tree import SourceTree

_KIND = "includes"
_RECIPE = 4
_PATTERN = r'^[[:space:]]*#[[:space:]]*include[[:space:]]*["<][^">]+'
_SUFFIXES = (".c", ".h", ".S", ".inc", ".tbl")


class Includers:
    """The index of one tree: by a file's name, who includes something of that name."""

    def __init__(self, index: bytes | mmap.mmap, source: Path) -> None:
        """Take an index that `load_includers` made of the tree in ``source``."""
        self._index = index
        self._source = source

    def of(self, path: str) -> list[str]:
        """Return the files with an ``#include`` that may mean ``path``."""
        wanted = PurePosixPath(path)
        found = []
        start = f"{wanted.name}\t".encode()
        at = self._first(start)
        while self._index[at : at + len(start)] == start:
            end = self._index.find(b"\n", at)
            _, spelled, includer = self._index[at:end].decode(errors="replace").split("\t")
            if self._may_mean(spelled, includer, wanted):
                found.append(includer)
            at = end + 1
        return found

    def _first(self, start: bytes) -> int:
        """Return where the first line is that is not before ``start``; the lines are sorted."""
        low, high = 0, len(self._index)  # always at the start of a line, or at the end
        while low < high:
            middle = self._index.rfind(b"\n", low, (low + high) // 2) + 1 or low
            if self._index[middle : middle + len(start)] < start:
                low = self._index.find(b"\n", middle) + 1
            else:
                high = middle
        return low

    def units(self, path: str, *, most: int) -> tuple[set[str], bool]:
        """Return the ``.c`` files that may include ``path``, directly or not.

        Args:
            path: a file of the tree.
            most: stop when there are more than so many.

        Returns:
            The files, and whether they are all.
        """
        seen, units = {path}, set()
        waiting = [path]
        while waiting:
            for includer in self.of(waiting.pop()):
                if includer in seen:
                    continue
                seen.add(includer)
                waiting.append(includer)
                if includer.endswith(".c"):
                    units.add(includer)
                if len(units) > most:
                    return units, False
        return units, True

    def _may_mean(self, spelled: str, includer: str, wanted: PurePosixPath) -> bool:
        """Say whether ``"name`` or ``<name`` in one file may be another."""
        name, folder = spelled[1:], os.path.dirname(includer)  # noqa: PTH120
        if spelled[0] == '"':
            beside = os.path.normpath(f"{folder}/{name}")
            if beside == str(wanted):
                return True
            if os.path.exists(self._source / beside):  # noqa: PTH110
                return False  # the neighbour comes before all include paths
        parts = tuple(part for part in PurePosixPath(name).parts if part not in ("..", "."))
        if wanted.parts[-len(parts) :] != parts:
            return False
        if len(parts) > 1 or "/include/" in f"/{wanted}":
            return True
        # By an include path of the makefile's (-I), which leads to the same area.
        return wanted.parts[0] == PurePosixPath(includer).parts[0]


def load_includers(
    tree: SourceTree, *, cache: Cache | None = None, below: Collection[str] = ()
) -> Includers:
    """Return the index of a tree; of a user's own tree it is made anew each time.

    Args:
        tree: the tree.
        cache: the user's, unless given.
        below: the folders to look into in a user's own tree; all if empty.

    Raises:
        HostError: the tree cannot be searched.
    """
    source = tree.layers[-1]
    if tree.own:
        return Includers(_index(source, below), source)

    def build(folder: Path) -> None:
        (folder / "index").write_bytes(_index(source, ()))

    entry = (cache or Cache()).get(_KIND, f"{_RECIPE}-{source.name}", build)
    with (entry / "index").open("rb") as file:
        return Includers(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), source)


def _index(source: Path, below: Collection[str]) -> bytes:
    done = run_to_end(
        ["grep", "-rHoIE", *(f"--include=*{suffix}" for suffix in _SUFFIXES), "-e", _PATTERN,
         "--", *(sorted(below) or ["."])],
        what="search the kernel's source", seconds=600, folder=source,
        environment={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    if done.status > 1:
        raise HostError(f"cannot search {source}: {done.said.strip()[-200:]}")
    found = re.findall(rb'^(?:\./)?([^:\n]+):[^"<\n]*(["<][^\n]+)$', done.output, re.MULTILINE)
    rows = {
        b"%s\t%s\t%s\n" % (re.split(rb'["</]', spelled)[-1], spelled, path)
        for path, spelled in found
    }
    return b"".join(sorted(rows))
