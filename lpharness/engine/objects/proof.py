"""Proves that an object is what a kernel was linked from: its functions against the shipped bytes.

For each function of the plain original object: is it, byte for byte, in the kernel's image or in
the module's file, where the kernel's symbols say that it is? Fields that the linker fills in are
masked. Nothing else needs to be: boot-time patching (alternatives, static calls, jump labels,
ftrace sites) has not touched the files, and objtool's rewriting is part of the object.

An object's sections go into the kernel whole, one after another. So the functions of one section
have one and the same distance from where the symbols say they are: that tells which of several
symbols of a name is this object's (its sympos), and where functions are that share all their bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, Section, Symbol
from lpharness.elf.object_reader import parse_object, read_object
from lpharness.engine.objects.pairs import ObjectPair
from lpharness.engine.objects.references import DataPlace, Shipped, Stray, Target, follow
from lpharness.engine.target import Target as KernelFiles
from lpharness.kernels.image_symbols import image_symbols
from lpharness.kernels.model import Kernel
from lpharness.kernels.symbols import VMLINUX, SymbolTable
from lpharness.kernels.vmlinux import Vmlinux, load_vmlinux

# Bytes that a relocation fills in, by type (x86-64 psABI, table 4.9).
_WIDTHS = {1: 8, 2: 4, 4: 4, 9: 4, 10: 4, 11: 4, 12: 2, 13: 2, 14: 1, 15: 1, 24: 8, 41: 4, 42: 4}

# Where a field leads: its bytes, and whether it counts from its own place.
_FIELDS = {1: (8, False), 2: (4, True), 4: (4, True), 10: (4, False), 11: (4, False)}


class Match(StrEnum):
    """How a function meets the kernel."""

    MATCHES = "matches"
    DIFFERS = "differs"
    ABSENT = "absent"
    """The kernel has no symbol of that name (the linker left it out, or another source)."""


class FunctionProof(Struct, frozen=True, kw_only=True):
    """What was found of one function."""

    name: str
    section: str
    """Of the plain object, for example ``.text`` or ``.init.text``."""
    size: int
    state: Match
    address: int | None = None
    """Where it is: in a kernel without KASLR, or in the module's section."""
    sympos: int | None = None
    """The how-manieth of that name it is in its object, from 1; `None` if absent."""
    unique: bool = False
    """Whether the object has no other symbol of that name."""
    first_difference: int | None = None
    """Offset in bytes of the first byte that differs."""
    expected: str = ""
    """The shipped bytes there, in hex, and..."""
    found: str = ""
    """...those of the object."""
    masked: int = 0
    """Bytes that were not compared, since the linker fills them in."""


class BaseProof(Struct, frozen=True, kw_only=True):
    """Whether an object is the kernel's."""

    source: str
    object_name: str
    image: str
    """What it was held against: the image's or the module's path."""
    functions: tuple[FunctionProof, ...]
    data: tuple[DataPlace, ...] = ()
    """Where the object's variables are, as far as proven functions refer to them."""
    strays: tuple[Stray, ...] = ()
    """References of matching functions that lead elsewhere than the object says."""
    references: int = 0
    """References of matching functions to other objects that lead where they should."""

    @property
    def matching(self) -> int:
        """How many functions are the kernel's byte for byte."""
        return sum(function.state is Match.MATCHES for function in self.functions)

    @property
    def failures(self) -> tuple[FunctionProof, ...]:
        """The functions that are not."""
        return tuple(f for f in self.functions if f.state is not Match.MATCHES)

    @property
    def holds(self) -> bool:
        """Whether every function is, refers to what it should, and there is one."""
        return bool(self.functions) and not self.failures and not self.strays

    def named(self, name: str) -> FunctionProof | None:
        """Return what was found of a function."""
        return next((function for function in self.functions if function.name == name), None)


def prove_base(pair: ObjectPair, kernel: Kernel, *, cache: Cache | None = None) -> BaseProof:
    """Hold a pair's plain original against the kernel that was shipped.

    Args:
        pair: as `compile_pairs` made it.
        kernel: the one it was compiled for.
        cache: where the unpacked image and its symbols are kept.

    Raises:
        InputError: the image or the module cannot be read.
    """
    return prove_object(
        read_object(pair.plain_original), pair.source, pair.object_name, kernel, cache=cache
    )


