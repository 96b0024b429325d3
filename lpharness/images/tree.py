"""A root file system as a table of names, merged as dpkg would merge packages."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

_MAX_LINKS = 40  # the kernel's own limit, MAXSYMLINKS


@dataclass(frozen=True, slots=True)
class File:
    """A regular file; large ones stay on disk until they are written."""

    content: bytes | Path
    mode: int = 0o644

    def read(self) -> bytes:
        """Return its content."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content


@dataclass(frozen=True, slots=True)
class Symlink:
    """A symbolic link."""

    target: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory."""

    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Device:
    """A character device."""

    major: int
    minor: int
    mode: int = 0o600


Entry = File | Symlink | Folder | Device


@dataclass(slots=True)
class Tree:
    """Entries by path: relative, ``/`` between parts, no leading slash, every parent present."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, path: str, entry: Entry) -> str:
        """Put an entry at ``path`` and return where it came to lie.

        Links among the parents are followed, as they are when dpkg unpacks ``bin/sh`` on a system
        where ``/bin`` is a link to ``usr/bin``. A folder where one is already is no change.

        Raises:
            ValueError: the path climbs out, or goes through something that is no folder.
        """
        path = self.resolve(path)
        there = self.entries.get(path)
        if isinstance(entry, Folder) and self._is_folder(path):
            return path
        if isinstance(there, Folder):
            raise ValueError(f"{path} is a folder already")
        self._add_parents(path)
        self.entries[path] = entry
        return path

    def add_folder(self, path: str) -> None:
        """Make sure that ``path`` is a folder, and so are its parents."""
        self.add(path, Folder())

    def resolve(self, path: str) -> str:
        """Return ``path`` with the links among its parents (not the last part) followed."""
        parts = posixpath.normpath(path.strip("/")).split("/")
        if ".." in parts or parts == ["."]:
            raise ValueError(f"{path!r} is not a path inside the tree")
        return self._walk(parts, follow_last=False)

    def follow(self, path: str) -> str:
        """Return what ``path`` leads to in the end, whether that exists or not; empty: the root."""
        return self._walk(path.split("/"), follow_last=True)

    def _walk(self, parts: list[str], *, follow_last: bool) -> str:
        """Walk as the kernel would with this tree as its root: ``..`` does not lead out of it."""
        ahead = parts[::-1]
        links = 0
        done: list[str] = []
        while ahead:
            part = ahead.pop()
            if part in ("", ".", ".."):
                done = done[:-1] if part == ".." else done
                continue
            entry = self.entries.get("/".join([*done, part]))
            if not isinstance(entry, Symlink) or not (ahead or follow_last):
                done.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise ValueError(f"too many links at {'/'.join(parts)}")
            done = [] if entry.target.startswith("/") else done
            ahead += entry.target.split("/")[::-1]
        return "/".join(done)

    def find(self, path: str) -> Entry | None:
        """Return what is at ``path``, links followed, or ``None``."""
        return self.entries.get(self.follow(self.resolve(path)))

    def merge(self, other: Tree) -> None:
        """Add all of ``other``; its files win."""
        for path, entry in sorted(other.entries.items()):
            self.add(path, entry)

    def remove(self, patterns: tuple[str, ...]) -> None:
        """Remove what matches any pattern, and what lies below it."""
        doomed = {path for path in self.entries if _matches(path, patterns)}
        self.entries = {p: e for p, e in self.entries.items() if p not in doomed}

    def keep(self, paths: set[str]) -> None:
        """Remove all but ``paths`` and their parents."""
        wanted = paths | {parent for path in paths for parent in parents(path)}
        self.entries = {p: e for p, e in self.entries.items() if p in wanted}

    def files(self) -> Iterator[tuple[str, File]]:
        """Yield the regular files, sorted by path."""
        for path, entry in sorted(self.entries.items()):
            if isinstance(entry, File):
                yield path, entry

    def _is_folder(self, path: str) -> bool:
        target = self.follow(path)
        return not target or isinstance(self.entries.get(target), Folder)

    def _add_parents(self, path: str) -> None:
        for parent in parents(path):
            there = self.entries.setdefault(parent, Folder())
            if not isinstance(there, Folder):
                raise ValueError(f"{path}: {parent} is no folder")


def parents(path: str) -> list[str]:
    """Return the folders above ``path``, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(p, pattern) for p in (*parents(path), path) for pattern in patterns)


def from_folder(folder: Path) -> Tree:
    """Return the tree that a folder on disk holds.

    Of a mode only "executable" is kept: what else the disk says depends on who unpacked it. The
    further names of a hard-linked file become links to its first, so its content is stored once.

    Raises:
        ValueError: it holds a device, socket or pipe.
    """
    tree = Tree()
    first_names: dict[int, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        tree.entries[name] = _from_disk(path, name, first_names)
    return tree


def _from_disk(path: Path, name: str, first_names: dict[int, str]) -> Entry:
    if path.is_symlink():
        return Symlink(str(path.readlink()))
    if path.is_dir():
        return Folder()
    if not path.is_file():
        raise ValueError(f"{path} is neither file, folder nor link")
    status = path.stat()
    if status.st_nlink > 1:
        first = first_names.setdefault(status.st_ino, name)
        if first != name:
            return Symlink(posixpath.relpath("/" + first, posixpath.dirname("/" + name)))
    return File(path, 0o755 if status.st_mode & 0o111 else 0o644)
