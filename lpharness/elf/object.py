"""A relocatable ELF object as data that can be read, edited and written back.

`lpharness.elf.object_reader` makes an `Object` out of a file, `lpharness.elf.writer` turns it into
bytes again. What the file format needs only for itself (string tables, the symbol table's
section, extended section numbers, section indices) is not part of the model: sections, symbols and
relocations refer to each other as objects, so nothing has to be renumbered after an edit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lpharness.elf import constants as c


@dataclass(eq=False, slots=True, kw_only=True)
class Section:
    """One section that carries content of its own.

    Identity is the object, not the name: several sections may be called ``.text`` or
    ``__mcount_loc``.
    """

    name: str
    type: int = c.SHT_PROGBITS
    flags: int = 0
    address: int = 0
    align: int = 1
    """Alignment in bytes: 0 or a power of two."""
    entry_size: int = 0
    data: bytes = b""
    reserved: int = 0
    """Bytes a ``SHT_NOBITS`` section takes in memory; it has no data in the file."""
    link: Section | None = None
    """What ``sh_link`` names, for ``SHF_LINK_ORDER`` and the like."""
    info: int = 0
    """``sh_info`` as it stands, where it is a plain number."""
    info_link: Section | None = None
    """What ``sh_info`` names, under ``SHF_INFO_LINK``."""

    @property
    def size(self) -> int:
        """Bytes the section takes in memory."""
        return self.reserved if self.type == c.SHT_NOBITS else len(self.data)

    @property
    def allocated(self) -> bool:
        """Whether it is part of the running program."""
        return bool(self.flags & c.SHF_ALLOC)

    @property
    def writable(self) -> bool:
        """Whether the running program may change it."""
        return bool(self.flags & c.SHF_WRITE)

    @property
    def executable(self) -> bool:
        """Whether it holds code."""
        return bool(self.flags & c.SHF_EXECINSTR)

    @property
    def strings(self) -> bool:
        """Whether it holds NUL-terminated strings that the linker may merge."""
        return self.flags & (c.SHF_MERGE | c.SHF_STRINGS) == c.SHF_MERGE | c.SHF_STRINGS

    @property
    def mergeable(self) -> bool:
        """Whether it holds constants of ``entry_size`` bytes that the linker may merge."""
        return bool(self.flags & c.SHF_MERGE) and not self.flags & c.SHF_STRINGS

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.size} bytes>"


@dataclass(eq=False, slots=True, kw_only=True)
class Symbol:
    """One entry of the symbol table."""

    name: str
    binding: int = c.STB_LOCAL
    type: int = c.STT_NOTYPE
    other: int = 0
    """``st_other``: visibility, and what some architectures keep there."""
    section: Section | None = None
    """Where it is defined; ``None`` if ``reserved`` tells."""
    reserved: int = c.SHN_UNDEF
    """The reserved section index of a symbol in no section: undefined, absolute, common, or
    ``SHN_LIVEPATCH``, which the kernel's livepatch core resolves."""
    value: int = 0
    size: int = 0

    @property
    def undefined(self) -> bool:
        """Whether another object must define it."""
        return self.section is None and self.reserved == c.SHN_UNDEF

    @property
    def local(self) -> bool:
        """Whether no other object can see it."""
        return self.binding == c.STB_LOCAL

    def __repr__(self) -> str:
        where = self.section.name if self.section else hex(self.reserved)
        return f"<Symbol {self.name!r} in {where}+{self.value:#x}>"


@dataclass(slots=True, kw_only=True)
class Relocation:
    """One place in a section that the linker or the module loader fills in."""

    offset: int
    """Bytes from the start of the section that is relocated."""
    type: int
    """The architecture's relocation type (on 64-bit MIPS all three, as one number)."""
    symbol: Symbol | None
    addend: int = 0
    """Zero in a ``SHT_REL`` table, whose addends lie in the section's own bytes."""


@dataclass(eq=False, slots=True, kw_only=True, repr=False)
class RelocationSection(Section):
    """A table of relocations for one section.

    A section may have several: a livepatch carries ``.rela.text`` for the module loader and
    ``.klp.rela.vmlinux..text`` (``SHF_RELA_LIVEPATCH``) for the livepatch core.
    """

    target: Section
    entries: list[Relocation] = field(default_factory=list)

    @property
    def explicit(self) -> bool:
        """Whether the addends are in the table (RELA) and not in the section (REL)."""
        return self.type == c.SHT_RELA


@dataclass(eq=False, slots=True, kw_only=True, repr=False)
class GroupSection(Section):
    """Sections that the linker keeps or drops together; with ``GRP_COMDAT``, one copy in all."""

    signature: Symbol
    group_flags: int = 0
    members: list[Section] = field(default_factory=list)


@dataclass(eq=False, slots=True, kw_only=True)
class Object:
    """A whole relocatable object."""

    machine: int = c.EM_X86_64
    bits: int = 64
    """32 or 64."""
    little_endian: bool = True
    os_abi: int = 0
    abi_version: int = 0
    flags: int = 0
    sections: list[Section] = field(default_factory=list)
    """Every section but the null one, the symbol table and its string tables, in file order."""
    symbols: list[Symbol] = field(default_factory=list)
    """Every symbol but the null one, in table order. The writer keeps the order, but puts local
    symbols first, as the format demands."""

    @property
    def machine_name(self) -> str:
        """The architecture's usual name, or its number."""
        if self.machine == c.EM_X86_64 and self.bits == 32:
            return "x32"
        return c.MACHINE_NAMES.get(self.machine, f"machine {self.machine}")

    def section(self, name: str) -> Section | None:
        """Return the first section of that name."""
        return next((section for section in self.sections if section.name == name), None)

    def symbol(self, name: str) -> Symbol | None:
        """Return the first symbol of that name."""
        return next((symbol for symbol in self.symbols if symbol.name == name), None)

    def relocation_sections(self, target: Section | None = None) -> Iterator[RelocationSection]:
        """Yield the relocation tables, or those of one section."""
        for section in self.sections:
            if isinstance(section, RelocationSection) and target in (None, section.target):
                yield section

    def groups(self) -> Iterator[GroupSection]:
        """Yield the section groups."""
        for section in self.sections:
            if isinstance(section, GroupSection):
                yield section
