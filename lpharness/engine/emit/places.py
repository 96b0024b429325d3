"""Where an object's symbols are in the shipped kernel, told by the shipped code itself.

A name may stand several times in a kernel's symbol table, and livepatch tells such namesakes apart
by position alone. Which one this object means is not guessed from neighbours: the functions that
`prove_base` found in the kernel refer to it, and the field that the linker filled in there holds
its address. In a module's file the relocation at that place still names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Protocol

from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, Section, Symbol
from lpharness.elf.object_reader import parse_object
from lpharness.engine.objects import BaseProof, Match
from lpharness.engine.target import Target
from lpharness.kernels.image_symbols import image_symbols
from lpharness.kernels.model import Kernel
from lpharness.kernels.symbols import VMLINUX
from lpharness.kernels.vmlinux import load_vmlinux

# x86-64 psABI, table 4.9: what a field holds, by relocation type: its width, and whether it is
# counted from its own place.
_FIELDS = {1: (8, False), 2: (4, True), 4: (4, True), 10: (4, False), 11: (4, False)}

Place = tuple[str, int]
"""A section of a module's file and the offset in it; for vmlinux, an empty name and an address."""


class Candidate(Struct, frozen=True):
    """One symbol of a name, in the order that sympos counts."""

    place: Place
    exported_name: bool
    """Whether it is global: seen by other files of the kernel."""


class Shipped(Protocol):
    """The symbols of a shipped object, and what its code refers to."""

    def candidates(self, name: str) -> list[Candidate]:
        """Return the symbols of a name in the order that sympos counts."""

    def reference(self, place: Place, relocation: Relocation) -> Place | None:
        """Return where the symbol of a relocation is, as the linker filled in a field."""


def shipped_object(kernel: Kernel, name: str, *, cache: Cache | None = None) -> Shipped:
    """Return what a kernel shipped as ``vmlinux`` or as a module.

    Raises:
        InputError: the image or the module cannot be read.
    """
    return _Image(kernel, cache) if name == VMLINUX else _Module(kernel, name)


class _Image:
    """The kernel itself; places are addresses of a kernel without KASLR."""

    def __init__(self, kernel: Kernel, cache: Cache | None) -> None:
        self._vmlinux = load_vmlinux(kernel, cache=cache)
        self._symbols = image_symbols(kernel, cache=cache)

    def candidates(self, name: str) -> list[Candidate]:
        return [
            Candidate(("", symbol.address), symbol.type.isupper() or symbol.type == "w")
            for symbol in self._symbols.lookup(name)
        ]

    def reference(self, place: Place, relocation: Relocation) -> Place | None:
        width, relative = _FIELDS[relocation.type]
        raw = self._vmlinux.read(place[1], width)
        if len(raw) != width:
            return None
        # Only R_X86_64_32 is unsigned, and no kernel address fits that.
        value = int.from_bytes(raw, "little", signed=relocation.type != 10)
        target = value - relocation.addend + (place[1] if relative else 0)
        return "", target % (1 << 64)


