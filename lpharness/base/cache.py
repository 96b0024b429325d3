"""The content-addressed cache that any number of processes use at once.

An entry is a folder ``<root>/<kind>/<key>``. It is built aside, under a lock, and renamed into
place, so a reader sees a whole entry or none. A build that is killed leaves only a ``.aside-*``
folder, which the next builder of any entry of that kind sweeps away: whoever works in such a
folder holds a ``flock`` of it, and the kernel drops that with the process. (A process id in the
name would not do: another container that shares the cache has ids of its own.)
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from lpharness.base.errors import HostError
from lpharness.base.seal import seal, seal_holds

_ASIDE = ".aside-"
_SWEEP = "sweep"
"""Key of the lock under which folders aside are made and looked through."""


def cache_root() -> Path:
    """Return the cache's folder: ``$LPHARNESS_CACHE``, else the user's cache folder."""
    override = os.environ.get("LPHARNESS_CACHE")
    return Path(override) if override else Path(platformdirs.user_cache_path("lpharness"))


class Cache:
    """Entries of every kind below one root."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_root()

    def path(self, kind: str, key: str) -> Path:
        """Return where the entry is, whether it exists or not."""
        return self.root / kind / key

    def find(self, kind: str, key: str, *, sealed: bool = False) -> Path | None:
        """Return the entry's folder if it is there, and mark it as used now.

        Args:
            kind: what it is.
            key: which one.
            sealed: hold its files against what they were when it was made; one that was damaged
                since is removed, and is not there.
        """
        path = self.path(kind, key)
        if not path.is_dir():
            return None
        if sealed and not seal_holds(path):
            self.discard(kind, key)
            return None
        with _ignore_os_error():
            os.utime(path)  # `prune` keeps what was used last
        return path

    def get(
        self, kind: str, key: str, build: Callable[[Path], None], *, sealed: bool = False
    ) -> Path:
        """Return the entry's folder, calling ``build(empty_folder)`` first if it is missing.

        With ``sealed`` it is made such that `find` can tell damage, and is made anew if it was.

        ``build`` runs in one process at a time for one key; the others wait and find it done.

        Raises:
            HostError: no space left, or the cache cannot be written.
        """
        if found := self.find(kind, key, sealed=sealed):
            return found
        with self.lock(kind, key):
            if found := self.find(kind, key):
                return found
            return self._build(kind, key, build, sealed=sealed)

    @contextmanager
    def lock(self, kind: str, key: str) -> Iterator[None]:
        """Hold the inter-process lock of one entry."""
        folder = self.root / kind
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder / f".lock-{key}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostError(
                f"cannot write the cache in {folder}: {error.strerror}",
                hint="free some space, or name another folder in LPHARNESS_CACHE",
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def scratch(self, kind: str, name: str) -> Iterator[Path]:
        """Give an empty folder beside the entries of a kind, and remove what is left of it."""
        for leftover in self.leftovers(kind):
            shutil.rmtree(leftover, ignore_errors=True)
        with self.lock(kind, _SWEEP):  # lest it be swept before it is ours
            aside = Path(tempfile.mkdtemp(prefix=f"{_ASIDE}{name}-", dir=self.root / kind))
            handle = _claim(aside)
        try:
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            os.close(handle)

    def leftovers(self, kind: str) -> list[Path]:
        """Return the folders of `scratch` whose owners are dead."""
        with self.lock(kind, _SWEEP):
            return [p for p in (self.root / kind).glob(f"{_ASIDE}*") if _is_unclaimed(p)]

    def _build(self, kind: str, key: str, build: Callable[[Path], None], *, sealed: bool) -> Path:
        final = self.path(kind, key)
        try:
            with self.scratch(kind, key) as aside:
                build(aside)
                if sealed:
                    seal(aside)
                aside.chmod(0o755)
                aside.rename(final)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise HostError(
                    f"no space left for {kind} {key} in {final.parent}",
                    hint="free some, run `lpharness kernels prune`, or set LPHARNESS_CACHE",
                ) from error
            raise
        return final

    def entries(self, kind: str) -> list[Path]:
        """Return the whole entries of a kind, most recently used first."""
        folder = self.root / kind
        if not folder.is_dir():
            return []
        found = [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)

    def discard(self, kind: str, key: str) -> None:
        """Remove a damaged entry, unless another process was quicker."""
        with suppress(FileNotFoundError):
            self.remove(kind, key)

    def remove(self, kind: str, key: str) -> int:
        """Remove an entry and return the bytes it freed."""
        with self.lock(kind, key):
            path = self.path(kind, key)
            size = disk_usage(path)
            gone = path.with_name(f"{_ASIDE}{key}-removed{time.monotonic_ns()}")
            path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        return size


def _claim(folder: Path) -> int:
    """Return an open handle of a folder, locked where the file system can do that."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with suppress(OSError):  # NFS locks no folders; then nobody will find it unclaimed either
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _is_unclaimed(folder: Path) -> bool:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # gone meanwhile
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(handle)


def disk_usage(path: Path) -> int:
    """Return the bytes a tree takes on disk, holes not counted."""
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            with _ignore_os_error():
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512  # noqa: PTH118
    return total


@contextmanager
def _ignore_os_error() -> Iterator[None]:
    with suppress(OSError):
        yield
