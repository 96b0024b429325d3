"""Kernels of our own recipe, built from Debian's ``linux-source-*`` as the archive has it.

The tree is a forest of hard links to the unpacked source: make replaces files and never writes
into one that is there, so that it costs no time and no space but for what is built. It is built
aside and renamed into the cache; a build that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import time
from pathlib import Path

from msgspec import Struct

from lpharness.archive import Archive, Package
from lpharness.base.architecture import NATIVE
from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.base.hashing import identity
from lpharness.base.progress import SILENT, Progress
from lpharness.kernels.built import (
    KIND,
    Built,
    name_of,
    read_built,
    recipe_identity,
    write_built,
)
from lpharness.kernels.configurations import Configuration, configuration
from lpharness.kernels.toolchains import Toolchain, find_toolchain
from lpharness.sources.apply import ChangeIsThere, apply_file
from lpharness.sources.diff import parse_diff, tree_path
from lpharness.sources.kconfig import complete_kconfig, configure
from lpharness.sources.kernel_make import KernelMake, require_build_tools
from lpharness.sources.package import find_source, series_of, unpack_source

_WORK = "builds"
"""The kind of what is not finished; `lpharness kernels prune` frees it like all others."""
_RESUMABLE = "lpharness-resumable"
_LOG = "lpharness-build.log"
_SERIES = re.compile(r"debian:(\d+\.\d+)")
_VERSION = re.compile(r"debian:(\d+\.\d+\.\S+)")


class KernelBuild(Struct, frozen=True, kw_only=True):
    """What a build gave."""

    built: Built
    tree: Path
    """The built tree, to be named as ``tree:PATH`` too."""
    cached: bool
    """Whether it had been built before."""


class _Order(Struct, frozen=True, kw_only=True):
    """A kernel that is to be built."""

    package: Package
    configuration: Configuration
    toolchain: Toolchain

    @property
    def name(self) -> str:
        return name_of(self.configuration.name, self.toolchain.arch, self.toolchain.name)

    @property
    def recipe(self) -> str:
        return recipe_identity(self.configuration)

    @property
    def key(self) -> str:
        content = identity(self.recipe, self.package.sha256, self.toolchain.version)
        return f"linux-{self.package.version}-{self.name}-{content}"


def build_kernel(
    source: str,
    config: str,
    *,
    toolchain: str,
    arch: str = NATIVE,
    jobs: int | None = None,
    progress: Progress = SILENT,
    mirror: str | None = None,
    debs: Path | None = None,
    cache: Cache | None = None,
) -> KernelBuild:
    """Return a kernel of our own recipe, built unless the same was built before.

    Args:
        source: ``debian:6.1`` (newest) or ``debian:6.1.192-2`` (one version).
        config: the name of a configuration, see `lpharness.kernels.configurations`.
        toolchain: ``gcc-12``, ``clang``, …
        arch: Debian's name of the architecture it is for.
        jobs: how many compilers at a time; as many as there are processors unless given.
        progress: told of downloads and of each object.
        mirror: one more archive, see `lpharness.archive.Archive`.
        debs: a folder of ``.deb`` files to look into first.
        cache: the user's, unless given.

    Raises:
        InputError: there is no such source, configuration, architecture or toolchain.
        HostError: a tool is missing, the build fails, or no space is left.
    """
    compiler = find_toolchain(toolchain, arch)
    archive = Archive(cache, mirror=mirror, debs=debs, progress=progress)
    package = _source_package(source, archive)
    order = _Order(
        package=package,
        configuration=configuration(config, series_of(package.version), compiler.family, arch),
        toolchain=compiler,
    )
    if found := _finished(archive.cache, order.key):
        return found
    require_build_tools(compiler)
    unpacked = unpack_source(package.version, archive, arch=arch, progress=progress)
    with archive.cache.lock(_WORK, order.key):
        if found := _finished(archive.cache, order.key):
            return found  # another process was quicker
        return _build(order, unpacked, archive.cache, jobs or os.cpu_count() or 1, progress)


def _source_package(source: str, archive: Archive) -> Package:
    if found := _SERIES.fullmatch(source):
        packages = archive.find(f"linux-source-{found[1]}")
        if packages:
            return packages[0]
        raise InputError(
            f"the archive has no linux-source-{found[1]}", hint="such as debian:6.1 or debian:6.12"
        )
    if found := _VERSION.fullmatch(source):
        return find_source(found[1], archive)
    raise InputError(
        f"not a source of a kernel: {source!r}",
        hint="debian:6.1 (the newest), or debian:6.1.192-2 (one version)",
    )


def _finished(cache: Cache, key: str) -> KernelBuild | None:
    entry = cache.find(KIND, key)
    record = read_built(entry) if entry else None
    return KernelBuild(built=record, tree=entry, cached=True) if entry and record else None


def _build(
    order: _Order, unpacked: Path, cache: Cache, jobs: int, progress: Progress
) -> KernelBuild:
    tree = cache.path(_WORK, order.key)
    make = KernelMake(tree, order.toolchain, log=tree / _LOG)
    target = order.toolchain.target
    began, busy = time.monotonic(), _cpu_seconds()
    if not _resumes(tree):
        with progress.step(f"lay out linux {order.package.version}"):
            _lay_out(unpacked, tree)
            complete_kconfig(tree)
            configure(make, order.configuration, local_version=f"-{order.name}")
            for diff in order.configuration.diffs:
                mend(tree, diff)
    with progress.step(f"build {order.name} of linux {order.package.version}") as step:
        try:
            make.build(target.target, "modules", jobs=jobs, step=step)
        finally:
            if make.ended_orderly:
                (tree / _RESUMABLE).touch()
    record = Built(
        spec=f"built:{series_of(order.package.version)}-{order.name}",
        release=(tree / "include/config/kernel.release").read_text().strip(),
        version=order.package.version,
        recipe=order.recipe,
        compiler=order.toolchain.version,
        seconds=round(time.monotonic() - began, 1),
        cpu_seconds=round(_cpu_seconds() - busy, 1),
        image_bytes=(tree / target.image).stat().st_size,
    )
    (tree / _RESUMABLE).unlink()
    write_built(tree, record)
    final = cache.path(KIND, order.key)
    final.parent.mkdir(exist_ok=True)
    tree.rename(final)
    return KernelBuild(built=record, tree=final, cached=False)


def _cpu_seconds() -> float:
    """Return the processors' time of all that this process has started and seen the end of."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _resumes(tree: Path) -> bool:
    """Say whether a build was left in good order; if so, the mark of it is taken away.

    One that was killed may have left half an object, which make would take for a whole one.
    """
    mark = tree / _RESUMABLE
    if not mark.exists():
        return False
    mark.unlink()
    return True


def _lay_out(unpacked: Path, tree: Path) -> None:
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(unpacked, tree, copy_function=os.link, symlinks=True)


def mend(tree: Path, diff: str) -> None:
    """Apply a recipe's diff to a tree whose files are links: each one changed becomes its own.

    A kernel that has the change already is left as it is.

    Raises:
        InputError: it does not fit this version of the kernel.
    """
    for change in parse_diff(diff):
        path = tree / tree_path(change.name)
        try:
            content = apply_file(change, path.read_bytes(), str(path)).content
        except ChangeIsThere:
            continue
        except OSError as error:
            raise InputError(f"cannot change {path}: {error.strerror}") from error
        path.unlink()
        path.write_bytes(content)