class _Module:
    """A module's file; places are offsets in its sections."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        elf = Target(kernel).elf(name)
        assert elf is not None  # prove_base has read it
        self._object = parse_object(bytes(elf.data), name=name)

    def candidates(self, name: str) -> list[Candidate]:
        # As module_kallsyms_on_each_symbol() walks: in the table's order, undefined ones left out.
        return [
            Candidate((symbol.section.name if symbol.section else "", symbol.value),
                      not symbol.local)
            for symbol in self._by_name.get(name, ())
        ]  # fmt: skip

    def reference(self, place: Place, relocation: Relocation) -> Place | None:
        theirs = self._relocations.get(place)
        if theirs is None or theirs.symbol is None or theirs.symbol.section is None:
            return None
        moved = theirs.addend - relocation.addend
        return theirs.symbol.section.name, theirs.symbol.value + moved

    @cached_property
    def _by_name(self) -> dict[str, list[Symbol]]:
        found: dict[str, list[Symbol]] = {}
        for symbol in self._object.symbols:
            if not symbol.undefined and symbol.type != c.STT_SECTION:
                found.setdefault(symbol.name, []).append(symbol)
        return found

    @cached_property
    def _relocations(self) -> dict[Place, Relocation]:
        return {
            (table.target.name, entry.offset): entry
            for table in self._object.relocation_sections()
            for entry in table.entries
        }


class Places:
    """Where the symbols of one plain object are in the kernel it is part of."""

    def __init__(self, plain: Object, proof: BaseProof, shipped: Shipped) -> None:
        self._plain = plain
        self._proof = proof
        self._shipped = shipped

    def of(self, name: str, nth: int | None = None) -> Place | None:
        """Return where a symbol is; ``None`` if no proven function refers to it.

        Args:
            name: as the plain object has it.
            nth: which of the object's own symbols of that name, from 0; ``None`` for one that it
                takes from elsewhere.
        """
        if nth is None:
            votes = self._votes.get(name)
            return votes.most_common(1)[0][0] if votes else None
        mine = [s for s in self._plain.symbols if s.name == name and s.section is not None]
        if nth >= len(mine):
            return None
        section = mine[nth].section
        assert section is not None
        start = self._starts.get(id(section))
        return None if start is None else (start[0], start[1] + mine[nth].value)

    @cached_property
    def _starts(self) -> dict[int, Place]:
        """Where each section of the object begins, by ``id``."""
        found: dict[int, Counter[Place]] = {}
        for section, symbols in self._functions.items():
            for symbol, place in symbols:
                start = (place[0], place[1] - symbol.value)
                found.setdefault(section, Counter())[start] += 1
        for relocation, place in self._references():
            meant = relocation.symbol
            if meant is not None and meant.section is not None:
                start = (place[0], place[1] - meant.value)
                found.setdefault(id(meant.section), Counter())[start] += 1
        return {section: votes.most_common(1)[0][0] for section, votes in found.items()}

    @cached_property
    def _votes(self) -> dict[str, Counter[Place]]:
        """Where the symbols of other objects are, as each reference to them says."""
        found: dict[str, Counter[Place]] = {}
        for relocation, place in self._references():
            if relocation.symbol is not None and relocation.symbol.undefined:
                found.setdefault(relocation.symbol.name, Counter())[place] += 1
        return found

    @cached_property
    def _functions(self) -> dict[int, list[tuple[Symbol, Place]]]:
        """The functions that are the kernel's own, and where they are, by section."""
        proven = {
            (function.name, function.section): function
            for function in self._proof.functions
            if function.state is Match.MATCHES and function.address is not None
        }
        in_module = self._proof.object_name != VMLINUX
        found: dict[int, list[tuple[Symbol, Place]]] = {}
        for symbol in self._plain.symbols:
            if symbol.section is None or symbol.type != c.STT_FUNC:
                continue
            function = proven.get((symbol.name, symbol.section.name))
            if function is not None and function.address is not None:
                place = (symbol.section.name if in_module else "", function.address)
                found.setdefault(id(symbol.section), []).append((symbol, place))
        return found

    def _references(self) -> Iterator[tuple[Relocation, Place]]:
        """Yield what proven functions refer to, and where that is."""
        for table in self._plain.relocation_sections():
            for entry, place in self._fields(table.target, table.entries):
                if entry.type in _FIELDS:
                    target = self._shipped.reference(place, entry)
                    if target is not None:
                        yield entry, target

    def _fields(
        self, section: Section, entries: list[Relocation]
    ) -> Iterator[tuple[Relocation, Place]]:
        for symbol, (name, start) in self._functions.get(id(section), ()):
            for entry in entries:
                if symbol.value <= entry.offset < symbol.value + symbol.size:
                    yield entry, (name, start + entry.offset - symbol.value)
