"""Cuts out of the patched object what the livepatch needs, as an object of its own.

What comes out holds the taken functions, the data of which the patch has its own copy, and those
entries of the special sections that belong to them. Whatever else they refer to has become an
undefined symbol, listed with what it is in the original object, so that a resolver can tell the
running kernel's symbol (object, name, position) and make a livepatch relocation of it.
"""

from __future__ import annotations

from collections import defaultdict

from lpharness.base.errors import BuildError
from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, RelocationSection, Section, Symbol
from lpharness.engine.differ.extracted import Extracted, Origin, Redirected, Wanted, origin_of
from lpharness.engine.differ.judge import Judgement
from lpharness.engine.differ.machine import BRANCH
from lpharness.engine.differ.meaning import constant_at
from lpharness.engine.differ.pieces import Atom, Entry, Reference
from lpharness.engine.differ.tables import Role
from lpharness.engine.differ.view import View

_DERIVED_BY_OBJTOOL = {
    ".return_sites",
    ".retpoline_sites",
    ".call_sites",
    ".ibt_endbr_seal",
    ".cfi_sites",
}
_NOP = b"\x90"
_PADDING = 16  # CONFIG_FUNCTION_PADDING_BYTES of 6.12's stock configurations
_ORC_IP, _ORC = ".orc_unwind_ip", ".orc_unwind"
_PC32 = 2  # R_X86_64_PC32, in which objtool writes the places


def extract(judgement: Judgement) -> Extracted:
    """Cut out what the livepatch takes.

    Raises:
        BuildError: the change is refused, or a function cannot be cut out of its section.
    """
    if judgement.refusals:
        first = judgement.refusals[0]
        raise BuildError(f"{first.subject}: {first.reason}", hint=first.hint)
    return _Extraction(judgement).run()