def prove_object(
    plain: Object, source: str, object_name: str, kernel: Kernel, *, cache: Cache | None = None
) -> BaseProof:
    """Hold any object against what a kernel calls ``object_name``."""
    shipped: Shipped = (
        _Image(kernel, cache) if object_name == VMLINUX else _Module(kernel, object_name)
    )
    functions: list[FunctionProof] = []
    proven: list[tuple[Symbol, int]] = []
    for section, symbols in _functions(plain):
        found = _prove_section(plain, section, symbols, shipped)
        functions += found
        proven += [
            (symbol, function.address)
            for symbol, function in zip(symbols, found, strict=True)
            if function.state is Match.MATCHES and function.address is not None
        ]
    followed = follow(plain, proven, shipped)
    return BaseProof(
        source=source,
        object_name=object_name,
        image=shipped.path,
        functions=tuple(functions),
        data=followed.data,
        strays=followed.strays,
        references=followed.checked,
    )


def _functions(plain: Object) -> Iterator[tuple[Section, list[Symbol]]]:
    """Yield the sections with code, and in each the functions in the order of their places."""
    by_section: dict[int, list[Symbol]] = {}
    for symbol in plain.symbols:
        if symbol.type == c.STT_FUNC and symbol.section is not None and symbol.size:
            by_section.setdefault(id(symbol.section), []).append(symbol)
    for section in plain.sections:
        if found := by_section.get(id(section)):
            yield section, sorted(found, key=lambda symbol: symbol.value)


def _prove_section(
    plain: Object, section: Section, symbols: list[Symbol], shipped: Shipped
) -> list[FunctionProof]:
    mask = _mask(plain, section)
    start = _start(section, symbols, shipped, mask)
    return [_prove(symbol, section, start, shipped, mask) for symbol in symbols]


def _mask(plain: Object, section: Section) -> bytes:
    """Return for each byte of a section whether it is the object's own (1) or the linker's (0)."""
    mask = bytearray(b"\1") * len(section.data)
    for table in plain.relocation_sections(section):
        for entry in table.entries:
            width = _WIDTHS.get(entry.type)
            if width is None and entry.type:
                raise InputError(f"unknown relocation type {entry.type} in {section.name}")
            for at in range(entry.offset, min(entry.offset + (width or 0), len(mask))):
                mask[at] = 0
    return bytes(mask)


def _start(section: Section, symbols: list[Symbol], shipped: Shipped, mask: bytes) -> int | None:
    """Return where the section begins in the kernel, as most of its functions say."""
    votes: Counter[int] = Counter()
    for symbol in symbols:
        for place in shipped.places(symbol.name, section.name):
            votes[place - symbol.value] += 1
    if not votes:
        return None
    most = votes.most_common(1)[0][1]
    tied = [start for start, count in votes.items() if count == most]

    def alike(start: int) -> int:
        return sum(
            _difference(symbol, section, shipped, start + symbol.value, mask) is None
            for symbol in symbols
        )

    return tied[0] if len(tied) == 1 else max(tied, key=alike)


def _prove(
    symbol: Symbol, section: Section, start: int | None, shipped: Shipped, mask: bytes
) -> FunctionProof:
    places = shipped.places(symbol.name, section.name)
    facts = {
        "name": symbol.name,
        "section": section.name,
        "size": symbol.size,
        "masked": mask.count(0, symbol.value, symbol.value + symbol.size),
    }
    if not places:
        return FunctionProof(**facts, state=Match.ABSENT)  # type: ignore[arg-type]
    here = start + symbol.value if start is not None else places[0]
    if here not in places:
        # Another source: what is there is larger or smaller than what comes before it here.
        here = min(places, key=lambda place: abs(place - here))
    facts |= {
        "address": here,
        "sympos": _position(shipped, symbol.name, section.name, here),
        "unique": shipped.candidates(symbol.name) == 1,
    }
    differs = _difference(symbol, section, shipped, here, mask)
    if differs is None:
        return FunctionProof(**facts, state=Match.MATCHES)  # type: ignore[arg-type]
    at = symbol.value + differs
    return FunctionProof(
        **facts,  # type: ignore[arg-type]
        state=Match.DIFFERS,
        first_difference=differs,
        expected=shipped.read(section.name, here + differs, 16).hex(" "),
        found=section.data[at : min(at + 16, symbol.value + symbol.size)].hex(" "),
    )


