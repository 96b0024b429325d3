"""A folder that looks like a kernel tree, in which files may be changed without touching the tree.

Several trees lie on top of each other, the first one wins. A folder that only one of them has is
one symbolic link; one that several have, or that was *opened*, is a real folder of such links. So
laying out takes milliseconds and a few hundred links, needs no mount and no root, and whatever is
written in an opened folder stays in the overlay.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lpharness.base.errors import HostError


class Overlay:
    """One such folder."""

    def __init__(self, folder: Path, layers: Sequence[Path]) -> None:
        """Lay the layers out in ``folder``, which is made if need be.

        Args:
            folder: where; on any file system that has symbolic links.
            layers: the trees, absolute; where two have a file, the first one's is taken.
        """
        self.folder = folder
        self._layers = tuple(layers)
        folder.mkdir(exist_ok=True)
        self._lay(folder, "")

    def open(self, directory: str) -> Path:
        """Make a folder of the tree a real one, so that files can be written in it."""
        at = self.folder
        for part in PurePosixPath(directory).parts:
            at = at / part
            if at.is_symlink():
                at.unlink()
            elif at.is_dir():
                continue
            at.mkdir()
            self._lay(at, str(at.relative_to(self.folder)))
        return at

    def write(self, path: str, content: bytes) -> Path:
        """Put a file over what the layers have there."""
        target = self._clear(path)
        target.write_bytes(content)
        return target

    def remove(self, path: str) -> None:
        """Take a file away."""
        self._clear(path)

    def _clear(self, path: str) -> Path:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            raise HostError(f"{path} leaves the tree")
        target = self.open(str(pure.parent)) / pure.name
        target.unlink(missing_ok=True)
        return target

    def _lay(self, folder: Path, below: str) -> None:
        found: dict[str, list[os.DirEntry[str]]] = {}
        for layer in self._layers:
            if (layer / below).is_dir():
                with os.scandir(layer / below) as entries:
                    for entry in entries:
                        found.setdefault(entry.name, []).append(entry)
        for name, entries_of in found.items():
            folders = [entry for entry in entries_of if entry.is_dir()]
            if entries_of[0].is_dir() and len(folders) > 1:
                (folder / name).mkdir()
                self._lay(folder / name, f"{below}/{name}" if below else name)
            else:
                (folder / name).symlink_to(entries_of[0].path)
