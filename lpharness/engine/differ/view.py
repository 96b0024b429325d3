"""An object as the differ sees it: named pieces that refer to each other.

A piece (`Atom`) is a function, a variable, a constant, a stretch without a name. What the compiler
or the assembler happens to write (section symbols or names, offsets, the order of sections) is
resolved here, so that the comparison deals with meanings: this function, at this offset, refers to
that piece.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

from lpharness.base.errors import InputError
from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, Section, Symbol
from lpharness.engine.differ import code
from lpharness.engine.differ.machine import BRANCH, Machine, machine_of
from lpharness.engine.differ.names import own_base
from lpharness.engine.differ.pieces import Atom, Entry, Reference, Target
from lpharness.engine.differ.tables import EntryLayout, Role, role_of, rule_for, tables


class View:
    """The pieces of one object, and what each refers to."""

    def __init__(self, obj: Object) -> None:
        self.object = obj
        self.machine: Machine = machine_of(obj)
        _check_sizes(obj)
        self.troubles: list[str] = []
        """What could not be understood; each is a reason not to trust a comparison."""
        self._common = Section(name="COMMON", type=c.SHT_NOBITS, flags=c.SHF_ALLOC | c.SHF_WRITE)
        self._relocations = self._collect_relocations()
        self._atom_of_symbol: dict[int, tuple[Atom, int]] = {}
        self._atoms: dict[int, list[Atom]] = {}
        self._starts: dict[int, list[int]] = {}
        self.roles: dict[int, Role] = {}
        self._references: dict[int, tuple[Reference, ...]] = {}
        self._decoded: dict[int, code.Decoded] = {}
        self._uncut: list[Atom] = []
        """Kept, since what is cached by ``id`` must not meet a new piece with an old one's."""
        self._make_atoms()
        self._split_anonymous()

    # -- making the pieces

    def _collect_relocations(self) -> dict[int, list[Relocation]]:
        found: dict[int, list[Relocation]] = {}
        for table in self.object.relocation_sections():
            entries = [entry for entry in table.entries if entry.type != self.machine.none]
            found.setdefault(id(table.target), []).extend(entries)
        for entries in found.values():
            entries.sort(key=lambda entry: entry.offset)
        return found

    def _make_atoms(self) -> None:
        symbols: dict[int, list[tuple[Symbol, int]]] = defaultdict(list)
        files = 0
        for symbol in self.object.symbols:
            if symbol.section and symbol.value + symbol.size > symbol.section.size:
                self.troubles.append(f"{symbol.name} reaches out of its section")
            elif symbol.type == c.STT_FILE:
                files += 1
            elif symbol.reserved == c.SHN_COMMON and symbol.section is None:
                symbols[id(self._common)].append((symbol, files))
            elif symbol.section and symbol.type != c.STT_SECTION and not _is_prefix(symbol):
                symbols[id(symbol.section)].append((symbol, files))
        for section in self.object.sections:
            self._add_section(section, symbols[id(section)])
        self._add_common(symbols[id(self._common)])

    def _add_common(self, symbols: list[tuple[Symbol, int]]) -> None:
        at = 0
        for symbol, _ in symbols:
            atom = Atom(self._common, at, at + symbol.size, Role.DATA, [symbol])
            self._atom_of_symbol[id(symbol)] = (atom, 0)
            self._atoms.setdefault(id(self._common), []).append(atom)
            at += max(symbol.size, 1)
        self.roles[id(self._common)] = Role.DATA

    def _add_section(self, section: Section, symbols: list[tuple[Symbol, int]]) -> None:
        role = self.roles[id(section)] = role_of(section)
        atoms: list[Atom] = []
        symbols.sort(key=lambda item: (item[0].value, -item[0].size))
        for number, (symbol, file) in enumerate(symbols):
            atom = atoms[-1] if atoms else None
            if atom and atom.start <= symbol.value < atom.end:
                # Another name for it, or a label inside
                if symbol.value == atom.start:
                    atom.symbols.append(symbol)
                self._atom_of_symbol[id(symbol)] = (atom, symbol.value - atom.start)
                continue
            end = symbol.value + symbol.size
            if not symbol.size:  # a label: up to the next one
                later = (other.value for other, _ in symbols[number:])
                end = next((at for at in later if at > symbol.value), section.size)
            end = min(max(end, symbol.value), section.size)
            atom = Atom(section, symbol.value, end, self._role(role, symbol), [symbol], file)
            atoms.append(atom)
            self._atom_of_symbol[id(symbol)] = (atom, 0)
        for atom in atoms:
            atom.symbols.sort(key=_best_name)
        self._atoms[id(section)] = self._with_gaps(section, role, atoms)

    @staticmethod
    def _role(role: Role, symbol: Symbol) -> Role:
        if role not in (Role.DATA, Role.RODATA) or not symbol.local:
            return role
        return Role.OWN if own_base(symbol.name, writable=role is Role.DATA) else role

    @staticmethod
    def _with_gaps(section: Section, role: Role, atoms: list[Atom]) -> list[Atom]:
        filled: list[Atom] = []
        at = 0
        for atom in [*atoms, Atom(section, section.size, section.size, role)]:
            if atom.start > at:
                filled.append(Atom(section, at, atom.start, role))
            if atom.symbols:
                filled.append(atom)
            at = max(at, atom.end)
        return filled

    def _split_anonymous(self) -> None:
        """Cut stretches without a name where something refers into them.

        A jump table begins where its function's reference points; so does the code that an
        alternative puts in place. The compiler's anonymous data has a section for each.
        """
        self._index()
        cuts: dict[int, set[int]] = defaultdict(set)
        for section in self.object.sections:
            if self.roles[id(section)] in (Role.REGENERATED, Role.IGNORED):
                continue
            for relocation in self._relocations.get(id(section), ()):
                found = self._place(section, relocation)
                if found and self.roles[id(found[0])] not in _WHOLE:
                    cuts[id(found[0])].add(found[1])
        for key, offsets in cuts.items():
            self._uncut += self._atoms[key]
            self._atoms[key] = [
                piece for atom in self._atoms[key] for piece in _cut(atom, sorted(offsets))
            ]
        self._index()

    def _index(self) -> None:
        self._starts = {key: [atom.start for atom in atoms] for key, atoms in self._atoms.items()}

    # -- resolving references

    def _place(self, section: Section, relocation: Relocation) -> tuple[Section, int] | None:
        """Return the place a relocation names, or ``None`` if that is in another object."""
        symbol = relocation.symbol
        if symbol is None or symbol.section is None:
            return None
        return symbol.section, symbol.value + relocation.addend + self._bias(section, relocation)

    def _bias(self, section: Section, relocation: Relocation) -> int:
        """What a PC-relative field lacks in code: it counts from the instruction's end."""
        if not section.executable or relocation.type not in self.machine.pc_relative:
            return 0
        width = self.machine.widths.get(relocation.type, 4)
        symbol = relocation.symbol
        if symbol is None or symbol.section is None:
            return width
        target = self.roles.get(id(symbol.section))
        if symbol.section.executable and target is not Role.CHUNKS:
            return width  # calls and jumps end with their field
        there = self._atoms.get(id(symbol.section), ())
        if len(there) == 1 and target not in _BY_OFFSET and _is_its_own(there[0]):
            return width  # whatever the offset, there is only one thing it can mean
        atom = self.atom_at(section, relocation.offset)
        if atom is None:
            return width
        found = self.decoded(atom).at(relocation.offset)
        return found.end - relocation.offset if found else width

    def decoded(self, atom: Atom) -> code.Decoded:
        """Return the instructions of a piece of code, by their offsets in the section."""
        if id(atom) not in self._decoded:
            self._decoded[id(atom)] = code.decode(atom.data, atom.start)
        return self._decoded[id(atom)]

    def atom_at(self, section: Section, offset: int) -> Atom | None:
        """Return the piece that holds an offset of a section.

        A section with one piece is all that piece's, whatever the offset: compilers point before
        and behind an array.
        """
        atoms = self._atoms.get(id(section))
        if not atoms:
            return None
        named = [atom for atom in atoms if atom.symbols] if len(atoms) <= 3 else []
        if len(named) == 1 and self.roles[id(section)] in (Role.DATA, Role.RODATA, Role.CODE):
            inside = named[0].start <= offset < named[0].end
            if inside or len(atoms) == 1 or not 0 <= offset < section.size:
                return named[0]
        index = bisect_right(self._starts[id(section)], offset) - 1
        return atoms[max(index, 0)]

    def resolve(self, section: Section, relocation: Relocation) -> Target:
        """Return what a relocation of a section means."""
        symbol = relocation.symbol
        if symbol is None:
            return Target(None, "", relocation.addend)
        bias = self._bias(section, relocation)
        if id(symbol) in self._atom_of_symbol:
            atom, inside = self._atom_of_symbol[id(symbol)]
            if atom.role.named or atom.role is Role.OWN:
                return Target(atom, atom.name, inside + relocation.addend + bias)
        if symbol.section is None:
            return Target(None, symbol.name, symbol.value + relocation.addend + bias)
        offset = symbol.value + relocation.addend + bias
        found = self.atom_at(symbol.section, offset)
        if found is None:
            return Target(None, symbol.section.name, offset)
        return Target(found, found.name, offset - found.start)

    # -- what the differ asks for

    @cached_property
    def atoms(self) -> list[Atom]:
        """Every piece, in the order of sections and offsets."""
        listed = [atom for section in self.object.sections for atom in self._atoms[id(section)]]
        return listed + self._atoms.get(id(self._common), [])

    def atoms_of(self, section: Section) -> list[Atom]:
        """Return the pieces of one section."""
        return self._atoms[id(section)]

    def references(self, atom: Atom) -> tuple[Reference, ...]:
        """Return what a piece refers to, in the order of its fields."""
        if id(atom) not in self._references:
            found = list(self._relocated(atom.section, atom.start, atom.end))
            if self._needs_branches(atom):
                found += self._branches(atom, {reference.offset for reference in found})
                found.sort(key=lambda reference: reference.offset)
            self._references[id(atom)] = tuple(found)
        return self._references[id(atom)]

    def is_branch(self, atom: Atom, reference: Reference) -> bool:
        """Whether a reference is that of a direct call or jump, and so hands out no address."""
        if reference.raw_type in (BRANCH, self.machine.branch):
            return True
        if not atom.section.executable or reference.type not in self.machine.pc_relative:
            return False
        # The assembler writes calls of local functions as plain PC-relative fields. Before a field
        # that is part of a memory operand stands a ModRM byte that says "relative to RIP".
        before = atom.start + reference.offset - 1
        return before >= 0 and atom.section.data[before] & 0xC7 != 0x05

    def references_in(self, section: Section) -> Iterator[Reference]:
        """Return what a whole section refers to, with offsets from its start."""
        return self._relocated(section, 0, section.size)

    def _relocated(self, section: Section, start: int, end: int) -> Iterator[Reference]:
        entries = self._relocations.get(id(section), [])
        index = bisect_right(entries, start - 1, key=lambda entry: entry.offset)
        while index < len(entries) and entries[index].offset < end:
            entry = entries[index]
            yield Reference(
                offset=entry.offset - start,
                width=self._width(entry.type),
                type=self.machine.same.get(entry.type, entry.type),
                target=self.resolve(section, entry),
                raw_type=entry.type,
                by_section=entry.symbol is not None and entry.symbol.type == c.STT_SECTION,
                bias=self._bias(section, entry),
            )
            index += 1

    def _width(self, type_: int) -> int:
        if type_ not in self.machine.widths:
            self.troubles.append(f"relocation type {type_} is not known")
        return self.machine.widths.get(type_, 4)

    def _needs_branches(self, atom: Atom) -> bool:
        """Whether code of this section may reach other functions without a relocation."""
        if not atom.section.executable or not atom.symbols:
            return False
        pieces = [other for other in self._atoms[id(atom.section)] if other.symbols]
        return len(pieces) > 1

    def _branches(self, atom: Atom, known: set[int]) -> Iterator[Reference]:
        decoded = self.decoded(atom)
        if not decoded.complete:
            self.troubles.append(f"{atom.name}: not all of its code could be decoded")
        for found in decoded.instructions:
            reach = found.reach
            if reach is None:
                continue
            at = found.offset + reach.field - atom.start
            outside = not atom.start <= reach.target < atom.end
            if at in known or not outside or not 0 <= reach.target < atom.section.size:
                continue
            other = self.atom_at(atom.section, reach.target)
            if other is not None:
                yield Reference(
                    offset=at,
                    width=reach.width,
                    type=BRANCH,
                    target=Target(other, other.name, reach.target - other.start),
                    raw_type=BRANCH,
                    by_section=False,
                    bias=found.end - atom.start - at,
                )

    @cached_property
    def entries(self) -> list[Entry]:
        """Every entry of the special sections."""
        found: list[Entry] = []
        for section in self.object.sections:
            rule = rule_for(section.name)
            if rule and rule.role is Role.ENTRIES and section.size:
                found += self._entries_of(section, tables().layout[rule.layout])
        return found

    def _entries_of(self, section: Section, layout: EntryLayout) -> Iterator[Entry]:
        size = self._entry_size(section, layout)
        if not size:
            self.troubles.append(f"{section.name}: entries of an unknown layout")
            return
        for index, start in enumerate(range(0, section.size, size)):
            references = tuple(self._relocated(section, start, start + size))
            site = next((r for r in references if r.offset == layout.site), None)
            yield Entry(
                layout=layout,
                section=section,
                index=index,
                data=section.data[start : start + size],
                references=references,
                owner=site.target.atom if site else None,
                site=site.target.offset if site else 0,
            )

    def _entry_size(self, section: Section, layout: EntryLayout) -> int:
        """Tell which of the layout's sizes this kernel uses, by where the site fields lie."""
        relocated = {entry.offset for entry in self._relocations.get(id(section), ())}
        for size in layout.sizes:
            sites = range(layout.site, section.size, size)
            if section.size % size == 0 and all(site in relocated for site in sites):
                return size
        return 0

    @cached_property
    def entries_of(self) -> dict[int, list[Entry]]:
        """The entries of each function or chunk, by ``id``, in the order of their sites."""
        owned: dict[int, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            if entry.owner is not None:
                owned[id(entry.owner)].append(entry)
        for entries in owned.values():
            entries.sort(key=lambda entry: (entry.table, entry.site, entry.index))
        return owned

    @cached_property
    def referrers(self) -> dict[int, list[Atom]]:
        """Which pieces refer to each piece, by ``id``; an entry counts as its owner."""
        found: dict[int, list[Atom]] = defaultdict(list)
        for atom in self.atoms:
            if atom.role in (Role.ENTRIES, Role.REGENERATED, Role.IGNORED, Role.STRINGS):
                continue
            for reference in self.references(atom):
                self._note(found, reference.target.atom, atom)
        for entry in self.entries:
            if entry.owner is not None:
                for reference in entry.references:
                    self._note(found, reference.target.atom, entry.owner)
        return found

    @staticmethod
    def _note(found: dict[int, list[Atom]], target: Atom | None, source: Atom) -> None:
        if target is None or target is source:
            return
        listed = found[id(target)]
        if source not in listed:
            listed.append(source)

    @cached_property
    def traced(self) -> set[int]:
        """The functions (by ``id``) that begin with a call that ftrace can turn into a hook."""
        found = {
            id(entry.owner)
            for entry in self.entries
            if entry.table == "__mcount_loc" and entry.owner is not None
        }
        for atom in self.atoms:
            if atom.is_function and any(
                reference.offset < 16 and reference.target.name in self.machine.tracer
                for reference in self.references(atom)
            ):
                found.add(id(atom))
        return found


def _check_sizes(obj: Object) -> None:
    """Refuse memory and alignments that no kernel has; they cost time and memory here."""
    for section in obj.sections:
        if section.size > _LARGEST_SECTION or section.align > _LARGEST_ALIGN:
            raise InputError(
                f"section {section.name} takes {section.size} bytes, aligned to {section.align}",
                hint="no object of a kernel does; it is damaged",
            )
    for symbol in obj.symbols:
        if symbol.reserved == c.SHN_COMMON and symbol.size > _LARGEST_SECTION:
            raise InputError(f"symbol {symbol.name} takes {symbol.size} bytes")


_LARGEST_SECTION = 1 << 28
_LARGEST_ALIGN = 1 << 22  # a huge page on x86-64 has 1 << 21
_WHOLE = (Role.STRINGS, Role.CONSTANTS, Role.OWN)
_BY_OFFSET = (Role.STRINGS, Role.CONSTANTS, Role.CHUNKS)


def _is_its_own(atom: Atom) -> bool:
    """Whether a piece has a section to itself, not only as long as there is no other for it."""
    return atom.section.name.endswith(f".{atom.name}")


def _is_prefix(symbol: Symbol) -> bool:
    """Whether a symbol names the padding before a function, which objtool or kCFI puts there."""
    assert symbol.section is not None
    return symbol.section.executable and symbol.name.startswith(("__pfx_", "__cfi_"))


def _cut(atom: Atom, offsets: list[int]) -> list[Atom]:
    if atom.symbols:
        return [atom]
    inner = [offset for offset in offsets if atom.start < offset < atom.end]
    bounds = [atom.start, *inner, atom.end]
    return [
        Atom(atom.section, start, end, atom.role, [], atom.file) for start, end in pairwise(bounds)
    ]


def _best_name(symbol: Symbol) -> tuple[int, bool, bool, int, str]:
    """The name people know comes first: a function's own, global before local, the shortest."""
    kind = {c.STT_FUNC: 0, c.STT_OBJECT: 0}.get(symbol.type, 1)
    return kind, symbol.local, symbol.name.startswith("__"), len(symbol.name), symbol.name
