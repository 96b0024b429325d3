"""Reads a relocatable ELF object; the file may be anything, also hostile.

Every offset, size and index is checked before it is used, and the work and the memory are bounded
by the file's size: a malformed file ends in an `InputError` of one line, never in a traceback,
a hang or an allocation that the file's own size does not account for.
"""

from __future__ import annotations

from pathlib import Path

from lpharness.base.errors import InputError
from lpharness.elf import constants as c
from lpharness.elf.layout import Layout, SectionHeader, layout
from lpharness.elf.object import (
    GroupSection,
    Object,
    Relocation,
    RelocationSection,
    Section,
    Symbol,
)

LARGEST_FILE = 512 << 20
"""Bytes; a kernel's ``vmlinux.o`` without debug information is below 100 MiB."""

LONGEST_NAME = 1 << 16
_LARGEST_ALIGN = 1 << 32
_IDENT_SIZE = 16


def read_object(path: Path) -> Object:
    """Read the relocatable object in a file.

    Raises:
        InputError: no such file, not a relocatable ELF object, or a malformed one.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(f"{path}: larger than {LARGEST_FILE >> 20} MiB, not read")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return parse_object(content, name=str(path))


def parse_object(content: bytes, *, name: str = "object") -> Object:
    """Read a relocatable object from its bytes; ``name`` is what errors call it.

    Raises:
        InputError: not a relocatable ELF object, or a malformed one.
    """
    return _Reader(content, name).read()


class _Reader:
    """One pass over one file; the steps run in the order in which they are written."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content = content
        self.name = name
        self.headers: list[SectionHeader] = []
        self.sections: dict[int, Section] = {}
        self.symbols: list[Symbol | None] = []
        self.left_out: set[int] = set()

    def read(self) -> Object:
        names_index = self._read_header()
        self._check_extents()
        plumbing = self._find_plumbing(names_index)
        section_names = self._string_table(names_index, "section name table")
        for index, header in enumerate(self.headers):
            if index and index not in plumbing:
                name = self._string(section_names, header.name, f"name of section {index}")
                self.sections[index] = self._make_section(index, name, header)
        self._link_sections()
        self._read_symbols()
        self._read_relocations()
        self._read_groups()
        self.object.sections = list(self.sections.values())
        self.object.symbols = [symbol for symbol in self.symbols if symbol is not None]
        return self.object

    def _fail(self, what: str) -> InputError:
        return InputError(
            f"{self.name}: {what}", hint="a relocatable object (.o) or module (.ko) is expected"
        )

    def _bytes(self, offset: int, size: int, what: str) -> bytes:
        if offset + size > len(self.content):
            raise self._fail(f"{what} reaches past the end of the file")
        return self.content[offset : offset + size]

    # -- the headers

    def _read_header(self) -> int:
        """Read the file header and the section headers; return the name table's index."""
        ident = self.content[:_IDENT_SIZE]
        if len(ident) < _IDENT_SIZE or not ident.startswith(c.MAGIC):
            raise self._fail("not an ELF file")
        if ident[4] not in (c.CLASS_32, c.CLASS_64) or ident[5] not in (c.DATA_LITTLE, c.DATA_BIG):
            raise self._fail("an ELF file of an unknown class or byte order")
        bits = 64 if ident[4] == c.CLASS_64 else 32
        little = ident[5] == c.DATA_LITTLE
        probe = layout(bits, little, 0)
        raw = probe.header.unpack(self._bytes(_IDENT_SIZE, probe.header.size, "the ELF header"))
        kind, machine, _, _, _, table, flags, _, _, _, entry_size, count, names = raw
        if kind != c.ET_REL:
            raise self._fail(f"an ELF file of type {kind}, not a relocatable object")
        self.layout: Layout = layout(bits, little, machine)
        self.object = Object(
            machine=machine,
            bits=bits,
            little_endian=little,
            os_abi=ident[7],
            abi_version=ident[8],
            flags=flags,
        )
        return self._read_section_headers(table, entry_size, count, names)

    def _read_section_headers(self, table: int, entry_size: int, count: int, names: int) -> int:
        shape = self.layout.section
        if table == 0:
            raise self._fail("no section headers")
        if entry_size != shape.size:
            raise self._fail(f"section headers of {entry_size} bytes, not {shape.size}")
        first = SectionHeader(*shape.unpack(self._bytes(table, shape.size, "section header 0")))
        count = count or first.size  # more sections than e_shnum can tell
        if names == c.SHN_XINDEX:
            names = first.link
        raw = self._bytes(table, count * shape.size, "the section header table")
        self.headers = [SectionHeader(*fields) for fields in shape.iter_unpack(raw)]
        if not self.headers:
            raise self._fail("no sections")
        return names

    def _check_extents(self) -> None:
        """Refuse sections that overlap: many could claim one large extent."""
        total = 0
        for index, header in enumerate(self.headers):
            if not index or header.type in (c.SHT_NOBITS, c.SHT_NULL):
                continue
            if header.offset + header.size > len(self.content):
                raise self._fail(f"section {index} reaches past the end of the file")
            total += header.size
        if total > len(self.content):
            raise self._fail("sections overlap")

    def _find_plumbing(self, names_index: int) -> set[int]:
        """Return the indices of what the model leaves out; remember where the symbols are."""
        tables = [i for i, header in enumerate(self.headers) if header.type == c.SHT_SYMTAB]
        if len(tables) > 1:
            raise self._fail("more than one symbol table")
        self.symbol_table = tables[0] if tables else 0
        self._header(names_index, "the section name table's index")
        plumbing = {names_index, self.symbol_table}
        if tables:
            link = self.headers[self.symbol_table].link
            self._header(link, "the symbol table's string table")
            plumbing.add(link)
        self.extended = 0
        for index, header in enumerate(self.headers):
            if header.type == c.SHT_SYMTAB_SHNDX:
                self.extended = index
                plumbing.add(index)
            # Section merging hints of clang that name symbols by index; safe to leave out, and
            # wrong as soon as a symbol moves.
            if header.type == c.SHT_LLVM_ADDRSIG:
                plumbing.add(index)
                self.left_out.add(index)
        return plumbing

    def _header(self, index: int, what: str) -> SectionHeader:
        if index >= len(self.headers):
            raise self._fail(f"{what} is {index}, but there are {len(self.headers)} sections")
        return self.headers[index]

    def _data(self, index: int) -> bytes:
        header = self.headers[index]
        return self._bytes(header.offset, header.size, f"section {index}")

    # -- strings

    def _string_table(self, index: int, what: str) -> bytes:
        header = self._header(index, what)
        if index and header.type != c.SHT_STRTAB:
            raise self._fail(f"{what} is no string table")
        self._names_left = 16 * len(self.content) + LONGEST_NAME
        self._name_cache: dict[int, str] = {}
        return self._data(index) if index else b""

    def _string(self, table: bytes, offset: int, what: str) -> str:
        if offset in self._name_cache:
            return self._name_cache[offset]
        if offset == 0 and not table:
            return ""
        if offset >= len(table):
            raise self._fail(f"{what} lies outside its string table")
        end = table.find(b"\0", offset, offset + LONGEST_NAME)
        if end < 0:
            raise self._fail(f"{what} is not terminated or too long")
        self._names_left -= end - offset
        if self._names_left < 0:
            raise self._fail("names overlap beyond measure")
        # Names are bytes; what is no UTF-8 still has to come back as it was.
        text = table[offset:end].decode("utf-8", "surrogateescape")
        self._name_cache[offset] = text
        return text

    # -- sections

    def _make_section(self, index: int, name: str, header: SectionHeader) -> Section:
        if header.align & (header.align - 1) or header.align > _LARGEST_ALIGN:
            raise self._fail(f"section {index} has an impossible alignment of {header.align:#x}")
        if header.type == c.SHT_CREL:
            raise self._fail(f"section {index} holds compact relocations, which are not supported")
        common = {
            "name": name,
            "type": header.type,
            "flags": header.flags,
            "address": header.address,
            "align": header.align,
            "entry_size": header.entry_size,
        }
        if header.type in (c.SHT_RELA, c.SHT_REL):
            if header.link != self.symbol_table:
                raise self._fail(f"relocation section {index} is for another symbol table")
            return RelocationSection(**common, target=_PENDING)  # type: ignore[arg-type]
        if header.type == c.SHT_GROUP:
            return GroupSection(**common, signature=_NOBODY)  # type: ignore[arg-type]
        section = Section(**common)  # type: ignore[arg-type]
        if header.type == c.SHT_NOBITS:
            section.reserved = header.size
        elif header.type != c.SHT_NULL:
            section.data = self._data(index)
        return section

    def _link_sections(self) -> None:
        for index, section in self.sections.items():
            header = self.headers[index]
            if isinstance(section, RelocationSection):
                target = self.sections.get(header.info)
                if target is None or isinstance(target, RelocationSection | GroupSection):
                    raise self._fail(f"relocation section {index} is for section {header.info}")
                section.target = target
                continue
            if isinstance(section, GroupSection):
                continue
            section.link = self.sections.get(header.link)
            if header.flags & c.SHF_INFO_LINK:
                section.info_link = self.sections.get(header.info)
            else:
                section.info = header.info

    # -- symbols

    def _read_symbols(self) -> None:
        if not self.symbol_table:
            return
        header = self.headers[self.symbol_table]
        shape = self.layout.symbol
        if header.size % shape.size:
            raise self._fail("the symbol table's size is no multiple of an entry")
        strings = self._string_table(header.link, "the symbol table's string table")
        extended = self._extended_indices(header.size // shape.size)
        for number, raw in enumerate(shape.iter_unpack(self._data(self.symbol_table))):
            if number == 0:
                self.symbols.append(None)
                continue
            entry = self.layout.unpack_symbol(raw)
            symbol = Symbol(
                name=self._string(strings, entry.name, f"name of symbol {number}"),
                binding=entry.info >> 4,
                type=entry.info & 15,
                other=entry.other,
                value=entry.value,
                size=entry.size,
            )
            if symbol.type == c.STT_SECTION and entry.section in self.left_out:
                self.symbols.append(None)  # ld -r gives one to each section
                continue
            self._place(symbol, number, entry.section, extended)
            self._keep_order(symbol, number)
            self.symbols.append(symbol)

    def _keep_order(self, symbol: Symbol, number: int) -> None:
        """Refuse a local symbol behind a global one: sh_info could not tell them apart."""
        before = self.symbols[-1]
        if symbol.binding == c.STB_LOCAL and before and before.binding != c.STB_LOCAL:
            raise self._fail(
                f"symbol {number} ({symbol.name}) is local but comes after global ones"
            )

    def _extended_indices(self, count: int) -> list[int]:
        if not self.extended:
            return []
        data = self._data(self.extended)
        if len(data) != count * self.layout.word.size:
            raise self._fail("the table of extended section indices does not fit the symbols")
        return [index for (index,) in self.layout.word.iter_unpack(data)]

    def _place(self, symbol: Symbol, number: int, index: int, extended: list[int]) -> None:
        if index == c.SHN_XINDEX:
            if not extended:
                raise self._fail(f"symbol {number} needs a table of extended section indices")
            index = extended[number]
        elif index == c.SHN_UNDEF or index >= c.SHN_LORESERVE:
            symbol.reserved = index
            return
        section = self.sections.get(index)
        if section is None:
            raise self._fail(f"symbol {number} ({symbol.name}) lies in section {index}")
        symbol.section = section

    def _symbol(self, index: int, what: str) -> Symbol | None:
        if index >= max(1, len(self.symbols)):
            raise self._fail(f"{what} names symbol {index} of {len(self.symbols)}")
        return self.symbols[index] if index else None

    # -- what refers to symbols

    def _read_relocations(self) -> None:
        for index, section in self.sections.items():
            if not isinstance(section, RelocationSection):
                continue
            shape = self.layout.relocation(section.explicit)
            data = self._data(index)
            if len(data) % shape.size:
                raise self._fail(f"relocation section {index} has a torn entry")
            split = self.layout.split_info
            for raw in shape.iter_unpack(data):
                number, kind = split(raw[1])
                if raw[0] >= max(section.target.size, 1):
                    raise self._fail(f"{section.name} relocates past the end of its section")
                section.entries.append(
                    Relocation(
                        offset=raw[0],
                        type=kind,
                        symbol=self._symbol(number, section.name),
                        addend=raw[2] if section.explicit else 0,
                    )
                )

    def _read_groups(self) -> None:
        for index, section in self.sections.items():
            if not isinstance(section, GroupSection):
                continue
            header = self.headers[index]
            data = self._data(index)
            if not data or len(data) % self.layout.word.size:
                raise self._fail(f"section group {index} is torn")
            section.group_flags, *members = (word for (word,) in self.layout.word.iter_unpack(data))
            signature = self._symbol(header.info, f"section group {index}")
            if signature is None or header.link != self.symbol_table:
                raise self._fail(f"section group {index} has no signature")
            section.signature = signature
            for member in members:
                found = self.sections.get(member)
                if found is None or isinstance(found, GroupSection):
                    raise self._fail(f"section group {index} holds section {member}")
                section.members.append(found)


_PENDING = Section(name="")
_NOBODY = Symbol(name="")
