"""Two livepatch modules side by side: what each patches, brings along and refers to.

Made for the modules of two builders for one diff. What they are called, how their tables look and
in what order their sections lie is a builder's own affair; what they would do to a kernel is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.elf import constants as c
from lpharness.elf.livepatch import Livepatch, read_livepatch
from lpharness.elf.object import Object, Relocation, RelocationSection, Section, Symbol
from lpharness.elf.object_reader import read_object

_KLP_SYMBOL = re.compile(r"\.klp\.sym\.([^.]+)\.(.+),(\d+)")
# One group for what -ffunction-sections and -fdata-sections part, and ld may join again.
_GROUPS = re.compile(r"(\.text|\.rodata\.str|\.rodata|\.data|\.bss)\b.*|(\.orc_\w+)")
# Of the module's own frame, not of the patch: each builder has its own.
_FRAME = re.compile(r"\.(init|exit)\.text.*")


class Code(StrEnum):
    """How the code of one function in two modules compares."""

    SAME = "same"
    """Byte for byte, relocated fields masked, and it refers to the same names and strings."""
    DIFFERS = "differs"
    ABSENT = ""
    """One of them does not have it, or does not tell where it ends."""


class Side(Struct, frozen=True, kw_only=True):
    """One of the two modules."""

    path: Path
    name: str
    built_for: str
    """The release in its version magic."""
    table: str
    """Where its functions are listed: ``klp_patch``, or another builder's section."""
    replace: bool | None
    size: int
    """Bytes of the file."""
    loaded: int
    """Bytes that take room in the kernel's memory."""
    code: int
    """Bytes of code among them."""
    relocations: int
    """Entries that the module loader applies."""
    klp_relocations: dict[str, int]
    """Entries that the livepatch core applies, by the object they need."""


class Taken(Struct, frozen=True, kw_only=True):
    """A function as one module replaces it."""

    sympos: int
    new: str
    size: int
    """Bytes of the new function; 0 if no symbol tells."""


class ReplacedFunction(Struct, frozen=True, kw_only=True):
    """A function that at least one of the modules replaces."""

    object: str
    old: str
    a: Taken | None
    b: Taken | None
    code: Code


class CarriedFunction(Struct, frozen=True, kw_only=True):
    """A function that at least one of the modules brings along without replacing one by it."""

    name: str
    a: int | None
    """Bytes, or ``None`` if this module does not have it."""
    b: int | None
    code: Code


class Reference(Struct, frozen=True, kw_only=True):
    """A symbol of the kernel that at least one of the modules needs, and how it reaches it."""

    name: str
    a: tuple[str, ...]
    """``import``, or ``OBJECT,SYMPOS`` for a livepatch symbol; empty if it does not need it."""
    b: tuple[str, ...]


class SectionSizes(Struct, frozen=True, kw_only=True):
    """The loaded sections of one kind, in bytes."""

    name: str
    a: int
    b: int


class Comparison(Struct, frozen=True, kw_only=True):
    """What two modules have in common, and what not."""

    a: Side
    b: Side
    functions: tuple[ReplacedFunction, ...]
    carried: tuple[CarriedFunction, ...]
    references: tuple[Reference, ...]
    sections: tuple[SectionSizes, ...]
    remarks: tuple[str, ...]
    """What one may want to know of what they say differently, though it may mean the same."""
    differences: tuple[str, ...]
    """What would differ in a kernel, one line each; empty if both patch the same alike."""

    @property
    def alike(self) -> bool:
        """Whether both do the same to a kernel, as far as can be read."""
        return not self.differences


def compare(a: Path, b: Path) -> Comparison:
    """Compare two livepatch modules.

    Raises:
        InputError: a file is no livepatch module, or they are for different architectures.
    """
    left, right = _Module(a), _Module(b)
    if left.livepatch.machine != right.livepatch.machine:
        raise InputError(
            f"{a} is for {left.livepatch.machine}, {b} for {right.livepatch.machine}",
            hint="modules for one architecture can be compared",
        )
    functions = tuple(_functions(left, right))
    return Comparison(
        a=left.side(),
        b=right.side(),
        functions=functions,
        carried=tuple(_carried(left, right)),
        references=tuple(_references(left, right)),
        sections=tuple(_sections(left, right)),
        remarks=tuple(_remarks(functions)),
        differences=tuple(_differences(left.livepatch, right.livepatch, functions)),
    )


