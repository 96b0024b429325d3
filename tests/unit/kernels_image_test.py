"""Symbols in an image, laid out as scripts/kallsyms.c does, and the image in its boot image."""

from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path

import lz4.block
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from lpharness.base.errors import InputError
from lpharness.kernels.image_symbols import read_kallsyms
from lpharness.kernels.vmlinux import Vmlinux, extract_vmlinux

BASE = 0xFFFFFFFF81000000
NAMES = st.text(alphabet="abcdefghijklmnopqrstuvwxyz_.0123456789", min_size=1, max_size=200)


def pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def image(symbols: list[tuple[int, str]], *, form: str) -> bytes:
    """Lay a table out with one token for each character, in the order of a kernel version."""
    tokens = [bytes([code]) if chr(code).isalnum() or chr(code) in "_." else b"%02x" % code
              for code in range(256)]  # fmt: skip
    names, markers = b"", []
    for number, (_, name) in enumerate(symbols):
        if number % 256 == 0:
            markers.append(len(names))
        size = len(name)
        names += bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80, size >> 7])
        names += name.encode()
    table = b"".join(token + b"\0" for token in tokens)
    starts, at = [], 0
    for token in tokens:
        starts.append(at)
        at += len(token) + 1
    parts = {
        "offsets": pad(struct.pack(f"<{len(symbols)}i", *(
            BASE - 1 - address if address >= BASE else address for address, _ in symbols))),
        "base": struct.pack("<Q", BASE),
        "count": pad(struct.pack("<I", len(symbols))),
        "names": pad(names),
        "markers": pad(struct.pack(f"<{len(markers)}I", *markers)),
        "seqs": pad(bytes(range(1, 4)) * len(symbols)),
        "tokens": pad(table),
        "index": struct.pack("<256H", *starts),
    }  # fmt: skip
    orders = {
        "6.1": "offsets base count names markers tokens index",
        "6.1 with seqs": "offsets base count names markers seqs tokens index",
        "6.12": "count names markers tokens index offsets base seqs",
    }
    return b"\xcc" * 4096 + b"".join(parts[p] for p in orders[form].split()) + b"\xcc" * 4096


@pytest.mark.parametrize("form", ["6.1", "6.1 with seqs", "6.12"])
@settings(max_examples=15, deadline=None)
@given(names=st.lists(NAMES, min_size=300, max_size=700), percpu=st.integers(0, 3))
def test_symbols_are_read_in_their_order(form: str, names: list[str], percpu: int) -> None:
    symbols = [(number * 16, "A" + name) for number, name in enumerate(names[:percpu])]
    symbols += [(BASE + n * 16, "t" + name) for n, name in enumerate(names[percpu:])]
    lines = read_kallsyms(image(symbols, form=form)).decode().splitlines()
    assert lines == [f"{address:016x} {name[0]} {name[1:]}" for address, name in symbols]


@pytest.mark.parametrize("count", range(300, 309))
def test_what_comes_before_the_tokens_may_end_without_a_zero(count: int) -> None:
    symbols = [(BASE + number, "tx") for number in range(count)]
    assert read_kallsyms(image(symbols, form="6.1 with seqs")).count(b" t x\n") == count


def test_an_image_without_symbols_is_refused() -> None:
    with pytest.raises(InputError, match="no symbol table"):
        read_kallsyms(b"".join(b"%d\0" % digit for digit in range(10)).ljust(8192, b"x"))


def elf() -> bytes:
    header = b"\x7fELF\x02\x01\x01".ljust(32, b"\0") + struct.pack("<Q", 64)
    header += bytes(14) + struct.pack("<HH", 56, 1)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 256, BASE, 0, 64, 4096, 4096)
    return (header.ljust(64, b"\0") + segment).ljust(256, b"\0") + bytes(range(64))


PACKERS = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lambda data: (
        b"\x02\x21\x4c\x18" + struct.pack("<I", len(block := lz4.block.compress(
            data, store_size=False))) + block
    ),
    "none": bytes,
}  # fmt: skip


def boot_image(payload: bytes) -> bytes:
    payload += struct.pack("<I", len(elf()))  # arch/x86/boot/compressed: size_append
    head = bytearray(5 * 512 + 32)
    head[0x1F1] = 4
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", head, 0x248, 32, len(payload))
    return bytes(head) + payload


@pytest.mark.parametrize("packer", PACKERS)
def test_the_kernel_is_taken_out_of_its_boot_image(packer: str, tmp_path: Path) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(boot_image(PACKERS[packer](elf())))
    vmlinux = Vmlinux(extract_vmlinux(path))
    assert vmlinux.read(BASE + 16, 8) == bytes(range(16, 24))
    assert vmlinux.read(BASE + 60, 8) == bytes(range(60, 64))
    assert vmlinux.read(BASE - 1, 8) == vmlinux.read(BASE + 64, 8) == b""


@pytest.mark.parametrize(
    "payload", [b"", b"\x1f\x8bxxxx", b"\xfd7zXZ\0bad", b"MZ", b"\x02\x21\x4c\x18\xff"]
)
def test_a_damaged_image_is_refused(payload: bytes, tmp_path: Path) -> None:
    path = tmp_path / "vmlinuz"
    path.write_bytes(boot_image(payload))
    with pytest.raises(InputError):
        extract_vmlinux(path)