class _Extraction:
    """One extraction; the steps run in the order of `run`."""

    def __init__(self, judgement: Judgement) -> None:
        self.judgement = judgement
        self.view: View = judgement.patched
        source = self.view.object
        self.out = Object(
            machine=source.machine,
            bits=source.bits,
            little_endian=source.little_endian,
            os_abi=source.os_abi,
            abi_version=source.abi_version,
            flags=source.flags,
        )
        self.result = Extracted(object=self.out)
        self.bindings = {
            symbol.name: symbol.binding for symbol in source.symbols if symbol.undefined
        }
        """Whether what another object defines may be missing (weak)."""
        self.content: dict[int, bytearray] = {}
        """The bytes of each new section, by ``id``."""
        self.moved: dict[int, tuple[Section, int]] = {}
        """Where each kept piece (by ``id``) begins now."""
        self.new_sections: dict[int, Section] = {}
        """The new section for each of the patched object's, by ``id``."""
        self.symbols: dict[int, Symbol] = {}
        """The new symbol of each kept piece with a name, by ``id``."""
        self.section_symbols: dict[int, Symbol] = {}
        self.outside: dict[object, Symbol] = {}
        self.strings: dict[tuple[int, bytes], int] = {}
        self.relocations: dict[int, list[Relocation]] = defaultdict(list)

    def run(self) -> Extracted:
        kept = [
            atom
            for atom in self.view.atoms
            if id(atom) in self.judgement.taken or id(atom) in self.judgement.needed
        ]
        for atom in kept:
            self._copy(atom)
        self._name(kept)
        for atom in kept:
            self._relocate(atom)
        self._copy_entries()
        self._copy_unwind_table()
        self._copy_annotations()
        self._list_redirected()
        self._finish()
        return self.result

    # -- content

    def _section_for(self, section: Section) -> Section:
        """Return the new section that holds what is kept of one of the patched object's."""
        if id(section) not in self.new_sections:
            name = ".bss" if section.name == "COMMON" else section.name
            new = Section(
                name=name,
                type=section.type,
                flags=section.flags & ~(c.SHF_GROUP | c.SHF_LINK_ORDER),
                align=max(section.align, 8 if section.name == "COMMON" else 1),
                entry_size=section.entry_size,
            )
            self.new_sections[id(section)] = new
            self.content[id(new)] = bytearray()
            self.out.sections.append(new)
        return self.new_sections[id(section)]

    def _append(self, section: Section, data: bytes, congruent: int) -> int:
        """Append to a new section at an offset as well aligned as ``congruent`` was."""
        content = self.content[id(section)]
        align = max(section.align, 1)
        filler = _NOP if section.executable else b"\0"
        content += filler * ((congruent - len(content)) % align)
        offset = len(content)
        content += data
        return offset

    def _copy(self, atom: Atom) -> None:
        section = self._section_for(atom.section)
        start = self._padding_start(atom)
        if atom.section.type == c.SHT_NOBITS:
            data = bytes(atom.end - start)
        else:
            data = atom.section.data[start : atom.end]
        offset = self._append(section, data, start)
        self.moved[id(atom)] = (section, offset + atom.start - start)

    def _padding_start(self, atom: Atom) -> int:
        """Where a function's padding begins, which call thunks and objtool's prefixes use."""
        before = atom.section.data[max(atom.start - _PADDING, 0) : atom.start]
        free = not any(
            piece.symbols and piece.end > atom.start - _PADDING and piece.start < atom.start
            for piece in self.view.atoms_of(atom.section)
        )
        is_padded = atom.is_function and free and before == _NOP * _PADDING
        return atom.start - _PADDING if is_padded else atom.start

    # -- symbols

    def _name(self, kept: list[Atom]) -> None:
        for atom in kept:
            section, offset = self.moved[id(atom)]
            fresh = id(atom) not in self.judgement.pairs.original_of
            for symbol in atom.symbols:
                new = Symbol(
                    name=symbol.name,
                    # Another object of the patch may refer to what is new; what replaces a
                    # function of the kernel is nobody else's business.
                    binding=symbol.binding if fresh else c.STB_LOCAL,
                    type=symbol.type,
                    other=symbol.other,
                    section=section,
                    value=offset + max(symbol.value - atom.start, 0)
                    if atom.section.name != "COMMON"
                    else offset,
                    size=symbol.size,
                )
                self.out.symbols.append(new)
                self.symbols.setdefault(id(atom), new)

    def _section_symbol(self, section: Section) -> Symbol:
        if id(section) not in self.section_symbols:
            symbol = Symbol(name="", type=c.STT_SECTION, section=section)
            self.section_symbols[id(section)] = symbol
            self.out.symbols.append(symbol)
        return self.section_symbols[id(section)]

    def _outside(self, reference: Reference) -> tuple[Symbol, int]:
        """Return the undefined symbol for what stays in the kernel, and the offset from it."""
        target = reference.target
        if target.atom is None:
            return self._undefined(target.name, target.name, None), target.offset
        original = self.judgement.pairs.original_of.get(id(target.atom))
        if original is None:
            raise BuildError(
                f"{target.name} is needed by the patch, but is neither in it nor in the kernel",
                hint="report this: the differ overlooked a dependency",
            )
        origin = origin_of(self.judgement.original, original)
        return self._undefined(id(original), original.name, origin), target.offset

    def _undefined(self, key: object, name: str, origin: Origin | None) -> Symbol:
        if key not in self.outside:
            symbol = Symbol(name=name, binding=self.bindings.get(name, c.STB_GLOBAL))
            self.outside[key] = symbol
            self.out.symbols.append(symbol)
            self.result.wanted.append(Wanted(symbol=symbol, origin=origin))
        return self.outside[key]

    # -- relocations

    def _relocate(self, atom: Atom) -> None:
        section, offset = self.moved[id(atom)]
        for reference in self.view.references(atom):
            if self._hands_out(atom, reference):
                symbol, inside = self._outside(reference)
                self._put(section, offset, reference, symbol, inside)
            else:
                self._refer(section, offset, reference, within=atom.name)

    def _hands_out(self, source: Atom, reference: Reference) -> bool:
        """Whether a function's address is taken that the livepatch redirects.

        It has to stay the kernel's own: it is compared with others, and it may be called after
        the patch is gone.
        """
        atom = reference.target.atom
        if atom is None or reference.target.offset != 0:
            return False
        original = self.judgement.pairs.original_of.get(id(atom))
        return (
            original is not None
            and id(original) in self.judgement.replaced
            and not self.view.is_branch(source, reference)
        )

    def _refer(self, section: Section, base: int, reference: Reference, within: str) -> None:
        """Write one reference of a kept piece, which begins at ``base``, as a relocation."""
        type_ = reference.raw_type
        if type_ == BRANCH:
            if reference.width != 4:
                raise BuildError(
                    f"{within} ends in a short jump to {reference.target.name}, its neighbour in "
                    f"{section.name}, and cannot be cut out of there",
                    hint="compile with -ffunction-sections, or patch the two together",
                )
            type_ = self.view.machine.branch
        symbol, offset = self._destination(reference)
        self._put(section, base, reference, symbol, offset, type_)

    def _put(
        self,
        section: Section,
        base: int,
        reference: Reference,
        symbol: Symbol,
        offset: int,
        type_: int | None = None,
    ) -> None:
        # A branch that the assembler had resolved has a value: the kernel would take the field
        # for relocated already.
        at = base + reference.offset
        self.content[id(section)][at : at + reference.width] = bytes(reference.width)
        self.relocations[id(section)].append(
            Relocation(
                offset=at,
                type=reference.raw_type if type_ is None else type_,
                symbol=symbol,
                addend=offset - reference.bias,
            )
        )

    def _destination(self, reference: Reference) -> tuple[Symbol, int]:
        atom = reference.target.atom
        if atom is None:
            return self._outside(reference)
        if atom.role in (Role.STRINGS, Role.CONSTANTS):
            return self._constant(reference)
        if id(atom) in self.symbols and not reference.by_section:
            return self.symbols[id(atom)], reference.target.offset
        if id(atom) in self.moved:
            section, offset = self.moved[id(atom)]
            return self._section_symbol(section), offset + reference.target.offset
        return self._outside(reference)

    def _constant(self, reference: Reference) -> tuple[Symbol, int]:
        """Copy a string or constant once; return its section's symbol and where it lies."""
        atom = reference.target.atom
        assert atom is not None
        section = self._section_for(atom.section)
        data, inside = constant_at(reference.target)
        if atom.role is Role.STRINGS:
            data += bytes(max(atom.section.entry_size, 1))
        key = (id(section), data)
        if key not in self.strings:
            self.strings[key] = self._append(section, data, 0)
        return self._section_symbol(section), self.strings[key] + inside

    # -- special sections

    def _is_kept(self, atom: Atom | None) -> bool:
        return atom is not None and id(atom) in self.moved

    def _copy_entries(self) -> None:
        derive = self._has_unwind_table
        for entry in self.view.entries:
            if self._is_kept(entry.owner) and (derive or entry.table not in _DERIVED_BY_OBJTOOL):
                self._copy_entry(entry)

    def _copy_entry(self, entry: Entry) -> None:
        section = self._section_for(entry.section)
        offset = self._append(section, entry.data, 0)
        chunk = entry.layout.chunk
        for reference in entry.references:
            empty = chunk and reference.offset == chunk.offset
            if empty and chunk and not entry.data[-chunk.length_from_end]:
                self._refer_to_nothing(section, offset, reference)
                continue
            self._refer(section, offset, reference, within=entry.table)

    def _refer_to_nothing(self, section: Section, base: int, reference: Reference) -> None:
        """Code of no length may lie anywhere: at the entry itself."""
        self.relocations[id(section)].append(
            Relocation(
                offset=base + reference.offset,
                type=reference.raw_type,
                symbol=self._section_symbol(section),
                addend=base + reference.offset,
            )
        )

    @property
    def _has_unwind_table(self) -> bool:
        return self.view.object.section(_ORC_IP) is not None

    def _copy_unwind_table(self) -> None:
        """Copy the ORC entries of kept code: two arrays that go side by side.

        An entry holds up to the next one, over the borders of functions too. So each piece gets
        the one that held where it began (with its padding), and the one that ends it.
        """
        places, rows = self.view.object.section(_ORC_IP), self.view.object.section(_ORC)
        if places is None or rows is None:
            self.result.needs_objtool = True
            return
        table = self._unwind_rows(places, rows)
        for atom in self.view.atoms:
            found = table.get(id(atom.section), [])
            if not found or not self._is_kept(atom) or not atom.section.executable:
                continue
            start = self._padding_start(atom)
            before = [row for at, row in found if at <= start]
            if before:
                self._add_unwind(atom, start, before[-1])
            for at, row in found:
                if start < at <= atom.end:
                    self._add_unwind(atom, at, row)

    def _unwind_rows(self, places: Section, rows: Section) -> dict[int, list[tuple[int, bytes]]]:
        """Return the unwind table's entries of each section (by ``id``), by their places."""
        width = len(rows.data) // (len(places.data) // 4 or 1)
        found: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
        for table in self.view.object.relocation_sections(places):
            for entry in table.entries:
                if entry.symbol is None or entry.symbol.section is None:
                    continue
                number = entry.offset // 4
                row = rows.data[number * width : (number + 1) * width]
                at = entry.symbol.value + entry.addend
                found[id(entry.symbol.section)].append((at, row))
        for listed in found.values():
            listed.sort(key=lambda item: item[0])
        return found

    def _add_unwind(self, atom: Atom, at: int, row: bytes) -> None:
        """Add one entry for a place in a kept piece."""
        places, rows = self.view.object.section(_ORC_IP), self.view.object.section(_ORC)
        assert places is not None
        assert rows is not None
        self._append(self._section_for(rows), row, 0)
        section = self._section_for(places)
        offset = self._append(section, bytes(4), 0)
        target, moved = self.moved[id(atom)]
        self.relocations[id(section)].append(
            Relocation(
                offset=offset,
                type=_PC32,
                symbol=self._section_symbol(target),
                addend=moved + at - atom.start,
            )
        )

    def _copy_annotations(self) -> None:
        """Keep what tells objtool about kept code, if it has yet to run."""
        if not self.result.needs_objtool:
            return
        for section in self.view.object.sections:
            if not section.name.startswith(".discard.") or section.name == ".discard.addressable":
                continue
            references = list(self.view.references_in(section))
            bounds = [reference.offset for reference in references] + [section.size]
            for number, reference in enumerate(references):
                if self._is_kept(reference.target.atom):
                    data = section.data[bounds[number] : bounds[number + 1]]
                    new = self._section_for(section)
                    offset = self._append(new, data, 0)
                    self._refer(new, offset - reference.offset, reference, within=section.name)

    # -- the result

    def _list_redirected(self) -> None:
        for atom in self.judgement.original.atoms:
            if id(atom) in self.judgement.replaced:
                partner = self.judgement.pairs.patched_of[id(atom)]
                self.result.redirected.append(
                    Redirected(
                        old=origin_of(self.judgement.original, atom), new=self.symbols[id(partner)]
                    )
                )

    def _finish(self) -> None:
        tables = []
        for section in self.out.sections:
            content = self.content[id(section)]
            if section.type == c.SHT_NOBITS:
                section.reserved = len(content)
            else:
                section.data = bytes(content)
            entries = sorted(self.relocations[id(section)], key=lambda entry: entry.offset)
            if entries:
                tables.append(
                    RelocationSection(
                        name=".rela" + section.name,
                        type=c.SHT_RELA,
                        flags=c.SHF_INFO_LINK,
                        align=8,
                        entry_size=24,
                        target=section,
                        entries=entries,
                    )
                )
        self.out.sections += tables
        self.out.symbols.sort(key=lambda symbol: (not symbol.local, symbol.type != c.STT_SECTION))
