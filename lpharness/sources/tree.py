"""A kernel's source tree, to compile single files of it as they were compiled for the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lpharness.kernels.model import Kernel
from lpharness.sources.overlay import Overlay


@dataclass(frozen=True, slots=True)
class SourceTree:
    """A tree to compile from; nothing is ever written to it."""

    kernel: Kernel
    layers: tuple[Path, ...]
    """Folders that lie on top of each other: what was generated, and the source."""
    key: str
    """Identity: of the content for a tree of the archive's, of place and configuration for a
    user's own, whose files may change between two looks."""
    own: bool = False
    """Whether it is the user's own tree, which may change."""

    def path(self, name: str) -> Path | None:
        """Return where a file of the tree is, or ``None`` if it has none of that name."""
        for layer in self.layers:
            path = layer / name
            if path.is_file():
                return path
        return None

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or ``None`` if the tree has none of that name."""
        path = self.path(name)
        return path.read_bytes() if path else None

    def overlay(self, folder: Path) -> Overlay:
        """Lay the tree out in a folder of the caller's, in which it may be changed."""
        return Overlay(folder, self.layers)
