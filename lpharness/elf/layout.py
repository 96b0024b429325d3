"""How the tables of an ELF object lie in bytes, for either class and either byte order."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from lpharness.elf import constants as c


class SectionHeader(NamedTuple):
    """``Elf32_Shdr`` or ``Elf64_Shdr``; both have their fields in this order."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int


class SymbolEntry(NamedTuple):
    """``Elf64_Sym``'s fields, whatever the order in the file."""

    name: int
    info: int
    other: int
    section: int
    value: int
    size: int


@dataclass(frozen=True)
class Layout:
    """The packed structures of one class, byte order and machine."""

    bits: int
    little_endian: bool
    machine: int

    @property
    def _order(self) -> str:
        return "<" if self.little_endian else ">"

    @cached_property
    def header(self) -> struct.Struct:
        """What follows ``e_ident``."""
        return struct.Struct(
            self._order + ("HHIQQQIHHHHHH" if self.bits == 64 else "HHIIIIIHHHHHH")
        )

    @cached_property
    def section(self) -> struct.Struct:
        """One section header, in the order of `SectionHeader`."""
        return struct.Struct(self._order + ("IIQQQQIIQQ" if self.bits == 64 else "IIIIIIIIII"))

    @cached_property
    def symbol(self) -> struct.Struct:
        """One symbol, in the file's own order."""
        return struct.Struct(self._order + ("IBBHQQ" if self.bits == 64 else "IIIBBH"))

    @cached_property
    def word(self) -> struct.Struct:
        """A 32-bit word, as groups and extended section indices use."""
        return struct.Struct(self._order + "I")

    def relocation(self, explicit: bool) -> struct.Struct:
        """One entry of a relocation table, with (RELA) or without (REL) an addend."""
        if self.bits == 64:
            return struct.Struct(self._order + ("QQq" if explicit else "QQ"))
        return struct.Struct(self._order + ("IIi" if explicit else "II"))

    def unpack_symbol(self, raw: tuple[int, ...]) -> SymbolEntry:
        """Return an unpacked symbol's fields by name."""
        if self.bits == 64:
            return SymbolEntry(*raw)
        name, value, size, info, other, index = raw
        return SymbolEntry(name, info, other, index, value, size)

    def pack_symbol(self, entry: SymbolEntry) -> bytes:
        """Return a symbol's bytes."""
        if self.bits == 64:
            return self.symbol.pack(*entry)
        return self.symbol.pack(
            entry.name, entry.value, entry.size, entry.info, entry.other, entry.section
        )

    @property
    def _mips64_little(self) -> bool:
        # A 64-bit little-endian MIPS object keeps r_sym first and its four type bytes after it,
        # so that the whole is not r_info in little-endian order.
        return self.machine == c.EM_MIPS and self.bits == 64 and self.little_endian

    def split_info(self, info: int) -> tuple[int, int]:
        """Return the symbol index and the type that ``r_info`` holds."""
        if self.bits == 32:
            return info >> 8, info & 0xFF
        if self._mips64_little:
            return info & 0xFFFFFFFF, int.from_bytes((info >> 32).to_bytes(4, "little"), "big")
        return info >> 32, info & 0xFFFFFFFF

    def join_info(self, symbol: int, type_: int) -> int:
        """Return ``r_info`` of a symbol index and a type."""
        if self.bits == 32:
            return symbol << 8 | type_
        if self._mips64_little:
            return int.from_bytes(type_.to_bytes(4, "big"), "little") << 32 | symbol
        return symbol << 32 | type_


@lru_cache(maxsize=16)
def layout(bits: int, little_endian: bool, machine: int) -> Layout:
    """Return the layout of one kind of object."""
    return Layout(bits, little_endian, machine)
