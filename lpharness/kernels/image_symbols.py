"""The kernel's own symbol table, read out of its image: no guest, no debug package needed.

scripts/kallsyms.c writes the table into read-only data as arrays without names, in an order that
changed once (404bad70fcf7, "scripts/kallsyms: change the output order", 6.4)::

    before   offsets, relative_base, num_syms, names, markers, [seqs_of_names,] token_table,
             token_index
    since    num_syms, names, markers, token_table, token_index, offsets, relative_base, …

They are found by what must hold of them: the token table and its index describe each other, and
so do names, markers and their number.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.kernels.model import Kernel
from lpharness.kernels.store import key_of
from lpharness.kernels.symbols import SymbolTable
from lpharness.kernels.vmlinux import load_vmlinux

KIND = "image-symbols"
_FILE = "kallsyms"
_DIGITS = b"".join(bytes([digit, 0]) for digit in b"0123456789")
_TOKENS = 256
_EVERY = 256  # a marker for each so many names
_LONGEST_NAME = 512  # KSYM_NAME_LEN
_MOST = 1 << 20  # symbols; a stock kernel has a tenth of that


def image_symbols(kernel: Kernel, *, cache: Cache | None = None) -> SymbolTable:
    """Return vmlinux's symbols in kallsyms' order, at the addresses the image was linked to.

    The order, and so every sympos, is that of ``/proc/kallsyms``; the addresses are those of a
    boot without KASLR. Modules are not in it.

    Raises:
        InputError: the image has no such table, or one of a form unknown here.
        HostError: no space left.
    """

    def build(folder: Path) -> None:
        content = load_vmlinux(kernel, cache=cache).content
        (folder / _FILE).write_bytes(read_kallsyms(content))

    entry = (cache or Cache()).get(KIND, key_of(kernel.release, kernel.identity), build)
    return SymbolTable((entry / _FILE).read_bytes())


def read_kallsyms(vmlinux: bytes) -> bytes:
    """Return the table in an image as text of the form of ``/proc/kallsyms``.

    Raises:
        InputError: there is none, or one of a form unknown here.
    """
    for match in re.finditer(re.escape(_DIGITS), vmlinux):
        try:
            table = _Table.at(vmlinux, match.start())
        except (struct.error, IndexError):  # looks like one, and reaches out of the image
            continue
        if table is not None:
            return table.text()
    raise InputError(
        "the kernel image has no symbol table that can be read",
        hint="was it built with CONFIG_KALLSYMS?",
    )


class _Table:
    """Where the arrays of one image are."""

    def __init__(self, image: bytes, tokens: list[bytes], names: int, count: int) -> None:
        self._image = image
        self._tokens = tokens
        self._names = names
        self._count = count
        self._addresses: list[int] = []

    @classmethod
    def at(cls, image: bytes, digits: int) -> _Table | None:
        """Return the table whose tokens for the ten digits are at an offset, if it is one."""
        second = _back_over_strings(image, digits, ord("0") - 1)
        first = image.rfind(b"\0", 0, second - 1) + 1
        # What comes before may end without a zero; but every array begins at a multiple of eight.
        for start in range(_aligned(first), second, 8):
            index = _index_after(image, start)
            if index is not None:
                return cls._before(image, start, index)
        return None

    @classmethod
    def _before(cls, image: bytes, start: int, index: int) -> _Table | None:
        """Return the table whose tokens and their index are at two offsets."""
        tokens = image[start:index].split(b"\0", _TOKENS)[:_TOKENS]
        for begin, values in _markers_before(image, start):
            for names in range((begin - values[-1]) & ~7, begin - values[-1] - _EVERY * 64, -8):
                (count,) = struct.unpack_from("<I", image, names - 8)
                if _marks(count) == len(values):
                    table = cls(image, tokens, names, count)
                    if table._fits(values) and table._find_addresses(index + 2 * _TOKENS):
                        return table
        return None

    def text(self) -> bytes:
        """Return the symbols, one a line."""
        lines = []
        tokens, image, at = self._tokens, self._image, self._names
        for address in self._addresses:
            length, at = _length(image, at)
            name = b"".join([tokens[code] for code in image[at : at + length]])
            at += length
            lines.append(b"%016x %c %s\n" % (address, name[:1], name[1:]))
        return b"".join(lines)

    def _fits(self, markers: array[int]) -> bool:
        """Say whether each marker is where the walk over the names comes to."""
        image, at = self._image, self._names
        for number in range(self._count):
            if number % _EVERY == 0 and at - self._names != markers[number // _EVERY]:
                return False
            length, at = _length(image, at)
            if not 0 < length <= _LONGEST_NAME:
                return False
            at += length
        return True

    def _find_addresses(self, after_index: int) -> bool:
        """Find offsets and base in either order; true if they make sense."""
        size = 4 * self._count
        begin = _aligned(after_index)
        older_base = self._names - 16
        for base_at, offsets_at in (
            (_aligned(begin + size), begin),
            (older_base, (older_base - size) & ~7),
        ):
            (base,) = struct.unpack_from("<Q", self._image, base_at)
            offsets = struct.unpack_from(f"<{self._count}i", self._image, offsets_at)
            # CONFIG_KALLSYMS_ABSOLUTE_PERCPU: kallsyms_sym_address() in kernel/kallsyms.c
            found = [offset if offset >= 0 else base - 1 - offset for offset in offsets]
            if base >> 47 == 0x1FFFF and all(a <= b for a, b in pairwise(found)):
                self._addresses = found
                return True
        return False


def _index_after(image: bytes, start: int) -> int | None:
    """Return where the index of the tokens at ``start`` is, if there is one that describes them."""
    tokens = image[start : start + _TOKENS * 64].split(b"\0", _TOKENS)[:_TOKENS]
    if len(tokens) < _TOKENS:
        return None
    ends = list(accumulate(len(token) + 1 for token in tokens))
    index = _aligned(start + ends[-1])
    wanted = struct.pack(f"<{_TOKENS}H", 0, *ends[:-1])
    return index if image[index : index + len(wanted)] == wanted else None


def _length(image: bytes, at: int) -> tuple[int, int]:
    """Return a name's length and where it starts; long names take two bytes (73bbb94466fd, 6.1)."""
    length = image[at]
    if length & 0x80:
        return (length & 0x7F) | image[at + 1] << 7, at + 2
    return length, at + 1


