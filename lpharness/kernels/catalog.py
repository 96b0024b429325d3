"""Which kernels there are: in the archive, in the cache, or both."""

from __future__ import annotations

import logging
from pathlib import Path

from msgspec import Struct

from lpharness.archive import Archive, Unreachable
from lpharness.archive.version import version_key
from lpharness.base.cache import Cache, disk_usage
from lpharness.kernels import headers
from lpharness.kernels.debian import KernelPackage, kernel_packages
from lpharness.kernels.spec import Release
from lpharness.kernels.store import Record, cached_entries, read_record

log = logging.getLogger("lpharness.kernels")


class Listed(Struct, frozen=True, kw_only=True):
    """One kernel that can be tested, or could be after a download."""

    release: str
    flavour: str
    version: str
    """The package's; empty for a kernel that came from no package."""
    package: str
    spec: str
    """What to write to get exactly this one."""
    newest: str | None
    """``debian:6.1-cloud`` where this is what that names now."""
    in_archive: bool
    cached: bool
    has_headers: bool
    """Whether headers of the very same version can be had."""
    download_bytes: int
    """Of the image package."""
    disk_bytes: int
    """What it takes in the cache, headers included; 0 if it is not there."""
    unpacked_bytes: int
    """What it will take about, by the packager's estimate; 0 where nobody knows."""
    source: str
    """The archive, folder or spec it comes from."""
    path: Path | None
    """Its entry in the cache."""


def available(archive: Archive) -> list[Listed]:
    """Return the kernels of the archive and of the cache, newest first, each release once.

    If the archive cannot be asked, the cached ones alone, with a warning in the log.
    """
    cached = _cached(archive.cache)
    try:
        offered = _one_for_each_release(kernel_packages(archive))
        built_for = {(p.name, p.version) for p in archive.find("linux-headers-[0-9]*")}
    except Unreachable as error:
        if not cached:
            raise
        log.warning("only cached kernels are listed: %s", error.message)
        offered, built_for = [], set()
    newest = _newest(offered)
    listed = [_offered(kernel, cached, newest, built_for) for kernel in offered]
    known = {kernel.key for kernel in offered}
    listed += [
        _only_cached(entry, record, archive.cache)
        for key, (entry, record) in cached.items()
        if key not in known
    ]
    return sorted(listed, key=lambda k: (version_key(k.version), k.release), reverse=True)


def _cached(cache: Cache) -> dict[str, tuple[Path, Record]]:
    found = {}
    for entry, _ in cached_entries(cache):
        record = read_record(entry)
        if record is not None:
            found[entry.name] = (entry, record)
    return found


def _one_for_each_release(kernels: list[KernelPackage]) -> list[KernelPackage]:
    unique: dict[str, KernelPackage] = {}
    for kernel in kernels:  # newest first, signed first
        unique.setdefault(kernel.release.name, kernel)
    return list(unique.values())


def _newest(kernels: list[KernelPackage]) -> dict[str, str]:
    """Return, by release name, the short spec that names it now."""
    short: dict[str, str] = {}
    for kernel in kernels:
        flavour = kernel.release.flavour
        name = flavour if flavour == "amd64" else flavour.removesuffix("-amd64")
        short.setdefault(f"debian:{kernel.release.series}-{name}", kernel.release.name)
    return {release: spec for spec, release in short.items()}


def _offered(
    kernel: KernelPackage,
    cached: dict[str, tuple[Path, Record]],
    newest: dict[str, str],
    built_for: set[tuple[str, str]],
) -> Listed:
    release, package = kernel.release, kernel.package
    entry = cached[kernel.key][0] if kernel.key in cached else None
    return Listed(
        release=release.name,
        flavour=release.flavour,
        version=package.version,
        package=package.name,
        spec=f"debian:{release.name}",
        newest=newest.get(release.name),
        in_archive=True,
        cached=entry is not None,
        has_headers=(f"linux-headers-{release.name}", package.version) in built_for,
        download_bytes=package.size,
        disk_bytes=_disk(entry) if entry else 0,
        unpacked_bytes=package.installed_size,
        source=package.origin,
        path=entry,
    )


def _only_cached(entry: Path, record: Record, cache: Cache) -> Listed:
    exact = Release.parse(record.release) is not None and bool(record.package)
    built = cache.path(headers.KIND, entry.name).is_dir()
    return Listed(
        release=record.release,
        flavour=record.flavour,
        version=record.version,
        package=record.package,
        spec=f"debian:{record.release}" if exact else record.source,
        newest=None,
        in_archive=False,
        cached=True,
        has_headers=built or not exact,
        download_bytes=record.download_size,
        disk_bytes=_disk(entry),
        unpacked_bytes=0,
        source=record.source,
        path=entry,
    )


def _disk(entry: Path) -> int:
    beside = entry.parent.parent / headers.KIND / entry.name
    return disk_usage(entry) + disk_usage(beside)
