"""The package index on disk: when it is refreshed, by whom, and what happens if it cannot be."""

from __future__ import annotations

import hashlib
import logging
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from lpharness.archive.apt import PackagesFile, PrivateApt, apt_is_here
from lpharness.archive.control import package_of
from lpharness.archive.errors import Unreachable
from lpharness.archive.index import Index, write_index
from lpharness.archive.package import Package
from lpharness.archive.process import ToolFailed
from lpharness.archive.sources import Source, are_covered, debian_sources, host_apt, mirror_source
from lpharness.base.architecture import NATIVE
from lpharness.base.cache import Cache
from lpharness.base.errors import HostError
from lpharness.base.hashing import identity
from lpharness.base.progress import Progress

STALE_AFTER = 12 * 3600.0
"""Seconds after which an index is refreshed before it is used."""
RETRY_AFTER = 600.0
"""Seconds within which nothing new is expected: neither a package that was missing, nor the
network."""
_KIND = "apt"
_FORM = 1  # of the index file; count up when `Package` or the tables change
_FAILED = re.compile(r"^[WE]: Failed to fetch (\S+) +(.*)$", re.MULTILINE)

log = logging.getLogger("lpharness.archive")


class IndexStore:
    """The index of one set of sources, shared by all processes of the user."""

    def __init__(
        self, cache: Cache, *, mirror: str | None, progress: Progress, arch: str = NATIVE
    ) -> None:
        if not apt_is_here():
            raise Unreachable(
                "this host has no apt, so Debian's archive cannot be asked",
                hint="name a kernel by files:image=…,modules=…,headers=… or tree:PATH",
            )
        self._cache, self._progress, self._arch = cache, progress, arch
        self._host = host_apt()
        self._sources = _with_mirror(debian_sources(self._host), mirror)
        if not self._sources:
            raise Unreachable(
                f"no Debian archive among apt's sources in {self._host.etc}",
                hint="name one with --mirror URL, or a kernel by files:… or tree:…",
            )
        other = () if arch == NATIVE else (arch,)
        self._key = identity(_FORM, *(source.text for source in self._sources), *other)
        self.apt = PrivateApt(cache.path(_KIND, self._key), arch)
        self._index: Index | None = None
        self._warned = False

    def index(self, *, max_age: float = STALE_AFTER) -> Index:
        """Return the index, refreshed first if it is older than ``max_age`` seconds.

        If it cannot be refreshed, what is on disk is used, and a warning logged that says which
        part is old and how old it is.

        Raises:
            Unreachable: there is no index at all, and none can be fetched.
        """
        if self.age() > max_age or not self._path.exists():
            with self._cache.lock(_KIND, self._key):
                if self.age() > max_age or not self._path.exists():
                    self._close()
                    self._refresh_or_tell(max_age)
        if self._index is None:
            self._index = Index(self._path)
            self._cache.find(_KIND, self._key)  # marks it as used, for `prune`
        return self._index

    def age(self) -> float:
        """Return the seconds since the index was last known to be current; ``inf`` if never."""
        return _age(self._checked)

    @property
    def _path(self) -> Path:
        return self.apt.folder / "index.sqlite"

    @property
    def _checked(self) -> Path:
        return self.apt.folder / "checked"

    @property
    def _tried(self) -> Path:
        return self.apt.folder / "tried"

    def _close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    def _refresh_or_tell(self, max_age: float) -> None:
        try:
            self._refresh(max_age)
        except (OSError, sqlite3.Error) as error:
            raise HostError(
                f"cannot write the package index in {self.apt.folder}: {error}",
                hint="free some space, or name another folder in LPHARNESS_CACHE",
            ) from error

    def _refresh(self, max_age: float) -> None:
        if self._path.exists() and _age(self._tried) < RETRY_AFTER:
            self._warn(self._tried.read_text())
            return
        if self.apt.prepare(self._sources, self._host.lists) and self._began_with_host(max_age):
            return
        try:
            with self._progress.step("refresh Debian's package index"):
                self.apt.update()
            self._checked.touch()
            self._tried.unlink(missing_ok=True)
        except ToolFailed as error:
            reason = _reason(error)
            self._tried.write_text(reason)
            if not self._has_lists():
                raise Unreachable(
                    f"no package index, and none can be fetched: {reason}",
                    hint="is the network up? --mirror URL names another archive, --debs DIR a "
                    "folder of packages",
                ) from error
            self._warn(reason)
        if not self._parse():
            raise Unreachable(
                f"none of apt's sources in {self._host.etc} is Debian's own archive",
                hint="name one with --mirror URL, or a kernel by files:… or tree:…",
            )

    def _has_lists(self) -> bool:
        try:
            return bool(self.apt.packages_files())
        except ToolFailed:  # sources that apt cannot even read
            return False

    def _began_with_host(self, max_age: float) -> bool:
        """Make use of lists taken over from the host, and say whether they are young enough."""
        host_age = _age(self._host.lists)
        complete = are_covered(self._sources, self.apt.lists)
        if not self._parse() or not complete or host_age > STALE_AFTER:
            return False
        self._checked.touch()
        _set_age(self._checked, host_age)
        return host_age <= max_age

    def _parse(self) -> bool:
        """Write the index from what apt verified, if that is news; say whether there is any."""
        files = self.apt.packages_files()
        state = self._state(files)
        parsed = self.apt.folder / "parsed"
        if self._path.exists() and parsed.exists() and parsed.read_text() == state:
            return bool(files)
        with self._progress.step("read the package index"):
            write_index(self._path, self._packages(files))
        parsed.write_text(state)
        return bool(files)

    def _state(self, files: list[PackagesFile]) -> str:
        digest = hashlib.sha256()
        for path in sorted(self.apt.lists.glob("*Release")):
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest() + "".join(
            f"\n{file.path.name} {file.path.stat().st_size}" for file in files
        )

    def _packages(self, files: list[PackagesFile]) -> Iterator[Package]:
        for file in files:
            for stanza in self.apt.read(file).decode(errors="replace").split("\n\n"):
                package = package_of(
                    stanza, base=file.repository, origin=file.origin, automatic=file.automatic
                )
                if package is not None and package.arch in (self._arch, "all"):
                    yield package

    def _warn(self, reason: str) -> None:
        if not self._warned:
            log.warning(
                "cannot refresh the package index: %s; going on with the one fetched %s",
                reason, _ago(self.age()),
            )  # fmt: skip
            self._warned = True


def _with_mirror(known: list[Source], mirror: str | None) -> list[Source]:
    """Put the mirror first, and in place of the host's own entry for the same address."""
    if not mirror:
        return known
    wanted = mirror_source(mirror, known)
    address = wanted.uris[0].rstrip("/")
    others = [s for s in known if address not in (uri.rstrip("/") for uri in s.uris)]
    return [wanted, *others]  # apt refuses one address with two keyrings


def _reason(error: ToolFailed) -> str:
    """Return which index failed and why, on one line."""
    failed = [f"{uri}: {why}" for uri, why in _FAILED.findall(error.output)]
    if not failed:
        return error.message
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return failed[0] + more


def _age(path: Path) -> float:
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return float("inf")


def _set_age(path: Path, seconds: float) -> None:
    import os

    then = time.time() - seconds
    os.utime(path, (then, then))


def _ago(seconds: float) -> str:
    if seconds == float("inf"):
        return "some time ago"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes ago"
    return (
        f"{seconds / 3600:.0f} hours ago" if seconds < 172800 else f"{seconds / 86400:.0f} days ago"
    )
