"""The kernel's own tests, from exactly the source that a kernel was built from.

From 6.9 on the modules that they load lie beside them, made to be built out of tree; before that
they are in ``lib/livepatch``, and are built with the kernel where its configuration says so.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.kernels.model import Kernel
from lpharness.sources.package import series_of
from lpharness.sources.parts import source_parts

SELFTESTS = "tools/testing/selftests"
_WITH_THE_KERNEL = "lib/livepatch"
_BESIDE_SINCE = (6, 9)


class SelftestSource(Struct, frozen=True, kw_only=True):
    """Where a kernel's tests are; shared, so nothing may be written there."""

    selftests: Path
    """``tools/testing/selftests``."""
    modules: Path
    """The folder with ``test_klp_*.c``."""
    modules_beside: bool
    """Whether the tests load modules from beside them; else by ``modprobe``."""


def find_tests(
    kernel: Kernel,
    collection: str,
    *,
    progress: Progress = SILENT,
    cache: Cache | None = None,
) -> SelftestSource:
    """Return a kernel's own tests, fetched and unpacked if need be.

    Args:
        kernel: as `lpharness.kernels.resolve` returned it.
        collection: which: ``livepatch``.
        progress: told of downloads and unpacking.
        cache: the user's, unless given.

    Raises:
        InputError: there is no source of exactly that kernel, or it has no such tests.
        HostError: it cannot be fetched or unpacked.
    """
    parts = [f"{SELFTESTS}/kselftest", f"{SELFTESTS}/{collection}"]
    if kernel.origin.version and not _beside(kernel.origin.version):
        parts.append(_WITH_THE_KERNEL)
    return _in_tree(source_parts(kernel, parts, progress=progress, cache=cache), collection)


def _beside(version: str) -> bool:
    major, _, minor = series_of(version).partition(".")
    return (int(major), int(minor)) >= _BESIDE_SINCE


def _in_tree(root: Path, collection: str) -> SelftestSource:
    selftests = root / SELFTESTS
    beside = selftests / collection / "test_modules"
    modules = beside if beside.is_dir() else root / _WITH_THE_KERNEL
    for needed in (selftests / "kselftest/runner.sh", selftests / collection / "Makefile", modules):
        if not needed.exists():
            raise InputError(
                f"{root} has no {needed.relative_to(root)}", hint="is it a whole tree?"
            )
    return SelftestSource(selftests=selftests, modules=modules, modules_beside=beside.is_dir())
