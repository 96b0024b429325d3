"""The kernel proper inside its boot image: the bytes that run, as they were shipped.

An x86 bzImage carries ``vmlinux``, stripped and compressed, as its payload
(Documentation/arch/x86/boot.rst, ``payload_offset``; arch/x86/boot/compressed/Makefile). What is
in it has not been touched by boot-time patching yet: alternatives, static calls, jump labels and
ftrace sites are as the linker left them.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from bisect import bisect_right
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.kernels.model import Kernel
from lpharness.kernels.store import key_of

KIND = "vmlinux"
_FILE = "vmlinux"
_SETUP_SECTORS, _PAYLOAD = 0x1F1, 0x248  # offsets in the boot header
_LZ4_BLOCK = 8 << 20  # every block of the legacy format but the last unpacks to this much
_ELF = b"\x7fELF"


class Segment(Struct, frozen=True):
    """A piece of the image that is loaded to one place."""

    address: int
    offset: int
    size: int


class Vmlinux:
    """The bytes of a kernel by the addresses it was linked to."""

    def __init__(self, content: bytes) -> None:
        """Take an ELF file; only 64-bit little-endian ones are known here."""
        self.content = content

    @cached_property
    def segments(self) -> list[Segment]:
        """The loaded pieces, by address, less those that have no bytes in the file."""
        start, size, count = self._program_headers()
        found = []
        for number in range(count):
            kind, _, offset, address, _, in_file, _, _ = struct.unpack_from(
                "<IIQQQQQQ", self.content, start + number * size
            )
            if kind == 1 and in_file:
                found.append(Segment(address, offset, in_file))
        return sorted(found, key=lambda segment: segment.address)

    def read(self, address: int, size: int) -> bytes:
        """Return the bytes at an address; fewer, or none, where the file has no more."""
        at = bisect_right([segment.address for segment in self.segments], address) - 1
        if at < 0:
            return b""
        segment = self.segments[at]
        skip = address - segment.address
        if skip >= segment.size:
            return b""
        begin = segment.offset + skip
        return self.content[begin : begin + min(size, segment.size - skip)]

    def _program_headers(self) -> tuple[int, int, int]:
        if self.content[:6] != _ELF + b"\x02\x01":
            raise InputError("the kernel in the boot image is no 64-bit little-endian ELF file")
        start, size, count = (
            struct.unpack_from("<Q", self.content, 32)[0],
            *struct.unpack_from("<HH", self.content, 54),
        )
        if start + size * count > len(self.content):
            raise InputError("the kernel in the boot image is cut short")
        return start, size, count


def load_vmlinux(kernel: Kernel, *, cache: Cache | None = None) -> Vmlinux:
    """Return the kernel proper, taken out of its boot image once and kept.

    Raises:
        InputError: the image is no bzImage, or is packed in a way unknown here.
        HostError: no space left.
    """

    def build(folder: Path) -> None:
        (folder / _FILE).write_bytes(extract_vmlinux(kernel.image))

    entry = (cache or Cache()).get(KIND, key_of(kernel.release, kernel.identity), build)
    return Vmlinux((entry / _FILE).read_bytes())


def extract_vmlinux(image: Path) -> bytes:
    """Return the ELF file in a bzImage.

    Raises:
        InputError: it cannot be read, is no bzImage, or is packed in a way unknown here.
    """
    try:
        content = image.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the kernel image {image}: {error.strerror}") from error
    if content[0x202:0x206] != b"HdrS":
        raise InputError(f"{image} is not an x86 boot image", hint="the bzImage is wanted")
    offset, length = struct.unpack_from("<II", content, _PAYLOAD)
    start = ((content[_SETUP_SECTORS] or 4) + 1) * 512 + offset
    payload = content[start : start + length]
    for magic, unpack in _PACKERS.items():
        if payload.startswith(magic):
            try:
                vmlinux = unpack(payload)
            except (ValueError, RuntimeError, lzma.LZMAError, zlib.error) as error:
                raise InputError(f"{image}: the packed kernel is damaged: {error}") from error
            if vmlinux.startswith(_ELF):
                return vmlinux
            break
    raise InputError(f"{image}: cannot unpack the kernel in it (starts {payload[:4].hex()})")


def _unpack_lz4(payload: bytes) -> bytes:
    """Unpack the legacy frame of ``lz4 -l``: blocks, each after its own size."""
    import lz4.block

    pieces, at = [], 4
    while at + 4 < len(payload):  # four bytes follow the last block: the unpacked size
        (size,) = struct.unpack_from("<I", payload, at)
        block = payload[at + 4 : at + 4 + size]
        pieces.append(lz4.block.decompress(block, uncompressed_size=_LZ4_BLOCK))
        at += 4 + size
    return b"".join(pieces)


def _unpack_zstd(payload: bytes) -> bytes:
    import zstandard

    # --ultra -22 uses windows beyond what decoders allow by default
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    try:
        return decoder.decompressobj().decompress(payload)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


def _unpack_xz(payload: bytes) -> bytes:
    return lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(payload)


def _unpack_lzma(payload: bytes) -> bytes:
    return lzma.LZMADecompressor(format=lzma.FORMAT_ALONE).decompress(payload)


def _unpack_gzip(payload: bytes) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(payload)


def _unpack_bzip2(payload: bytes) -> bytes:
    import bz2

    return bz2.BZ2Decompressor().decompress(payload)


_PACKERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x02\x21\x4c\x18": _unpack_lz4,
    b"\x28\xb5\x2f\xfd": _unpack_zstd,
    b"\xfd7zXZ": _unpack_xz,
    b"\x1f\x8b": _unpack_gzip,
    b"BZh": _unpack_bzip2,
    b"\x5d\x00\x00": _unpack_lzma,
    _ELF: bytes,  # CONFIG_KERNEL_UNCOMPRESSED
}