class _Module:
    """One module, read both ways: as a livepatch, and as an object with relocations."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.livepatch: Livepatch = read_livepatch(path)
        self.object: Object = read_object(path)
        self.taken = {
            (f.object, f.old): Taken(sympos=f.sympos, new=f.new, size=self._size(f.new))
            for f in self.livepatch.functions
        }

    def side(self) -> Side:
        patch = self.livepatch.patch
        loaded = [section for section in self.object.sections if section.allocated]
        klp: dict[str, int] = {}
        for item in self.livepatch.klp_relocations:
            klp[item.object] = klp.get(item.object, 0) + item.count
        return Side(
            path=self.path,
            name=self.livepatch.name,
            built_for=self.livepatch.vermagic.split(" ", 1)[0],
            table=patch.table if patch else "",
            replace=patch.replace if patch else None,
            size=self.path.stat().st_size,
            loaded=sum(s.size for s in loaded if not isinstance(s, RelocationSection)),
            code=sum(section.size for section in loaded if section.executable),
            relocations=sum(
                len(table.entries)
                for table in self.object.relocation_sections()
                if table.target.allocated and not table.flags & c.SHF_RELA_LIVEPATCH
            ),
            klp_relocations=klp,
        )

    def functions(self) -> dict[str, Symbol]:
        """Return the functions that it has besides those that replace one, and its frame."""
        new = {taken.new for taken in self.taken.values()}
        return {
            _printable(symbol.name): symbol
            for symbol in self.object.symbols
            if symbol.type == c.STT_FUNC
            and symbol.section is not None
            and symbol.section.executable
            and symbol.name not in new
            and not _FRAME.fullmatch(symbol.section.name)
        }

    def needs(self) -> dict[str, tuple[str, ...]]:
        """Return the kernel's symbols that it refers to, and by which ways."""
        ways: dict[str, set[str]] = {}
        for item in self.livepatch.imports:
            ways.setdefault(item.name, set()).add("import")
        for symbol in self.livepatch.klp_symbols:
            ways.setdefault(symbol.name, set()).add(f"{symbol.object},{symbol.sympos}")
        return {name: tuple(sorted(found)) for name, found in ways.items()}

    def meaning(self, name: str) -> tuple[bytes, list[_Reference]] | None:
        """Return a function's bytes, relocated fields masked, and what these refer to."""
        symbol = self._function(name)
        if symbol is None or symbol.section is None or not symbol.size:
            return None
        start, end = symbol.value, symbol.value + symbol.size
        code = bytearray(symbol.section.data[start:end])
        found = []
        for table in self.object.relocation_sections(symbol.section):
            for entry in table.entries:
                if start <= entry.offset < end:
                    at = entry.offset - start
                    width = 8 if entry.type in _WIDE.get(self.object.machine, ()) else 4
                    code[at : at + width] = bytes(len(code[at : at + width]))
                    found.append(_Reference(at, self._target(entry)))
        return bytes(code), sorted(found, key=lambda reference: reference.at)

    def _target(self, entry: Relocation) -> str:
        """Name what a relocation leads to as no builder's layout changes it."""
        symbol = entry.symbol
        if symbol is None:
            return ""
        if match := _KLP_SYMBOL.fullmatch(symbol.name):
            return match[2]
        if symbol.section is None:
            return symbol.name
        bias = 4 if entry.type in _FROM_END.get(self.object.machine, ()) else 0
        offset = symbol.value + entry.addend + bias
        there = self._named.get((id(symbol.section), offset))
        return there or _content(symbol.section, offset)

    @cached_property
    def _named(self) -> dict[tuple[int, int], str]:
        """The functions and variables by where they begin; the compiler's numbers left out."""
        return {
            (id(symbol.section), symbol.value): _NUMBER.sub("", symbol.name)
            for symbol in self.object.symbols
            if symbol.section is not None and symbol.type in (c.STT_FUNC, c.STT_OBJECT)
        }

    def _function(self, name: str) -> Symbol | None:
        return next(
            (
                symbol
                for symbol in self.object.symbols
                if symbol.name == name and symbol.type == c.STT_FUNC and symbol.section is not None
            ),
            None,
        )

    def _size(self, name: str) -> int:
        symbol = self._function(name)
        return symbol.size if symbol else 0


@dataclass(frozen=True, slots=True)
class _Reference:
    at: int
    target: str