def _aligned(offset: int) -> int:
    return (offset + 7) & ~7


def _back_over_strings(image: bytes, at: int, count: int) -> int:
    for _ in range(count):
        at = image.rfind(b"\0", 0, at - 1) + 1
    return at


def _markers_before(image: bytes, end: int) -> Iterator[tuple[int, array[int]]]:
    """Yield what may be the markers: where they start, and their values.

    They end at ``end``, or before a table of three bytes for each symbol that ends there.
    """
    direct = _rising_before(image, end)
    places = [(end & ~7, {direct})] + [
        (at, {_marks((end - at) // 3), _marks((end - at) // 3 - 2)})
        for at in range(end & ~7, max(8, end - 3 * _MOST), -8)
    ]
    for at, counts in places:
        for count in counts:
            begin = (at - 4 * count) & ~7
            if count < 2 or begin < 8 or image[begin : begin + 4] != bytes(4):
                continue
            values = array("I", image[begin : begin + 4 * count])
            if all(a < b for a, b in pairwise(values)):
                yield begin, values


def _marks(count: int) -> int:
    return (count + _EVERY - 1) // _EVERY


def _rising_before(image: bytes, end: int) -> int:
    """Return how many rising numbers, the first a zero, end before ``end``, padding aside."""
    if not struct.unpack_from("<I", image, end - 4)[0]:
        end -= 4
    at = end - 4
    (value,) = struct.unpack_from("<I", image, at)
    while value and at > 4:
        (before,) = struct.unpack_from("<I", image, at - 4)
        if before >= value:
            return 0
        at, value = at - 4, before
    return (end - at) // 4