def _position(shipped: Shipped, name: str, section: str, place: int) -> int:
    return shipped.places(name, section).index(place) + 1


def _difference(
    symbol: Symbol, section: Section, shipped: Shipped, place: int, mask: bytes
) -> int | None:
    """Return the first offset at which a function is not what is at a place."""
    begin, end = symbol.value, symbol.value + symbol.size
    ours, theirs = section.data[begin:end], shipped.read(section.name, place, symbol.size)
    if len(theirs) != len(ours):
        return len(theirs)
    if ours == theirs:
        return None
    own = mask[begin:end]
    return next(
        (
            at
            for at, (a, b, counts) in enumerate(zip(ours, theirs, own, strict=True))
            if counts and a != b
        ),
        None,
    )


class _Image:
    """The kernel itself; places are addresses."""

    def __init__(self, kernel: Kernel, cache: Cache | None) -> None:
        self.path = str(kernel.image)
        self._vmlinux: Vmlinux = load_vmlinux(kernel, cache=cache)
        self._symbols: SymbolTable = image_symbols(kernel, cache=cache)
        self._known: dict[str, list[int]] = {}

    def places(self, name: str, section: str) -> list[int]:  # noqa: ARG002
        if name not in self._known:
            self._known[name] = list(self._symbols.addresses(name))
        return self._known[name]

    def candidates(self, name: str) -> int:
        return len(self.places(name, ""))

    def read(self, section: str, at: int, size: int) -> bytes:  # noqa: ARG002
        return self._vmlinux.read(at, size)

    def target(self, entry: Relocation, section: str, at: int) -> Target | None:  # noqa: ARG002
        form = _FIELDS.get(entry.type)
        if form is None:
            return None
        width, relative = form
        value = int.from_bytes(self._vmlinux.read(at, width), "little", signed=True)
        address = value - entry.addend + (at if relative else 0)
        return Target("", address % (1 << 64))

    def names(self, symbol: str, target: Target) -> bool | None:
        places = self.places(symbol, "")
        return target.at in places if places else None

    def data_places(self, name: str, target: Target) -> list[int]:  # noqa: ARG002
        return self.places(name, "")


class _Module:
    """A module's file; places are offsets in the section of the same name."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        target = KernelFiles(kernel)
        path = target.module_file(name)
        if path is None:
            raise InputError(
                f"{kernel.release} has no module {name}", hint="is it the kernel it was built for?"
            )
        self.path = str(path)
        elf = target.elf(name)
        assert elf is not None
        module = parse_object(bytes(elf.data), name=str(path))
        self._data = {section.name: section.data for section in module.sections}
        self._symbols: dict[str, list[Symbol]] = {}
        for symbol in module.symbols:
            # is_core_symbol() in kernel/module/kallsyms.c: what kallsyms knows of a module
            if symbol.section is not None and symbol.section.allocated:
                self._symbols.setdefault(symbol.name, []).append(symbol)
        self._relocations = {
            (table.target.name, entry.offset): entry
            for table in module.relocation_sections()
            for entry in table.entries
        }

    def places(self, name: str, section: str) -> list[int]:
        return [
            symbol.value if symbol.section and symbol.section.name == section else -1
            for symbol in self._symbols.get(name, [])
        ]

    def candidates(self, name: str) -> int:
        return len(self._symbols.get(name, []))

    def read(self, section: str, at: int, size: int) -> bytes:
        return self._data.get(section, b"")[at : at + size] if at >= 0 else b""

    def target(self, entry: Relocation, section: str, at: int) -> Target | None:
        theirs = self._relocations.get((section, at))
        if theirs is None or theirs.symbol is None or entry.symbol is None:
            return None
        symbol = theirs.symbol
        if symbol.section is None:
            return Target("", 0, symbol.name)
        return Target(symbol.section.name, symbol.value + theirs.addend - entry.addend)

    def names(self, symbol: str, target: Target) -> bool | None:
        if target.name:
            return target.name == symbol
        # In another object of the same module.
        places = self.places(symbol, target.section)
        return target.at in places if places else None

    def data_places(self, name: str, target: Target) -> list[int]:
        return self.places(name, target.section)
