"""What the relocated fields of proven code say: whom it calls, and where the object's data lies.

The proof masks what the linker filled in. Read back, these fields tell the place of everything that
a proven function refers to. So each section of the object is found in the kernel, data included,
and with it the sympos of each static variable, however many share its name; and a reference that
leads elsewhere than to the symbol of that name shows another source than the kernel's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Protocol

from msgspec import Struct

from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, Section, Symbol


class DataPlace(Struct, frozen=True, kw_only=True):
    """Where a variable or constant of the object lies."""

    name: str
    section: str
    """Of the plain object."""
    address: int
    """In a kernel without KASLR, or in the module's section."""
    sympos: int | None
    """The how-manieth of that name it is, from 1; ``None`` if the kernel names it not."""
    unique: bool
    """Whether the kernel or module has no other symbol of that name."""


class Stray(Struct, frozen=True, kw_only=True):
    """A reference of a function that leads elsewhere in the kernel than the object says."""

    function: str
    offset: int
    """In the function, in bytes."""
    symbol: str
    found: str
    """Where it leads instead."""


class Target(Struct, frozen=True):
    """Where a field of the shipped code leads: a place in a section of the kernel or module."""

    section: str
    """Empty for an address of the kernel."""
    at: int
    name: str = ""
    """The symbol, if it lies in another object."""


class Shipped(Protocol):
    """What a kernel or a module says of itself."""

    path: str

    def places(self, name: str, section: str) -> list[int]:
        """Return the places of that name, in the order that sympos counts."""

    def candidates(self, name: str) -> int:
        """Return how many symbols of that name there are."""

    def read(self, section: str, at: int, size: int) -> bytes:
        """Return the bytes at a place."""

    def target(self, entry: Relocation, section: str, at: int) -> Target | None:
        """Return where the symbol of a relocation lies, which was applied at a place.

        That is, without the relocation's addend. ``None`` if the field does not tell.
        """

    def names(self, symbol: str, target: Target) -> bool | None:
        """Say whether a symbol is what lies there; ``None`` if the kernel does not name it."""

    def data_places(self, name: str, target: Target) -> list[int]:
        """Return the places of a name, as `places` does, in the section of a target."""


class Found(Struct, frozen=True, kw_only=True):
    """What the references of an object's proven functions tell."""

    data: tuple[DataPlace, ...]
    strays: tuple[Stray, ...]
    checked: int
    """References to other objects that lead where they should."""


def follow(plain: Object, proven: Iterable[tuple[Symbol, int]], shipped: Shipped) -> Found:
    """Read what the linker filled in.

    Args:
        plain: the object.
        proven: its functions that match, each with its place.
        shipped: the kernel or module.
    """
    votes: dict[int, Counter[tuple[str, int]]] = {}
    strays, checked = [], 0
    for function, entry, at in _references(plain, proven):
        symbol = entry.symbol
        assert symbol is not None
        assert function.section is not None
        target = shipped.target(entry, function.section.name, at)
        if target is None:
            continue
        if symbol.section is not None:
            start = (target.section, target.at - symbol.value)
            votes.setdefault(id(symbol.section), Counter())[start] += 1
        elif symbol.undefined and (right := shipped.names(symbol.name, target)) is not None:
            checked += right
            if not right:
                strays.append(
                    Stray(
                        function=function.name, offset=entry.offset - function.value,
                        symbol=symbol.name, found=target.name or f"{target.section}{target.at:#x}",
                    )
                )  # fmt: skip
    return Found(data=tuple(_data(plain, votes, shipped)), strays=tuple(strays), checked=checked)


def _references(
    plain: Object, proven: Iterable[tuple[Symbol, int]]
) -> Iterator[tuple[Symbol, Relocation, int]]:
    """Yield each relocation in a proven function, and its place."""
    by_section: dict[int, list[tuple[int, Symbol, int]]] = {}
    for symbol, place in proven:
        by_section.setdefault(id(symbol.section), []).append((symbol.value, symbol, place))
    for table in plain.relocation_sections():
        functions = sorted(by_section.get(id(table.target), []), key=lambda item: item[0])
        starts = [value for value, _, _ in functions]
        for entry in table.entries if functions else ():
            number = bisect_right(starts, entry.offset) - 1
            if number < 0 or entry.symbol is None:
                continue
            value, symbol, place = functions[number]
            if entry.offset < value + symbol.size:
                yield symbol, entry, place + entry.offset - value


def _data(
    plain: Object, votes: dict[int, Counter[tuple[str, int]]], shipped: Shipped
) -> Iterator[DataPlace]:
    for symbol in plain.symbols:
        if symbol.type != c.STT_OBJECT or symbol.section is None or not symbol.name:
            continue
        start = _agreed(symbol.section, votes)
        if start is None:
            continue
        section, begin = start
        target = Target(section, begin + symbol.value)
        places = shipped.data_places(symbol.name, target)
        yield DataPlace(
            name=symbol.name,
            section=symbol.section.name,
            address=target.at,
            sympos=places.index(target.at) + 1 if target.at in places else None,
            unique=len(places) == 1,
        )


def _agreed(section: Section, votes: dict[int, Counter[tuple[str, int]]]) -> tuple[str, int] | None:
    """Return where a section begins, if all references to it agree.

    They do not where the linker merges strings and constants: such sections have no one place.
    """
    counted = votes.get(id(section))
    if not counted or section.strings or section.mergeable or len(counted) > 1:
        return None
    return next(iter(counted))
