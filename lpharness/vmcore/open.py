"""Opening a dump that QEMU or libvirt made.

drgn wants the kernel's VMCOREINFO, which tells where KASLR has put it. QEMU adds it to a dump only
for guests that have a device and a driver for handing it out; but the kernel keeps it ready in its
memory anyway, so it is found there.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from lpharness.base.errors import HostError, InputError

_BEGIN = b"OSRELEASE="
_NEEDED = (b"SYMBOL(swapper_pg_dir)=", b"KERNELOFFSET=", b"PAGESIZE=")
_MOST = 4096 * 4


def open_core(core: Path, vmlinux: Path, modules: tuple[Path, ...] = ()) -> Any:
    """Return a ``drgn.Program`` of a guest's memory, its symbols loaded.

    Raises:
        HostError: drgn is not installed.
        InputError: it is no dump of a Linux guest, or ``vmlinux`` is not that of its kernel.
    """
    try:
        import drgn
    except ImportError as error:
        raise HostError(
            "reading a guest's memory takes drgn, which is not installed",
            hint="pip install 'lpharness[drgn]'",
        ) from error
    program = drgn.Program(vmcoreinfo=find_vmcoreinfo(core))
    try:
        program.set_core_dump(core)
    except Exception as error:  # drgn has no base class of its errors
        raise InputError(f"{core} cannot be opened: {error}") from error
    try:
        program.load_debug_info([vmlinux, *modules])
        program["init_task"]
    except (drgn.MissingDebugInfoError, KeyError) as error:
        raise InputError(
            f"{vmlinux} is not the kernel in {core}",
            hint="name the right one with -k or --vmlinux",
        ) from error
    return program


def find_vmcoreinfo(core: Path) -> bytes:
    """Return the VMCOREINFO that a guest's kernel keeps in its memory.

    Raises:
        InputError: there is none: the file is no dump, or of something else than Linux.
    """
    try:
        with core.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            at = text.find(_BEGIN)
            while at >= 0:
                found = text[at : at + _MOST].partition(b"\0")[0]
                if all(key in found for key in _NEEDED):
                    return found
                at = text.find(_BEGIN, at + 1)
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise InputError(f"{core} cannot be read: {error}") from error
    raise InputError(f"{core} is no memory of a Linux guest: it has no VMCOREINFO")
