"""A kernel's debug information: the ``vmlinux`` that tells file and line, and types.

A kernel of our own recipe or of a tree has it beside the headers, if it was configured so. Debian
ships it in a package of hundreds of megabytes, which is fetched only when a user asks for it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lpharness.archive import Archive
from lpharness.base.cache import Cache
from lpharness.base.errors import HostError, InputError
from lpharness.kernels.model import Kernel
from lpharness.kernels.store import key_of

KIND = "debug"
_VMLINUX = "vmlinux"


def debug_vmlinux(kernel: Kernel, cache: Cache | None = None) -> Path | None:
    """Return the kernel's ``vmlinux`` with debug information if it is on this host."""
    if kernel.config.get("CONFIG_DEBUG_INFO") != "y":
        return None
    if kernel.headers is not None and (kernel.headers / _VMLINUX).is_file():
        return kernel.headers / _VMLINUX
    entry = (cache or Cache()).find(KIND, key_of(kernel.release, kernel.identity))
    return entry / _VMLINUX if entry else None


def fetch_debug_vmlinux(kernel: Kernel, archive: Archive) -> Path:
    """Return the ``vmlinux`` with debug information, from Debian if it is not at hand.

    Raises:
        InputError: the kernel was built without, or the archive has no debug package of it.
        HostError: it cannot be fetched, or there is no space left.
    """
    if found := debug_vmlinux(kernel, archive.cache):
        return found
    if not kernel.origin.package:
        raise InputError(
            f"{kernel.release} has no vmlinux with debug information",
            hint="build it with CONFIG_DEBUG_INFO=y and keep its tree",
        )
    name = f"linux-image-{kernel.release}-dbg"
    package = next((p for p in archive.find(name) if p.version == kernel.origin.version), None)
    if package is None:
        raise InputError(
            f"the archive has no {name} {kernel.origin.version}, which has the kernel's vmlinux",
            hint="take a kernel that is still there, or a tree of your own: tree:PATH",
        )

    def build(folder: Path) -> None:
        unpacked = folder / "unpacked"
        unpacked.mkdir()
        archive.unpack_into(package, unpacked)
        _vmlinux(unpacked, kernel.release, name).rename(folder / _VMLINUX)
        # The modules' is larger than the kernel's, and seldom asked for.
        shutil.rmtree(unpacked)

    return archive.cache.get(KIND, key_of(kernel.release, kernel.identity), build) / _VMLINUX


def _vmlinux(unpacked: Path, release: str, package: str) -> Path:
    debug = unpacked / "usr/lib/debug"
    for place in (f"boot/vmlinux-{release}", f"lib/modules/{release}/vmlinux"):
        if (debug / place).is_file() and not (debug / place).is_symlink():
            return debug / place
    raise HostError(f"{package} has no vmlinux")
