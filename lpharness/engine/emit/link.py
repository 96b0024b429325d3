"""Joins what was cut out of the patched objects with the module that kbuild made around it.

What ``ld -r`` would do, less what it must not: livepatch symbols and relocations stay as they are,
every symbol is kept and in its order, and sections of one name become one (the kernel reads only
one ``__bug_table``, and shows sections in sysfs by name).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lpharness.base.errors import HostError
from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, RelocationSection, Section, Symbol

_FLAGS_THAT_DIFFER = c.SHF_WRITE | c.SHF_MERGE | c.SHF_STRINGS
"""Flags that sections of one name may differ in; a joined one can be written if any could."""


@dataclass(slots=True, kw_only=True)
class Part:
    """What was cut out of one patched object, ready to be joined."""

    source: str
    """Path in the tree."""
    object_name: str
    """The object of the kernel that it is for."""
    object: Object
    livepatch: dict[int, str] = field(default_factory=dict)
    """The livepatch symbols' names, by the ``id`` of the symbol."""
    late: set[int] = field(default_factory=set)
    """Those of them that are resolved only when the patched module is there."""


def join(module: Object, parts: Sequence[Part], stand_ins: Mapping[str, Symbol]) -> None:
    """Add parts to a module.

    Args:
        module: as kbuild linked it; it is changed.
        parts: what goes in.
        stand_ins: for undefined symbols of the module, the symbol of a part that each means.

    Raises:
        HostError: the pieces do not fit together.
    """
    linker = _Linker(module)
    for part in parts:
        linker.place(part)
    for part in parts:
        linker.relocate(part)
    linker.stand_in(stand_ins)
    linker.require_versions()


