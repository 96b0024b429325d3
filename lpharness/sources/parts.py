"""Some folders of the source that a kernel was built from, where nothing is to be compiled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lpharness.archive import Archive
from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.kernels.model import Kernel
from lpharness.sources.package import unpack_parts


def source_parts(
    kernel: Kernel,
    parts: Sequence[str],
    *,
    progress: Progress = SILENT,
    cache: Cache | None = None,
) -> Path:
    """Return a tree that has some parts of a kernel's source; shared, so nothing may be written.

    Args:
        kernel: as `lpharness.kernels.resolve` returned it.
        parts: folders that the source has: ``tools/testing/selftests/ftrace``.
        progress: told of downloads and unpacking.
        cache: the user's, unless given.

    Raises:
        InputError: there is no source of exactly that kernel, or the user's tree lacks a part.
        HostError: it cannot be fetched or unpacked.
    """
    if kernel.origin.spec.startswith("tree:"):
        root = Path(kernel.origin.spec.partition(":")[2]).expanduser()
        for part in parts:
            if not (root / part).exists():
                raise InputError(f"{root} has no {part}", hint="is it a whole tree?")
        return root
    if not kernel.origin.version:
        raise InputError(
            f"no source is known for {kernel.release}, and what is wanted is in it: {parts[0]}",
            hint="name the kernel as debian:RELEASE, or by the tree it was built in: tree:PATH",
        )
    archive = Archive(cache, progress=progress)
    return unpack_parts(kernel.origin.version, archive, parts, progress=progress)
