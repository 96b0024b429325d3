"""What a boot image says of itself: its release, and the architecture that it is for."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import NamedTuple

from lpharness.base.architecture import NATIVE, Architecture, architecture
from lpharness.base.errors import InputError
from lpharness.kernels import bzimage

_ELF = b"\x7fELF\x02\x01"  # 64 bits, little-endian
_MACHINE_AT = 18
_MACHINES = {21: "ppc64el"}  # EM_PPC64; of an x86 ELF file no boot loader makes a guest
_BANNER = re.compile(rb"Linux version (\d[^\s\0]*) ")  # linux_banner, init/version-timestamp.c


class BootImage(NamedTuple):
    """What can be told of one."""

    release: str
    """``uname -r``."""
    architecture: Architecture


def read_boot_image(image: Path) -> BootImage:
    """Return what a boot image says of itself.

    Raises:
        InputError: it cannot be read, is no boot image, or does not tell its release.
    """
    try:
        with image.open("rb") as file:
            head = file.read(64)
            machine = int.from_bytes(head[_MACHINE_AT : _MACHINE_AT + 2], "little")
            if head.startswith(_ELF) and machine in _MACHINES:
                return BootImage(_banner(image, file.fileno()), architecture(_MACHINES[machine]))
    except OSError as error:
        raise InputError(f"cannot read the kernel image {image}: {error.strerror}") from error
    return BootImage(bzimage.read_release(image), architecture(NATIVE))


def _banner(image: Path, descriptor: int) -> str:
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
        found = _BANNER.search(content)
        if found is None:
            raise InputError(f"{image} does not tell its release")
        return found[1].decode("ascii", "replace")
