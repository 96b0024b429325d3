"""A kernel's symbols as ``/proc/kallsyms`` tells them.

Livepatch finds an old function by object, name and *sympos*: the how-manieth symbol of that name
the object has, in the order in which kallsyms walks it (``klp_find_callback`` in
kernel/livepatch/core.c counts every match, of whatever type). For vmlinux that is the order of
addresses, for a module the order of its symbol table; ``/proc/kallsyms`` prints both as they are
walked. So the file's own order is kept here and never sorted.

Addresses are those of the boot the file was read in: with KASLR another boot has others, names and
sympos stay.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lpharness.base.cache import Cache
from lpharness.base.errors import HostError
from lpharness.kernels.model import Kernel
from lpharness.kernels.store import key_of

VMLINUX = "vmlinux"
"""The object that the kernel itself is, as livepatch names it in sysfs."""
KIND = "symbols"
_FILE = "kallsyms"
_LINE = re.compile(rb"^([0-9a-f]+) (\S) (\S+)(?:[ \t]+\[([^\]\s]+)\])?$", re.MULTILINE)
_TEXT = frozenset("tTwW")
_FEW = 50
"""So many names are looked for in the text itself, a millisecond each; beyond that an index of
all names, which takes a tenth of a second to make, is the quicker way."""
_Row = tuple[bytes, bytes, bytes, bytes]  # address, type, name, module (empty for vmlinux)


class Symbol(NamedTuple):
    """One line of kallsyms."""

    name: str
    address: int
    type: str
    """As nm(1) has it: ``t`` and ``T`` for functions, small for static ones."""
    object: str
    """``vmlinux``, or the module's name (``bpf`` and ``__builtin__…`` for generated code)."""


