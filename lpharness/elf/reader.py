"""Relocatable ELF read whole, with every offset and count held against the file's own size.

pyelftools reads the headers. The tables (symbols, relocations) are taken apart here in bulk: a
file system's module has tens of thousands of entries, and one object for each would cost more
than all the rest of an inspection.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from elftools.common.exceptions import ELFError
from elftools.common.utils import struct_parse
from elftools.elf.structs import ELFStructs  # not elffile: it brings all of DWARF along

from lpharness.base.errors import InputError

SHT_PROGBITS, SHT_SYMTAB, SHT_RELA, SHT_NOBITS = 1, 2, 4, 8
SHF_ALLOC, SHF_EXECINSTR = 0x2, 0x4
SHF_RELA_LIVEPATCH = 0x00100000  # include/uapi/linux/elf.h
SHN_UNDEF, SHN_LIVEPATCH = 0, 0xFF20
STT_OBJECT, STT_FUNC, STT_SECTION = 1, 2, 3
STB_WEAK = 2

LARGEST = 512 << 20  # bytes; modules with full debug information stay below a tenth of it
_MOST_SECTIONS = 0x10000
_MOST_ENTRIES = 4_000_000  # symbols and relocations looked at; amdgpu.ko has 200,000 of them
_LONGEST_NAME = 4096

# The relocation that stores a whole pointer: all that data structures have.
POINTER_RELOCATION = {
    "EM_X86_64": 1,  # R_X86_64_64
    "EM_AARCH64": 257,  # R_AARCH64_ABS64
    "EM_PPC64": 38,  # R_PPC64_ADDR64
    "EM_S390": 22,  # R_390_64
}

# pyelftools gives section types by name; only these matter here.
_TYPES = {
    "SHT_PROGBITS": SHT_PROGBITS,
    "SHT_SYMTAB": SHT_SYMTAB,
    "SHT_RELA": SHT_RELA,
    "SHT_NOBITS": SHT_NOBITS,
}

_SYMBOL = struct.Struct("<IBBHQQ")
_RELA = struct.Struct("<QQq")


class Section(NamedTuple):
    """One section header."""

    number: int
    name: str
    type: int
    """``SHT_*`` as above; -1 for the types that do not matter here."""
    flags: int
    offset: int
    size: int
    link: int
    info: int

    @property
    def executable(self) -> bool:
        """Whether it holds code that is loaded."""
        return self.flags & (SHF_ALLOC | SHF_EXECINSTR) == SHF_ALLOC | SHF_EXECINSTR

    @property
    def data(self) -> bool:
        """Whether it is loaded and is no code."""
        return self.flags & (SHF_ALLOC | SHF_EXECINSTR) == SHF_ALLOC


class Symbol(NamedTuple):
    """One entry of the symbol table."""

    number: int
    name: str
    type: int
    bind: int
    section: int
    """Index of its section, or a reserved one (``SHN_*``)."""
    value: int
    size: int


class Relocation(NamedTuple):
    """One entry of a ``SHT_RELA`` section."""

    offset: int
    type: int
    symbol: int
    addend: int


class Place(NamedTuple):
    """An offset in a section."""

    section: int
    offset: int


def not_this(path: Path | str, what: str) -> InputError:
    """Return the error that says why a file cannot be read as what it should be."""
    return InputError(f"{path}: {what}")


class Elf:
    """A 64-bit little-endian relocatable ELF file in memory.

    Raises:
        InputError: from any method, when the file is not that, is cut short, or contradicts
            itself. Time and memory are linear in the file's size.
    """

    def __init__(self, data: bytes, path: Path | str) -> None:
        self.path = path
        self.data = data
        self._entries = 0
        if data[:4] != b"\x7fELF":
            raise not_this(path, "not an ELF file")
        if data[4:6] != b"\x02\x01":
            raise not_this(path, "not a 64-bit little-endian ELF file")
        try:
            header, sections = self._headers()
        except (ELFError, struct.error, ValueError, OverflowError, LookupError) as error:
            raise not_this(path, f"damaged ELF header: {_one_line(error)}") from None
        self.machine = str(header["e_machine"])
        if header["e_type"] != "ET_REL":
            kind = header["e_type"]
            raise not_this(path, f"ELF of type {kind}, not a relocatable object or module")
        self.sections = self._sections(sections, header["e_shstrndx"])

    @classmethod
    def open(cls, path: Path) -> Elf:
        """Read a file."""
        try:
            if not path.is_file():  # a FIFO or device would block, or never end
                raise not_this(path, "no such file" if not path.exists() else "not a plain file")
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from None
        if len(data) > LARGEST:
            raise not_this(path, f"larger than {LARGEST >> 20} MiB")
        return cls(data, path)

    def _headers(self) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
        layout, stream = ELFStructs(little_endian=True, elfclass=64), io.BytesIO(self.data)
        layout.create_basic_structs()
        header = struct_parse(layout.Elf_Ehdr, stream, 0)
        start, count, size = header["e_shoff"], header["e_shnum"], header["e_shentsize"]
        if not 0 < count < _MOST_SECTIONS or size != 64 or start + count * size > len(self.data):
            raise not_this(self.path, "cut short or damaged: no whole section table")
        layout.create_advanced_structs(header["e_type"], header["e_machine"])
        places = range(start, start + count * size, size)
        return header, [struct_parse(layout.Elf_Shdr, stream, place) for place in places]

    def _sections(self, headers: list[Mapping[str, Any]], names: int) -> list[Section]:
        if names >= len(headers):
            raise not_this(self.path, "damaged: no section names")
        table = self._checked(headers[names]["sh_offset"], headers[names]["sh_size"], "names")
        return [
            Section(
                index,
                _string(table, header["sh_name"]),
                _TYPES.get(header["sh_type"], -1),
                header["sh_flags"],
                header["sh_offset"],
                header["sh_size"],
                header["sh_link"],
                header["sh_info"],
            )
            for index, header in enumerate(headers)
        ]

    def _checked(self, offset: int, size: int, what: str) -> memoryview:
        if offset + size > len(self.data):
            raise not_this(self.path, f"cut short: {what} ends at byte {offset + size}")
        return memoryview(self.data)[offset : offset + size]

    def _table(self, section: Section, size: int) -> memoryview:
        """Return a table's whole entries of ``size`` bytes.

        Sections may share their bytes, so that a small file could ask for work without end.
        """
        raw = self.content(section)
        self._entries += len(raw) // size
        if self._entries > _MOST_ENTRIES:
            raise not_this(self.path, f"more than {_MOST_ENTRIES} symbols and relocations: damaged")
        return raw[: len(raw) - len(raw) % size]

    def content(self, section: Section) -> memoryview:
        """Return a section's bytes; none for one that takes no room in the file."""
        if section.type == SHT_NOBITS:
            return memoryview(b"")
        return self._checked(section.offset, section.size, section.name or "a section")

    def section(self, name: str) -> Section | None:
        """Return the first section of that name."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Section]:
        return {section.name: section for section in reversed(self.sections)}

    def at(self, index: int) -> Section | None:
        """Return a section by index, if there is one (reserved indices have none)."""
        return self.sections[index] if 0 < index < len(self.sections) else None

    @cached_property
    def symbols(self) -> list[Symbol]:
        """The symbol table in order; section symbols carry their section's name."""
        table = next((s for s in self.sections if s.type == SHT_SYMTAB), None)
        strings = self.at(table.link) if table else None
        if table is None or strings is None:
            return []
        names = self.content(strings)
        rows = _SYMBOL.iter_unpack(self._table(table, _SYMBOL.size))
        symbols = []
        for index, (name, info, _, section, value, size) in enumerate(rows):
            kind = info & 15
            place = self.at(section)
            text = place.name if kind == STT_SECTION and place else _string(names, name)
            symbols.append(Symbol(index, text, kind, info >> 4, section, value, size))
        return symbols

    def relocation_sections(self) -> Iterator[Section]:
        """Yield the ``SHT_RELA`` sections."""
        return (section for section in self.sections if section.type == SHT_RELA)

    def relocations(self, section: Section) -> Iterator[Relocation]:
        """Yield the relocations in one ``SHT_RELA`` section."""
        for offset, info, addend in _RELA.iter_unpack(self._table(section, _RELA.size)):
            yield Relocation(offset, info & 0xFFFFFFFF, info >> 32, addend)

    def symbol(self, index: int) -> Symbol:
        """Return a symbol by index, as a relocation names it."""
        if index >= len(self.symbols):
            raise not_this(self.path, f"damaged: a relocation names symbol {index}, there is none")
        return self.symbols[index]

    @cached_property
    def pointers(self) -> dict[Place, tuple[Symbol, int]]:
        """Every pointer stored in loaded data: where it lies, to its symbol and addend."""
        wanted = POINTER_RELOCATION.get(self.machine)
        found: dict[Place, tuple[Symbol, int]] = {}
        for table in self.relocation_sections():
            target = self.at(table.info)
            if target is None or not target.data:
                continue
            for relocation in self.relocations(table):
                if relocation.type == wanted:
                    symbol = self.symbol(relocation.symbol)
                    found[Place(target.number, relocation.offset)] = symbol, relocation.addend
        return found

    @cached_property
    def _pointer_offsets(self) -> dict[int, list[int]]:
        by_section: dict[int, list[int]] = {}
        for place in sorted(self.pointers):
            by_section.setdefault(place.section, []).append(place.offset)
        return by_section

    def pointer_offsets(self, section: int) -> list[int]:
        """Return the offsets of the pointers in a section, ascending."""
        return self._pointer_offsets.get(section, [])

    @cached_property
    def trace_sites(self) -> dict[int, list[int]]:
        """Offsets of the code that ftrace may patch, by section: what ``__mcount_loc`` lists."""
        found: dict[int, list[int]] = {}
        sites = {section.number for section in self.sections if section.name == "__mcount_loc"}
        for place in self.pointers:
            if place.section in sites and (target := self.follow(place)):
                found.setdefault(target.section, []).append(target.offset)
        return found

    def follow(self, place: Place) -> Place | None:
        """Return what the pointer at ``place`` points to within this file, if it does."""
        found = self.pointers.get(place)
        if found is None:
            return None
        symbol, addend = found
        target = self.at(symbol.section)
        if target is None or not 0 <= symbol.value + addend <= target.size:
            return None
        return Place(target.number, symbol.value + addend)

    def text_at(self, place: Place, longest: int = _LONGEST_NAME) -> str | None:
        """Return the printable, non-empty C string at ``place``, or ``None``."""
        section = self.at(place.section)
        if section is None or not section.data:
            return None
        content = self.content(section)[place.offset : place.offset + longest]
        head, end, _ = bytes(content).partition(b"\0")
        text = head.decode("ascii", errors="replace")
        return text if end and text and text.isprintable() and text.isascii() else None

    def text_behind(self, place: Place) -> str | None:
        """Return the C string that the pointer at ``place`` points to."""
        target = self.follow(place)
        return self.text_at(target) if target else None

    def code_behind(self, place: Place) -> str | None:
        """Return the name of the function that the pointer at ``place`` points to."""
        found = self.pointers.get(place)
        if found is None:
            return None
        symbol, _ = found
        target = self.follow(place)
        if target is None:
            return symbol.name if symbol.section == SHN_UNDEF and symbol.name else None
        section = self.at(target.section)
        return self.name_of_code(target) if section is not None and section.executable else None

    def number_at(self, place: Place, size: int) -> int:
        """Return the little-endian number of ``size`` bytes at ``place``; 0 in ``.bss``."""
        section = self.at(place.section)
        if section is None:
            return 0
        content = self.content(section)[place.offset : place.offset + size]
        return int.from_bytes(content, byteorder="little")

    @cached_property
    def _function_at(self) -> dict[Place, Symbol]:
        named = [s for s in self.symbols if s.name and s.type in (0, STT_FUNC)]
        # A function symbol is a better name than a bare label at the same place.
        return {Place(s.section, s.value): s for s in sorted(named, key=lambda s: s.type)}

    def name_of_code(self, place: Place) -> str:
        """Return the function that begins at ``place``, else ``section+0xoffset``."""
        if symbol := self._function_at.get(place):
            return symbol.name
        section = self.at(place.section)
        return f"{section.name if section else '?'}+{place.offset:#x}"

    @cached_property
    def _object_at(self) -> dict[Place, Symbol]:
        variables = (s for s in self.symbols if s.type == STT_OBJECT and s.size)
        return {Place(s.section, s.value): s for s in variables}

    def variable_at(self, place: Place) -> str:
        """Return the name of the variable that begins at ``place``; empty if no symbol tells."""
        symbol = self._object_at.get(place)
        return symbol.name if symbol else ""

    def end_of_object(self, place: Place) -> int | None:
        """Return where the variable that begins at ``place`` ends, if a symbol tells."""
        symbol = self._object_at.get(place)
        return place.offset + symbol.size if symbol else None


def _string(table: memoryview, offset: int) -> str:
    window = bytes(table[offset : offset + _LONGEST_NAME])
    return window.split(b"\0", 1)[0].decode("utf-8", errors="replace")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
