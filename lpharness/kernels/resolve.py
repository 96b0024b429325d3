"""From what the user wrote to a kernel on disk."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lpharness.archive import Archive
from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.kernels.built import resolve_built
from lpharness.kernels.debian import (
    newest_release,
    require_release,
    resolve_exact,
    resolve_newest,
)
from lpharness.kernels.files import resolve_files, resolve_tree
from lpharness.kernels.headers import fetch_headers
from lpharness.kernels.model import Kernel
from lpharness.kernels.spec import BuiltSpec, ExactSpec, FilesSpec, NewestSpec, TreeSpec, parse_spec


def resolve(
    spec: str,
    *,
    progress: Progress = SILENT,
    mirror: str | None = None,
    debs: Path | None = None,
    cache: Cache | None = None,
) -> Kernel:
    """Return the kernel that ``spec`` names, downloaded and unpacked if it is not in the cache.

    Args:
        spec: ``debian:6.1-cloud`` (the newest in the archive), ``debian:6.1.0-55-cloud-amd64``
            (one release), ``built:6.1-small`` (one of our own), ``profile:NAME``, ``tree:PATH`` (a
            built kernel tree), or ``files:image=PATH,modules=DIR[,headers=DIR][,config=PATH]``.
        progress: told of downloads and the like.
        mirror: one more archive, see `lpharness.archive.Archive`.
        debs: a folder of ``.deb`` files to look into first.
        cache: the user's, unless given.

    Raises:
        InputError: there is no such kernel, or it cannot be patched live.
        HostError: it cannot be fetched, or there is no space left.
    """
    asked = parse_spec(spec)
    archive = Archive(cache, mirror=mirror, debs=debs, progress=progress)
    match asked:
        case NewestSpec():
            return resolve_newest(asked, archive)
        case ExactSpec():
            return resolve_exact(asked, archive, anew=bool(mirror or debs))
        case BuiltSpec():
            return resolve_built(asked, archive)
        case TreeSpec():
            return resolve_tree(asked, archive)
        case FilesSpec():
            return resolve_files(asked, archive)


def release_of(spec: str, *, progress: Progress = SILENT) -> str:
    """Return the release of the kernel that ``spec`` names, before any package is fetched.

    Raises:
        InputError: there is no such kernel.
        HostError: nobody can be asked.
    """
    asked = parse_spec(spec)
    archive = Archive(progress=progress)
    match asked:
        case NewestSpec():
            return newest_release(asked, archive)
        case ExactSpec():
            return require_release(asked, archive)
        case _:  # it is on this host
            return resolve(spec, progress=progress).release


def with_headers(
    kernel: Kernel,
    *,
    progress: Progress = SILENT,
    mirror: str | None = None,
    debs: Path | None = None,
    cache: Cache | None = None,
) -> Kernel:
    """Return the kernel with ``headers`` filled: a tree for ``make -C headers M=… modules``.

    Args:
        kernel: as `resolve` returned it.
        progress: told of downloads.
        mirror: as for `resolve`; if the kernel came from there, its headers do too.
        debs: likewise.
        cache: the user's, unless given.

    Raises:
        InputError: there are no headers of exactly that kernel.
        HostError: they cannot be fetched, or there is no space left.
    """
    if kernel.headers is not None:
        return kernel
    if not kernel.origin.package:
        raise InputError(
            f"no headers for {kernel.release}", hint=f"add headers=DIR to {kernel.origin.spec}"
        )
    archive = Archive(cache, mirror=mirror, debs=debs, progress=progress)
    return msgspec.structs.replace(kernel, headers=fetch_headers(kernel, archive))
