"""Writes an `Object` as the bytes of a relocatable ELF file.

The same object always gives the same bytes. Sections keep their order; the symbol table and its
string tables follow them.
"""

from __future__ import annotations

import os
import struct
import tempfile
from contextlib import suppress
from pathlib import Path

from lpharness.base.errors import HostError
from lpharness.elf import constants as c
from lpharness.elf.layout import Layout, SectionHeader, SymbolEntry, layout
from lpharness.elf.object import GroupSection, Object, RelocationSection, Section, Symbol

# Offsets in the file need not follow larger alignments: nothing maps an object's pages.
_FILE_ALIGN = 4096


def save_object(obj: Object, path: Path) -> None:
    """Write the object to a file, whole or not at all.

    Raises:
        HostError: the file cannot be written, or the object is inconsistent.
    """
    content = write_object(obj)
    try:
        handle, aside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise HostError(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException as error:
        with suppress(OSError):
            Path(aside).unlink()
        if isinstance(error, OSError):
            raise HostError(f"cannot write {path}: {error.strerror}") from error
        raise


def write_object(obj: Object) -> bytes:
    """Return the bytes of the object.

    Raises:
        HostError: the object is inconsistent: a relocation or group names a symbol or section
            that is not in it, or a number does not fit its field.
    """
    return _Writer(obj).write()


class _Strings:
    """A string table under construction; equal strings are stored once."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")
        self._known = {"": 0}

    def add(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = len(self.data)
            self.data += text.encode("utf-8", "surrogateescape") + b"\0"
        return self._known[text]


class _Writer:
    def __init__(self, obj: Object) -> None:
        self.obj = obj
        self.layout: Layout = layout(obj.bits, obj.little_endian, obj.machine)
        # A stable sort: local symbols first, else the order of the model.
        self.symbols = sorted(obj.symbols, key=lambda symbol: not symbol.local)
        self.symbol_numbers = {id(symbol): n for n, symbol in enumerate(self.symbols, 1)}
        self.section_numbers = {id(section): n for n, section in enumerate(obj.sections, 1)}
        count = len(obj.sections) + 1
        self.symtab = count
        self.strtab = count + 1
        needs_extended = any(
            self._section_number(symbol.section, symbol.name) >= c.SHN_LORESERVE
            for symbol in self.symbols
            if symbol.section
        )
        self.extended = count + 2 if needs_extended else 0
        self.shstrtab = count + 2 + needs_extended
        self.body = bytearray()

    def write(self) -> bytes:
        header_size = 16 + self.layout.header.size
        self.body = bytearray(header_size)
        names, strings = _Strings(), _Strings()
        headers = [SectionHeader(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]
        headers += [self._put(names.add(section.name), section) for section in self.obj.sections]
        headers += self._put_symbols(names, strings)
        self_name = names.add(".shstrtab")
        offset = self._append(bytes(names.data), 1)
        headers.append(
            SectionHeader(self_name, c.SHT_STRTAB, 0, 0, offset, len(names.data), 0, 0, 1, 0)
        )
        self._pad(8)
        table = len(self.body)
        headers[0] = self._null_header(len(headers))
        for header in headers:
            self.body += self._pack(self.layout.section, header, "a section header")
        self.body[:header_size] = self._file_header(table, len(headers))
        return bytes(self.body)

    # -- numbers

    def _section_number(self, section: Section, wanted_by: str) -> int:
        try:
            return self.section_numbers[id(section)]
        except KeyError:
            raise HostError(
                f"cannot write the object: {wanted_by} names section {section.name}, "
                "which is not part of it"
            ) from None

    def _symbol_number(self, symbol: Symbol | None, wanted_by: str) -> int:
        if symbol is None:
            return 0
        try:
            return self.symbol_numbers[id(symbol)]
        except KeyError:
            raise HostError(
                f"cannot write the object: {wanted_by} names symbol {symbol.name}, "
                "which is not part of it"
            ) from None

    def _pack(self, shape: struct.Struct, fields: tuple[int, ...], what: str) -> bytes:
        try:
            return shape.pack(*fields)
        except struct.error as error:
            raise HostError(f"cannot write the object: {what}: {error}") from None

    # -- content

    def _pad(self, align: int) -> None:
        align = min(max(align, 1), _FILE_ALIGN)
        self.body += bytes(-len(self.body) % align)

    def _append(self, data: bytes, align: int) -> int:
        self._pad(align)
        offset = len(self.body)
        self.body += data
        return offset

    def _put(self, name: int, section: Section) -> SectionHeader:
        data, link, info = self._content(section)
        offset = self._append(data, section.align)
        size = section.reserved if section.type == c.SHT_NOBITS else len(data)
        return SectionHeader(
            name,
            section.type,
            section.flags,
            section.address,
            offset,
            size,
            link,
            info,
            section.align,
            section.entry_size,
        )

    def _content(self, section: Section) -> tuple[bytes, int, int]:
        """Return the bytes, ``sh_link`` and ``sh_info`` of a section."""
        if isinstance(section, RelocationSection):
            info = self._section_number(section.target, section.name)
            return self._relocations(section), self.symtab, info
        if isinstance(section, GroupSection):
            info = self._symbol_number(section.signature, section.name)
            return self._group(section), self.symtab, info
        link = self._section_number(section.link, section.name) if section.link else 0
        info = section.info
        if section.info_link:
            info = self._section_number(section.info_link, section.name)
        return (b"" if section.type == c.SHT_NOBITS else bytes(section.data)), link, info

    def _relocations(self, section: RelocationSection) -> bytes:
        shape = self.layout.relocation(section.explicit)
        out = bytearray()
        for entry in section.entries:
            number = self._symbol_number(entry.symbol, section.name)
            fields: tuple[int, ...] = (entry.offset, self.layout.join_info(number, entry.type))
            if section.explicit:
                fields += (entry.addend,)
            out += self._pack(shape, fields, section.name)
        return bytes(out)

    def _group(self, section: GroupSection) -> bytes:
        members = [self._section_number(member, section.name) for member in section.members]
        words = (section.group_flags, *members)
        return b"".join(self._pack(self.layout.word, (word,), section.name) for word in words)

    def _put_symbols(self, names: _Strings, strings: _Strings) -> list[SectionHeader]:
        entries = bytearray(self.layout.symbol.size)
        extended = bytearray(self.layout.word.size)
        for symbol in self.symbols:
            index, far = symbol.reserved, 0
            if symbol.section:
                index = self._section_number(symbol.section, symbol.name)
                if index >= c.SHN_LORESERVE:
                    index, far = c.SHN_XINDEX, index
            entries += self._pack_symbol(symbol, strings.add(symbol.name), index)
            extended += self.layout.word.pack(far)
        locals_ = 1 + sum(symbol.local for symbol in self.symbols)
        align = self.layout.bits // 8
        word = self.layout.word.size
        headers = [
            self._plumb(
                names.add(".symtab"), c.SHT_SYMTAB, entries, align, self.layout.symbol.size
            )._replace(link=self.strtab, info=locals_),
            self._plumb(names.add(".strtab"), c.SHT_STRTAB, strings.data, 1, 0),
        ]
        if self.extended:
            header = self._plumb(
                names.add(".symtab_shndx"), c.SHT_SYMTAB_SHNDX, extended, word, word
            )
            headers.append(header._replace(link=self.symtab))
        return headers

    def _pack_symbol(self, symbol: Symbol, name: int, index: int) -> bytes:
        info = symbol.binding << 4 | symbol.type
        entry = SymbolEntry(name, info, symbol.other, index, symbol.value, symbol.size)
        try:
            return self.layout.pack_symbol(entry)
        except struct.error as error:
            raise HostError(f"cannot write symbol {symbol.name}: {error}") from None

    def _plumb(
        self, name: int, type_: int, data: bytearray, align: int, entry_size: int
    ) -> SectionHeader:
        offset = self._append(bytes(data), align)
        return SectionHeader(name, type_, 0, 0, offset, len(data), 0, 0, align, entry_size)

    # -- headers

    def _null_header(self, count: int) -> SectionHeader:
        """Section header 0, which holds the numbers that the file header has no room for."""
        size = count if count >= c.SHN_LORESERVE else 0
        link = self.shstrtab if self.shstrtab >= c.SHN_LORESERVE else 0
        return SectionHeader(0, 0, 0, 0, 0, size, link, 0, 0, 0)

    def _file_header(self, table: int, count: int) -> bytes:
        obj = self.obj
        ident = c.MAGIC + bytes(
            (
                c.CLASS_64 if obj.bits == 64 else c.CLASS_32,
                c.DATA_LITTLE if obj.little_endian else c.DATA_BIG,
                1,
                obj.os_abi,
                obj.abi_version,
            )
        )
        fields = (
            c.ET_REL,
            obj.machine,
            1,
            0,
            0,
            table,
            obj.flags,
            16 + self.layout.header.size,
            0,
            0,
            self.layout.section.size,
            0 if count >= c.SHN_LORESERVE else count,
            c.SHN_XINDEX if self.shstrtab >= c.SHN_LORESERVE else self.shstrtab,
        )
        return ident.ljust(16, b"\0") + self._pack(self.layout.header, fields, "the ELF header")