# Relocations that fill eight bytes (all others in code fill four), and those that count from the
# end of the field, where the instruction ends as well.
_WIDE = {c.EM_X86_64: frozenset({1, 24})}  # R_X86_64_64, R_X86_64_PC64
_FROM_END = {c.EM_X86_64: frozenset({2, 4})}  # R_X86_64_PC32, R_X86_64_PLT32
_NUMBER = re.compile(r"\.\d+$")


def _content(section: Section, offset: int) -> str:
    """Return a string's text, or of what kind other data is."""
    if section.strings and 0 <= offset < len(section.data):
        return repr(section.data[offset:].partition(b"\0")[0])
    return _group(section.name)


def _functions(left: _Module, right: _Module) -> Iterator[ReplacedFunction]:
    for key in sorted(left.taken.keys() | right.taken.keys()):
        a, b = left.taken.get(key), right.taken.get(key)
        both = a is not None and b is not None
        code = _code(left, a.new, right, b.new) if both and a and b else Code.ABSENT
        yield ReplacedFunction(object=key[0], old=key[1], a=a, b=b, code=code)


def _carried(left: _Module, right: _Module) -> Iterator[CarriedFunction]:
    ours, theirs = left.functions(), right.functions()
    for name in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(name), theirs.get(name)
        yield CarriedFunction(
            name=name,
            a=a.size if a else None,
            b=b.size if b else None,
            code=_code(left, a.name, right, b.name) if a and b else Code.ABSENT,
        )


def _code(left: _Module, a: str, right: _Module, b: str) -> Code:
    ours, theirs = left.meaning(a), right.meaning(b)
    if ours is None or theirs is None:
        return Code.ABSENT
    return Code.SAME if ours == theirs else Code.DIFFERS


def _references(left: _Module, right: _Module) -> Iterator[Reference]:
    ours, theirs = left.needs(), right.needs()
    for name in sorted(ours.keys() | theirs.keys()):
        yield Reference(name=name, a=ours.get(name, ()), b=theirs.get(name, ()))


def _sections(left: _Module, right: _Module) -> Iterator[SectionSizes]:
    ours, theirs = _sizes(left.object), _sizes(right.object)
    for name in sorted(ours.keys() | theirs.keys()):
        yield SectionSizes(name=name, a=ours.get(name, 0), b=theirs.get(name, 0))


def _sizes(obj: Object) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for section in obj.sections:
        if section.allocated and section.size and not isinstance(section, RelocationSection):
            name = _group(section.name)
            sizes[name] = sizes.get(name, 0) + section.size
    return sizes


def _group(name: str) -> str:
    match = _GROUPS.fullmatch(name)
    return (match[1] or match[2]) if match else _printable(name)


def _printable(name: str) -> str:
    """Return a name fit to print: in objects names are any bytes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _differences(
    left: Livepatch, right: Livepatch, functions: tuple[ReplacedFunction, ...]
) -> Iterator[str]:
    for one in functions:
        full = f"{one.object}:{one.old}"
        if one.a is None or one.b is None:
            yield f"only {'B' if one.a is None else 'A'} replaces {full}"
        elif one.a.sympos != one.b.sympos and {one.a.sympos, one.b.sympos} != {0, 1}:
            yield (
                f"{full}: sympos {one.a.sympos} in A, {one.b.sympos} in B: not the same function"
            )
        if one.code is Code.DIFFERS:
            yield f"the new {one.old} is not the same code"
    a, b = left.patch, right.patch
    if a is not None and b is not None:
        if None not in (a.replace, b.replace) and a.replace != b.replace:
            yield f"only {'A' if a.replace else 'B'} replaces all earlier livepatches"
        if _callbacks(left) != _callbacks(right):
            yield "they call different callbacks"
    for name, livepatch in (("A", left), ("B", right)):
        if livepatch.patch is None:
            yield f"what {name} patches cannot be read"


def _remarks(functions: tuple[ReplacedFunction, ...]) -> Iterator[str]:
    """Yield what is said of functions as 0 in one module and as 1 in the other.

    klp_find_object_symbol() takes both for the first of a name, 0 if there is no other; patches
    that replace each other are matched by the number itself before 6.19.
    """
    for one in functions:
        if one.a and one.b and {one.a.sympos, one.b.sympos} == {0, 1}:
            yield (
                f"{one.object}:{one.old}: sympos {one.a.sympos} in A, {one.b.sympos} in B: one "
                "function, but kernels before 6.19 take them for two when one patch replaces the "
                "other"
            )


def _callbacks(livepatch: Livepatch) -> set[tuple[str, str]]:
    return {(item.name, kind) for item in livepatch.objects for kind in item.callbacks}
