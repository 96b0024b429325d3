"""Stock kernels from Debian's archive."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct

from lpharness.archive import Archive, NotThere, Package, Unreachable
from lpharness.archive.version import compare, version_key
from lpharness.base.errors import InputError
from lpharness.kernels.config import read_config
from lpharness.kernels.depmod import write_modules_dep
from lpharness.kernels.model import Kernel
from lpharness.kernels.spec import ExactSpec, NewestSpec, Release
from lpharness.kernels.store import (
    KIND,
    Record,
    cached_entries,
    kernel_of,
    key_of,
    read_record,
    require_livepatch,
    write_record,
)

log = logging.getLogger("lpharness.kernels")

_PREFIX, _UNSIGNED = "linux-image-", "-unsigned"


class KernelPackage(Struct, frozen=True):
    """A kernel in the archive, or in a folder of packages."""

    release: Release
    package: Package

    @property
    def signed(self) -> bool:
        """Whether it is the one signed for secure boot; its unsigned twin boots the same code."""
        return not self.package.name.endswith(_UNSIGNED)

    @property
    def key(self) -> str:
        """The key of its entry in the cache."""
        return key_of(self.release.name, self.package.sha256[:20])


def kernel_packages(
    archive: Archive, series: str = "", *, refresh: bool = True
) -> list[KernelPackage]:
    """Return the kernels to be had, newest first, each release's signed package before its twin.

    Raises:
        Unreachable: the archive cannot be asked.
    """
    pattern = f"{_PREFIX}{series}[.+-]*" if series else f"{_PREFIX}[0-9]*"
    found = []
    for package in archive.find(pattern, refresh=refresh):
        release = Release.parse(package.name.removeprefix(_PREFIX).removesuffix(_UNSIGNED))
        # linux-image-6.12-amd64 and the like are empty, and depend on the newest
        if release is not None and _PREFIX not in package.depends:
            found.append(KernelPackage(release, package))
    found.sort(key=lambda kernel: kernel.signed, reverse=True)
    found.sort(key=lambda kernel: version_key(kernel.package.version), reverse=True)
    return found


def resolve_newest(spec: NewestSpec, archive: Archive) -> Kernel:
    """Return the newest kernel of a series and flavour, fetched if need be.

    Where the archive cannot be reached, the newest in the cache serves, with a warning.

    Raises:
        InputError: the archive has none.
        Unreachable: neither the archive nor the cache has one.
        HostError: it cannot be unpacked.
    """
    try:
        try:
            return _obtain(_newest(spec, archive), spec.text, archive)
        except NotThere:  # superseded since the index was read, which is fresh now
            return _obtain(_newest(spec, archive), spec.text, archive)
    except Unreachable as error:
        entry = _newest_cached(archive, spec.series, spec.flavour)
        if entry is None:
            raise
        kernel = kernel_of(entry, spec.text)
        log.warning("%s; going on with %s from the cache", error.message, kernel.release)
        return kernel


def newest_release(spec: NewestSpec, archive: Archive) -> str:
    """Return the release that `resolve_newest` would take; nothing is fetched but the index.

    Raises:
        InputError: the archive has none.
        Unreachable: neither the archive nor the cache has one.
    """
    try:
        return _newest(spec, archive).release.name
    except Unreachable:
        entry = _newest_cached(archive, spec.series, spec.flavour)
        if entry is None:
            raise
        return kernel_of(entry, spec.text).release


def require_release(spec: ExactSpec, archive: Archive) -> str:
    """Return the release's name if it can be had; nothing is fetched but the index.

    Raises:
        InputError: neither the archive nor the cache has it.
        Unreachable: the archive cannot be asked, and the cache does not have it.
    """
    name = spec.release.name
    package = f"{_PREFIX}{name}"
    if _newest_cached(archive, "", "", name) is None and not (
        archive.find(package) or archive.find(package + _UNSIGNED)
    ):
        raise _no_release(spec, archive)
    return name


def _newest(spec: NewestSpec, archive: Archive) -> KernelPackage:
    for kernel in kernel_packages(archive, spec.series):
        if kernel.release.flavour == spec.flavour:
            return kernel
    raise _no_series(spec, archive)


def resolve_exact(spec: ExactSpec, archive: Archive, *, anew: bool) -> Kernel:
    """Return one release, from the cache if it is there.

    Args:
        spec: the release.
        archive: where to look.
        anew: ask the archive even if the release is cached, since the user named another source.

    Raises:
        InputError: the archive does not have it, and neither does the cache.
        HostError: it cannot be fetched.
    """
    entry = _newest_cached(archive, "", "", spec.release.name)
    if entry is not None and not anew:
        return kernel_of(entry, spec.text)
    name = f"{_PREFIX}{spec.release.name}"
    packages = archive.find(name) or archive.find(name + _UNSIGNED)
    if packages:
        return _obtain(KernelPackage(spec.release, packages[0]), spec.text, archive)
    if entry is not None:
        return kernel_of(entry, spec.text)
    raise _no_release(spec, archive)


def _obtain(kernel: KernelPackage, spec: str, archive: Archive) -> Kernel:
    """Return a kernel of the archive, unpacked into the cache."""
    entry = archive.cache.get(KIND, kernel.key, lambda folder: _build(folder, kernel, archive))
    return kernel_of(entry, spec)


def _build(folder: Path, kernel: KernelPackage, archive: Archive) -> None:
    release, package = kernel.release, kernel.package
    archive.unpack_into(package, folder)
    merged = folder / "usr/lib/modules"  # where packages since Debian 13 put them
    if merged.is_dir() and not (folder / "lib").exists():
        (folder / "lib").mkdir()
        merged.rename(folder / "lib/modules")
    config = read_config(folder / "boot" / f"config-{release.name}")
    require_livepatch(config, release.name)
    write_modules_dep(folder, release.name, archive)
    write_record(
        folder,
        Record(
            release=release.name,
            flavour=release.flavour,
            arch=package.arch,
            image=f"boot/vmlinuz-{release.name}",
            modules=f"lib/modules/{release.name}",
            identity=package.sha256[:20],
            package=package.name,
            version=package.version,
            sha256=package.sha256,
            source=package.origin,
            download_size=package.size,
            config=config,
        ),
    )


def _newest_cached(
    archive: Archive, series: str, flavour: str, name: str | None = None
) -> Path | None:
    """Return the entry of the newest cached kernel that fits."""
    fitting = []
    for entry, release_name in cached_entries(archive.cache):
        release = Release.parse(release_name)
        if release is None or (name and release.name != name):
            continue
        if name or (release.series == series and release.flavour == flavour):
            record = read_record(entry)
            if record is not None and record.package:
                fitting.append((record.version, entry))
    return max(fitting, key=lambda pair: version_key(pair[0]), default=(None, None))[1]


def _no_series(spec: NewestSpec, archive: Archive) -> InputError:
    everything = kernel_packages(archive, refresh=False)
    series = sorted({k.release.series for k in everything if k.release.flavour == spec.flavour},
                    key=version_key)  # fmt: skip
    short = spec.flavour.removesuffix("-amd64") or spec.flavour
    return InputError(
        f"the archive has no {spec.flavour} kernel of {spec.series}",
        hint="it has " + (", ".join(f"debian:{s}-{short}" for s in series) or "none at all")
        + "; `lpharness kernels fetch --mirror URL` takes another archive, --debs DIR a folder of "
        "packages",
    )  # fmt: skip


def _no_release(spec: ExactSpec, archive: Archive) -> InputError:
    everything = [k.release for k in kernel_packages(archive, refresh=False)]
    near = nearest_release(spec.release, everything)
    hint = f"the nearest it has is debian:{near.name}; " if near else ""
    return InputError(
        f"the archive has no kernel {spec.release.name} (it leaves some weeks after it is "
        "superseded)",
        hint=hint
        + "`lpharness kernels fetch --debs DIR` takes a linux-image .deb you have, --mirror URL "
        "another archive",
    )


def nearest_release(wanted: Release, releases: Sequence[Release]) -> Release | None:
    """Return the release closest to ``wanted``: same flavour and series, the next one up or down.

    Where the archive has none of the series, the one whose name looks most alike.
    """
    same = [r for r in releases if (r.series, r.flavour) == (wanted.series, wanted.flavour)]
    same.sort(key=lambda r: version_key(r.base))
    later = [r for r in same if compare(r.base, wanted.base) >= 0]
    if same:
        return later[0] if later else same[-1]
    names = {r.name: r for r in releases}
    alike = get_close_matches(wanted.name, names, 1, cutoff=0.3)
    return names[alike[0]] if alike else None