class SymbolTable:
    """Every symbol of a running kernel, in kallsyms' order."""

    def __init__(self, kallsyms: bytes) -> None:
        """Take a text that `parse` accepted before; nothing is read of it until it is asked for."""
        self._kallsyms = kallsyms
        self._asked = 0

    @classmethod
    def parse(cls, kallsyms: bytes) -> SymbolTable:
        """Return the table of a kallsyms text.

        Raises:
            HostError: it is cut short or malformed, or its addresses are hidden (they read as
                zeros where ``kernel.kptr_restrict`` is set or the reader is not root).
        """
        table = cls(kallsyms)
        rows = table._rows
        if len(rows) != kallsyms.count(b"\n") or not kallsyms.endswith(b"\n"):
            raise HostError(f"malformed kallsyms: {_first_bad_line(kallsyms)}")
        if not any(row[0].strip(b"0") for row in rows):
            raise HostError(
                "kallsyms hides its addresses", hint="read it as root, with kptr_restrict off"
            )
        return table

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Symbol]:
        return map(_symbol, self._rows)

    def lookup(self, name: str, object: str = VMLINUX) -> tuple[Symbol, ...]:  # noqa: A002
        """Return an object's symbols of that name: the first has sympos 1, and so on up."""
        return tuple(symbol for symbol in self.find(name) if symbol.object == object)

    def find(self, name: str) -> tuple[Symbol, ...]:
        """Return the symbols of that name in whatever object."""
        self._asked += 1
        if self._asked <= _FEW:
            return tuple(self._scan(name.encode()))
        return tuple(_symbol(self._rows[i]) for i in self._by_name.get(name.encode(), ()))

    def sympos(self, symbol: Symbol) -> int:
        """Return the sympos of a symbol of this table, from 1.

        Raises:
            ValueError: the table has no such symbol.
        """
        return self.lookup(symbol.name, symbol.object).index(symbol) + 1

    def addresses(self, name: str, object: str = VMLINUX) -> tuple[int, ...]:  # noqa: A002
        """Return where an object's symbols of that name lie, in the order of sympos."""
        return tuple(symbol.address for symbol in self.lookup(name, object))

    @cached_property
    def objects(self) -> frozenset[str]:
        """The objects the table covers: vmlinux and the modules that were loaded."""
        return frozenset(o.decode() or VMLINUX for o in {row[3] for row in self._rows})

    def nearest(self, address: int, *, text_only: bool = False) -> tuple[Symbol, int] | None:
        """Return the last symbol at or before an address, and the offset from it in bytes.

        Of several at one address the first in kallsyms' order is taken. ``None`` if the address
        comes before every symbol.

        Args:
            address: as this table's boot has it.
            text_only: consider functions only.
        """
        places, indices = self._functions if text_only else self._places
        at = bisect_right(places, address)
        if not at:
            return None
        symbol = _symbol(self._rows[indices[bisect_left(places, places[at - 1])]])
        return symbol, address - symbol.address

    def first_name_at(self, address: int) -> str | None:
        """Return the first of an address's names: the one that stacks and traces show.

        ``get_symbol_pos()`` in kernel/kallsyms.c goes back to the first symbol of an address.
        """
        text, wanted = self._kallsyms, f"{address:016x} ".encode()
        at = 0 if text.startswith(wanted) else text.find(b"\n" + wanted) + 1
        line = _LINE.match(text, at) if at or text.startswith(wanted) else None
        return line[3].decode(errors="replace") if line else None

    def functions_like(self, name: str, most: int = 200) -> list[str]:
        """Return some of vmlinux's functions that share the longest word of ``name``."""
        word = re.escape(max(name.split("_"), key=len)).encode()
        lines = re.finditer(rb"^[0-9a-f]+ [tTwW] (\S*" + word + rb"\S*)$", self._kallsyms, re.M)
        return [line[1].decode(errors="replace") for line in islice(lines, most)]

    def _scan(self, name: bytes) -> Iterator[Symbol]:
        """Yield the symbols of a name without reading all the others."""
        text, wanted = self._kallsyms, b" " + name
        at = text.find(wanted)
        while at >= 0:
            line = _LINE.match(text, text.rfind(b"\n", 0, at) + 1)
            if line is not None and line.start(3) == at + 1 and line[3] == name:
                yield _symbol((line[1], line[2], line[3], line[4] or b""))
            at = text.find(wanted, at + 1)

    @cached_property
    def _rows(self) -> list[_Row]:
        return _LINE.findall(self._kallsyms)

    @cached_property
    def _by_name(self) -> dict[bytes, list[int]]:
        names: dict[bytes, list[int]] = {}
        for number, row in enumerate(self._rows):
            names.setdefault(row[2], []).append(number)
        return names

    @cached_property
    def _places(self) -> tuple[list[int], list[int]]:
        return self._sorted(range(len(self._rows)))

    @cached_property
    def _functions(self) -> tuple[list[int], list[int]]:
        rows = self._rows
        return self._sorted([i for i in range(len(rows)) if rows[i][1].decode() in _TEXT])

    def _sorted(self, numbers: range | list[int]) -> tuple[list[int], list[int]]:
        """Return addresses and row numbers, by address, then in kallsyms' order."""
        places = sorted((int(self._rows[i][0], 16), i) for i in numbers)
        return [address for address, _ in places], [number for _, number in places]


def save_symbols(kernel: Kernel, kallsyms: bytes, *, cache: Cache | None = None) -> SymbolTable:
    """Keep what ``/proc/kallsyms`` of a guest of that kernel said; the first said stays.

    Read it early and as root, before anything is loaded that others would not have.

    Raises:
        HostError: it is malformed or hides its addresses, or there is no space left.
    """
    table = SymbolTable.parse(kallsyms)

    def build(folder: Path) -> None:
        (folder / _FILE).write_bytes(kallsyms)

    (cache or Cache()).get(KIND, key_of(kernel.release, kernel.identity), build, sealed=True)
    return table


def load_symbols(kernel: Kernel, *, cache: Cache | None = None) -> SymbolTable | None:
    """Return the symbols kept for a kernel, or ``None`` if no guest of it has told them yet."""
    entry = (cache or Cache()).find(KIND, key_of(kernel.release, kernel.identity), sealed=True)
    if entry is None:
        return None
    return SymbolTable((entry / _FILE).read_bytes())


def _symbol(row: _Row) -> Symbol:
    address, kind, name, owner = row
    return Symbol(
        name.decode(errors="replace"), int(address, 16), kind.decode(), owner.decode() or VMLINUX
    )


def _first_bad_line(text: bytes) -> str:
    for number, line in enumerate(text.split(b"\n")[:-1], 1):
        if not _LINE.fullmatch(line):
            return f"line {number}: {line[:80]!r}"
    return "empty" if not text else "its last line is cut short"
