"""Debian packages by name: found, downloaded, verified, unpacked, cached."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from lpharness.archive.closure import closure
from lpharness.archive.errors import NotThere, Unreachable
from lpharness.archive.local import LocalPackages
from lpharness.archive.package import Package
from lpharness.archive.process import ToolFailed, run_tool
from lpharness.archive.store import RETRY_AFTER, IndexStore
from lpharness.archive.version import version_key
from lpharness.base.architecture import NATIVE
from lpharness.base.cache import Cache
from lpharness.base.errors import HostError, InputError
from lpharness.base.hashing import sha256_file
from lpharness.base.progress import SILENT, Progress

log = logging.getLogger("lpharness.archive")


class Archive:
    """Debian's archive as the host's apt sources describe it, without root.

    The index is asked for on first use, kept for hours, and shared by all processes of the user.

    Args:
        cache: where indices, packages and unpacked trees are kept.
        mirror: ``URL [SUITE...]`` of one more archive, verified by Debian's keyring, preferred to
            the host's sources.
        debs: a folder of ``.deb`` files, preferred to everything else.
        progress: told of refreshes and downloads.
        arch: Debian's name of the architecture whose packages are wanted.
    """

    def __init__(
        self,
        cache: Cache | None = None,
        *,
        mirror: str | None = None,
        debs: Path | None = None,
        progress: Progress = SILENT,
        arch: str = NATIVE,
    ) -> None:
        self.arch = arch
        self.cache = cache or Cache()
        self._mirror = mirror
        self._progress = progress
        self._local = LocalPackages(debs) if debs else None
        self._opened: IndexStore | None = None

    @property
    def _store(self) -> IndexStore:
        if self._opened is None:
            self._opened = IndexStore(
                self.cache, mirror=self._mirror, progress=self._progress, arch=self.arch
            )
        return self._opened

    def find(self, name_pattern: str, *, refresh: bool = True) -> list[Package]:
        """Return the packages whose name matches a shell pattern, newest version first.

        Args:
            name_pattern: as `fnmatch.fnmatchcase` takes it.
            refresh: whether an index that is old, or has no such package, may be refreshed. If
                not, only what is on disk is asked.

        Raises:
            Unreachable: no apt on this host, or no index can be had.
        """
        local = self._local.find(name_pattern) if self._local else []
        try:
            max_age = None if refresh else float("inf")
            found = self._indexed(name_pattern, max_age)
            if not found and not local and refresh:
                found = self._indexed(name_pattern, RETRY_AFTER)
        except Unreachable as error:
            if not local:
                raise
            log.warning("only the packages in %s are known: %s", self._local_folder, error.message)
            found = []
        return _newest_first(local + found)

    def providers(self, name: str) -> list[Package]:
        """Return the packages that provide the virtual package ``name``, newest first."""
        local = self._local.providers(name) if self._local else []
        return _newest_first(local + self._store.index().providers(name))

    def closure(self, names: Sequence[str]) -> list[Package]:
        """Return ``names`` and all they depend on, dependencies first; the same on each call.

        See `lpharness.archive.closure.closure`.
        """
        return closure(self, names)

    def age(self) -> float:
        """Return the seconds since the index was last known to be current; ``inf`` if never."""
        return self._store.age()

    def download(self, package: Package) -> Path:
        """Return the package's ``.deb``, fetched and verified if it is not in the cache.

        One that was damaged in the cache is fetched again.

        Raises:
            InputError: the archive no longer has it.
            HostError: it cannot be fetched or verified, or there is no space left.
        """
        if package.path is not None:
            return package.path
        name = f"{package.name}_{package.arch}.deb"

        def build(folder: Path) -> None:
            partial = folder.parent / f".partial-{package.sha256}"
            self._fetch(package, partial)
            partial.rename(folder / name)

        key = package.sha256[:32]
        found = self.cache.find("debs", key)
        if found is not None and not _is_whole(found / name, package.sha256):
            self.cache.discard("debs", key)
        return self.cache.get("debs", key, build) / name

    def unpack(self, package: Package) -> Path:
        """Return a tree with the package's files; shared, so nothing may be written there.

        Owners are the user's own, and set-user-ID bits are gone, since the tree lies on a host
        where they would count.

        Raises:
            InputError: the archive no longer has it, or the file is no package.
            HostError: it cannot be fetched or verified, or there is no space left.
        """
        key = f"{package.name}-{package.sha256[:20]}"
        return self.cache.get("unpacked", key, lambda folder: self.unpack_into(package, folder))

    def unpack_into(self, package: Package, folder: Path) -> None:
        """Unpack a package into ``folder``, which may hold others already."""
        deb = self.download(package)
        with self._progress.step(f"unpack {package.name}"):
            try:
                run_tool(
                    ["dpkg-deb", "-x", str(deb), str(folder)],
                    seconds=600, what=f"unpack {package.name}",
                )  # fmt: skip
            except ToolFailed as error:
                if package.path is not None:
                    raise InputError(error.message, hint=f"is {deb} cut short?") from error
                raise
            _disarm(folder)
            os.utime(folder)  # the package brought its own date, which says nothing of its use here

    def _indexed(self, pattern: str, max_age: float | None) -> list[Package]:
        if max_age is None:
            return self._store.index().find(pattern)
        return self._store.index(max_age=max_age).find(pattern)

    @property
    def _local_folder(self) -> Path | None:
        return self._local.folder if self._local else None

    def _fetch(self, package: Package, target: Path) -> None:
        from lpharness.archive.download import download  # HTTP is slow to import, seldom needed

        text = f"download {package.name} {package.version}"
        with self._progress.step(text, unit="B") as step:
            step.update(0, package.size)
            self._need_space(target.parent, package)
            try:
                download(
                    package.uri, target,
                    size=package.size, sha256=package.sha256, apt=self._store.apt,
                    tell=lambda done: step.update(done, package.size),
                )  # fmt: skip
            except NotThere as error:
                self._again_elsewhere(package, target, error)

    def _again_elsewhere(self, package: Package, target: Path, error: NotThere) -> None:
        """Ask a fresh index where the same package is now."""
        from lpharness.archive.download import download

        fresh = self._indexed(package.name, RETRY_AFTER)
        for other in fresh:
            if other.sha256 == package.sha256 and other.uri != package.uri:
                download(
                    other.uri, target, size=other.size, sha256=other.sha256,
                    apt=self._store.apt, tell=lambda _: None,
                )  # fmt: skip
                return
        newest = f"; it has {fresh[0].version}" if fresh else ""
        raise NotThere(
            f"the archive no longer has {package.name} {package.version}{newest}",
            hint="--debs DIR takes a .deb you have, --mirror URL another archive",
        ) from error

    @staticmethod
    def _need_space(folder: Path, package: Package) -> None:
        free = shutil.disk_usage(folder).free
        if free < package.size:
            raise HostError(
                f"no space left for {package.name} in {folder}: "
                f"{package.size / 1e6:.0f} MB needed, {free / 1e6:.0f} MB free",
                hint="free some, run `lpharness kernels prune`, or set LPHARNESS_CACHE",
            )


def _is_whole(file: Path, sha256: str) -> bool:
    try:
        return sha256_file(file) == sha256
    except OSError:
        return False


def _newest_first(packages: list[Package]) -> list[Package]:
    """Sort by version; among equals keep the order of preference, and drop duplicates."""
    unique = {(p.name, p.version, p.sha256): p for p in reversed(packages)}
    kept = [p for p in packages if unique[p.name, p.version, p.sha256] is p]
    return sorted(kept, key=lambda p: version_key(p.version), reverse=True)


def _disarm(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                path.chmod(stat.S_IMODE(mode) & ~(stat.S_ISUID | stat.S_ISGID))