class _Linker:
    def __init__(self, module: Object) -> None:
        self.module = module
        self.sections = {s.name: s for s in module.sections if not isinstance(s, RelocationSection)}
        self.tables = {s.name: s for s in module.sections if isinstance(s, RelocationSection)}
        self.globals = {s.name: s for s in module.symbols if not s.local and s.name}
        self.section_symbols = {
            id(s.section): s for s in module.symbols if s.type == c.STT_SECTION and s.section
        }
        self.placed: dict[int, tuple[Section, int]] = {}
        """Where each section (by ``id``) of a part begins now."""
        self.symbols: dict[int, tuple[Symbol, int]] = {}
        """What stands for each symbol (by ``id``) of a part, and how far from it."""

    # -- content and definitions

    def place(self, part: Part) -> None:
        """Take in a part's sections and what they define."""
        for section in part.object.sections:
            # Empty ones too: without lockdep a lock_class_key has an address and no size.
            if not isinstance(section, RelocationSection):
                self._place(section)
        for symbol in part.object.symbols:
            if symbol.section is None or id(symbol.section) not in self.placed:
                continue
            section, offset = self.placed[id(symbol.section)]
            if symbol.type == c.STT_SECTION:
                self.symbols[id(symbol)] = (self._section_symbol(section), offset)
                continue
            self.symbols[id(symbol)] = (self._define(symbol, section, offset), 0)

    def _place(self, section: Section) -> None:
        target = self.sections.get(section.name)
        if target is None:
            target = Section(
                name=section.name, type=section.type, flags=section.flags, align=section.align,
                entry_size=section.entry_size,
            )  # fmt: skip
            self.sections[section.name] = target
            self.module.sections.append(target)
        self._check(target, section)
        offset = -(-target.size // max(section.align, 1)) * max(section.align, 1)
        if target.type == c.SHT_NOBITS:
            target.reserved = offset + section.size
        else:
            filler = b"\x90" if section.executable else b"\0"
            target.data += filler * (offset - target.size) + section.data
        target.align = max(target.align, section.align)
        self.placed[id(section)] = (target, offset)

    @staticmethod
    def _check(target: Section, section: Section) -> None:
        """Refuse to mix code and data; see what else two sections of one name may differ in."""
        if target.type != section.type or (target.flags ^ section.flags) & ~_FLAGS_THAT_DIFFER:
            raise HostError(
                f"sections called {section.name} are of different kinds "
                f"({target.type}/{target.flags:#x} and {section.type}/{section.flags:#x})",
                hint="this is a fault of lpharness; please report it",
            )
        if target.flags != section.flags:
            target.flags |= section.flags & c.SHF_WRITE
            target.flags &= ~(c.SHF_MERGE | c.SHF_STRINGS)
            target.entry_size = 0

    def _section_symbol(self, section: Section) -> Symbol:
        if id(section) not in self.section_symbols:
            symbol = Symbol(name="", type=c.STT_SECTION, section=section)
            self.section_symbols[id(section)] = symbol
            self.module.symbols.append(symbol)
        return self.section_symbols[id(section)]

    def _define(self, symbol: Symbol, section: Section, offset: int) -> Symbol:
        new = Symbol(
            name=symbol.name, binding=symbol.binding, type=symbol.type, other=symbol.other,
            section=section, value=symbol.value + offset, size=symbol.size,
        )  # fmt: skip
        if not new.local:
            if new.name in self.globals and not self.globals[new.name].undefined:
                raise HostError(f"the patch defines {new.name} twice")
            self.globals[new.name] = new
        self.module.symbols.append(new)
        return new

    # -- references

    def relocate(self, part: Part) -> None:
        """Take in a part's relocations: the module loader's and the livepatch core's."""
        for table in part.object.relocation_sections():
            if id(table.target) not in self.placed:
                continue
            target, offset = self.placed[id(table.target)]
            for entry in table.entries:
                symbol, moved = self._meant(part, entry.symbol)
                if id(entry.symbol) in part.livepatch:
                    owner = part.object_name if id(entry.symbol) in part.late else "vmlinux"
                    into = self._table(f".klp.rela.{owner}.{target.name}", target, livepatch=True)
                    self._clear(target, offset + entry.offset)
                else:
                    into = self._table(f".rela{target.name}", target)
                into.entries.append(
                    Relocation(
                        offset=offset + entry.offset,
                        type=entry.type,
                        symbol=symbol,
                        addend=entry.addend + moved,
                    )
                )

    def _meant(self, part: Part, symbol: Symbol | None) -> tuple[Symbol, int]:
        assert symbol is not None
        if id(symbol) in self.symbols:
            return self.symbols[id(symbol)]
        name = part.livepatch.get(id(symbol), symbol.name)
        if name not in self.globals:
            if id(symbol) not in part.livepatch:
                raise HostError(
                    f"{part.source}: nothing defines {name}, which the patch needs",
                    hint="this is a fault of lpharness; please report it",
                )
            new = Symbol(name=name, binding=c.STB_GLOBAL, reserved=c.SHN_LIVEPATCH)
            self.globals[name] = new
            self.module.symbols.append(new)
        return self.globals[name], 0

    def _table(self, name: str, target: Section, *, livepatch: bool = False) -> RelocationSection:
        if name not in self.tables:
            flags = c.SHF_ALLOC | c.SHF_RELA_LIVEPATCH if livepatch else c.SHF_INFO_LINK
            table = RelocationSection(
                name=name, type=c.SHT_RELA, flags=flags, align=8, entry_size=24, target=target
            )
            self.tables[name] = table
            self.module.sections.append(table)
        return self.tables[name]

    @staticmethod
    def _clear(section: Section, at: int) -> None:
        """Refuse a field that is not zero: the kernel takes it for relocated already."""
        if any(section.data[at : at + 4]):
            raise HostError(
                f"{section.name}+{at:#x} is not zero, and is to be relocated by livepatch",
                hint="this is a fault of lpharness; please report it",
            )

    def stand_in(self, stand_ins: Mapping[str, Symbol]) -> None:
        """Let what the module declares be what the parts define."""
        meant = {
            id(self.globals[name]): self.symbols[id(symbol)][0]
            for name, symbol in stand_ins.items()
        }
        for table in self.module.relocation_sections():
            for entry in table.entries:
                if id(entry.symbol) in meant:
                    entry.symbol = meant[id(entry.symbol)]
        self.module.symbols = [s for s in self.module.symbols if id(s) not in meant]

    def require_versions(self) -> None:
        """Refuse a module that imports what modpost has given no version."""
        weak = [s.name for s in self.module.symbols if s.undefined and s.binding == c.STB_WEAK]
        if weak:
            raise HostError(f"the module still lacks {', '.join(weak)}")
