"""A reproducible writer of the cpio "newc" archives that Linux takes as an initramfs.

The format is the kernel's ``Documentation/driver-api/early-userspace/buffer-format.rst``: a header
of thirteen 8-digit hexadecimal fields, the name, the content, each padded to four bytes. Time
stamps are 0, owner and group are root, inode numbers count up in the order of the names, so equal
trees give equal bytes on every host, whatever its user, umask or clock.
"""

from __future__ import annotations

import shutil
import stat
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from lpharness.images.tree import Device, Entry, File, Folder, Symlink, Tree

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
BLOCK = 512
"""Archives are padded to this, so that concatenated ones stay aligned as the kernel needs it."""
_LARGEST = 0xFFFFFFFF


def write(tree: Tree, out: BinaryIO) -> None:
    """Write ``tree`` as one archive, parents before children, with its trailer.

    Raises:
        ValueError: a file is larger than the format's 32-bit size field can tell.
        OSError: a file cannot be read, or ``out`` cannot be written.
    """
    began = out.tell()
    for inode, (name, entry) in enumerate(sorted(tree.entries.items()), start=1):
        _write_entry(out, inode, name, entry)
    _header(out, TRAILER, inode=0, mode=0, links=1, size=0)
    out.write(b"\0" * (-(out.tell() - began) % BLOCK))


def _write_entry(out: BinaryIO, inode: int, name: str, entry: Entry) -> None:
    if isinstance(entry, Folder):
        _header(out, name, inode=inode, mode=stat.S_IFDIR | entry.mode, links=2, size=0)
    elif isinstance(entry, Device):
        mode = stat.S_IFCHR | entry.mode
        _header(out, name, inode=inode, mode=mode, links=1, size=0, device=entry)
    else:
        kind = stat.S_IFLNK | 0o777 if isinstance(entry, Symlink) else stat.S_IFREG | entry.mode
        size = _size(entry)
        if size > _LARGEST:
            raise ValueError(f"{name} is too large for an initramfs: {size} bytes")
        _header(out, name, inode=inode, mode=kind, links=1, size=size)
        with _open(entry) as source:
            shutil.copyfileobj(source, out)
        out.write(b"\0" * (-size % 4))


def _size(entry: File | Symlink) -> int:
    if isinstance(entry, Symlink):
        return len(entry.target.encode())
    return entry.content.stat().st_size if isinstance(entry.content, Path) else len(entry.content)


def _open(entry: File | Symlink) -> BinaryIO:
    if isinstance(entry, Symlink):
        return BytesIO(entry.target.encode())
    return entry.content.open("rb") if isinstance(entry.content, Path) else BytesIO(entry.content)


def _header(
    out: BinaryIO,
    name: str,
    *,
    inode: int,
    mode: int,
    links: int,
    size: int,
    device: Device | None = None,
) -> None:
    encoded = name.encode() + b"\0"
    major, minor = (device.major, device.minor) if device else (0, 0)
    # inode, mode, uid, gid, links, mtime, size,
    # its file system's device (2), its own device (2), name, sum
    fields = (inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, len(encoded), 0)
    header = MAGIC + b"".join(b"%08x" % field for field in fields) + encoded
    out.write(header + b"\0" * (-len(header) % 4))
