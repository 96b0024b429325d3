"""Whether structures lie in memory as they did: what exists in the running kernel does not move.

The code alone does not tell. Where the objects carry BTF (``gcc -gbtf``, which changes no code and
costs no time), every structure that both define is compared. One whose layout changed makes the
patch unsafe if it is anything but a local variable: objects made before the patch have the old one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from lpharness.base.hashing import identity
from lpharness.elf.btf import Kind, Member, Type, parse_btf
from lpharness.elf.object import Object

_STRUCTURES = (Kind.STRUCT, Kind.UNION)
_LOOK_THROUGH = (Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG)


class Suspected(Protocol):
    """A structure whose definition reads otherwise in the patched source."""

    @property
    def name(self) -> str:
        """With its keyword: ``struct sock``; without a tag, what it is the type of."""

    @property
    def tagged(self) -> bool:
        """Whether the name is its own."""


@dataclass(frozen=True, slots=True)
class LayoutChange:
    """A structure or enumeration that is not what it was."""

    name: str
    """With its keyword: ``struct sock``."""
    text: str
    moves: bool
    """Whether existing objects no longer fit; an enumeration's values, and a member with another
    name at its old place, are only worth a warning."""


def layout_changes(original: Object, patched: Object) -> list[LayoutChange] | None:
    """Return what changed in memory layout, or ``None`` if an object carries no types."""
    left, right = original.section(".BTF"), patched.section(".BTF")
    if left is None or right is None:
        return None
    before, after = _Types(left.data), _Types(right.data)
    return [*_structures(before, after), *_enumerations(before, after)]


def unknown_layouts(
    original: Object, patched: Object, suspects: Sequence[Suspected]
) -> Iterator[str]:
    """Yield those of some structures of which the objects do not tell whether they changed.

    One with a tag that the patched object does not have is not used by it.
    """
    left, right = original.section(".BTF"), patched.section(".BTF")
    if left is None or right is None:
        yield from (suspect.name for suspect in suspects)
        return
    before, after = _Types(left.data).structures, _Types(right.data).structures
    for suspect in suspects:
        unused = suspect.tagged and suspect.name not in after
        if not unused and not (suspect.name in before and suspect.name in after):
            yield suspect.name


class _Types:
    """The types of one object, by keyword and name."""

    def __init__(self, data: bytes) -> None:
        self.all = parse_btf(data)
        self.structures: dict[str, Type] = {}
        self.enumerations: dict[str, Type] = {}
        self._footprints: dict[int, str] = {}
        for one in self.all:
            held = self.get(one.target) if one.kind is Kind.TYPEDEF else None
            if one.name and one.members and one.kind in _STRUCTURES:
                self.structures.setdefault(f"{one.kind.name.lower()} {one.name}", one)
            elif held is not None and held.kind in _STRUCTURES and not held.name:
                self.structures.setdefault(f"{held.kind.name.lower()} {one.name}", held)
            elif one.name and one.values:
                self.enumerations.setdefault(f"enum {one.name}", one)

    def get(self, number: int) -> Type | None:
        return self.all[number - 1] if 0 < number <= len(self.all) else None

    def footprint(self, number: int) -> str:
        """Describe what a member takes in memory: a named structure by its name."""
        if number not in self._footprints:
            self._footprints[number] = "itself"  # in a damaged section a type may hold itself
            self._footprints[number] = self._describe(number)
        return self._footprints[number]

    def _describe(self, number: int) -> str:
        one = self.get(number)
        if one is None:
            return "nothing"
        if one.kind in _LOOK_THROUGH:
            return self.footprint(one.target)
        if one.kind is Kind.PTR:
            return "a pointer"
        if one.kind is Kind.ARRAY:
            return f"{one.count} of {self.footprint(one.target)}"
        if one.kind not in (Kind.STRUCT, Kind.UNION):
            return f"{one.size} bytes"
        word = one.kind.name.lower()
        if one.name:
            return f"{word} {one.name}"
        inner = identity(
            *(f"{m.offset}+{m.bits} {m.name} {self.footprint(m.type)}" for m in one.members)
        )
        return f"an unnamed {word} of {one.size} bytes ({inner})"


def _structures(before: _Types, after: _Types) -> Iterator[LayoutChange]:
    for name, old in before.structures.items():
        new = after.structures.get(name)
        if new is None:
            continue
        text = _difference(before, old, after, new)
        if text:
            yield LayoutChange(name, text, moves=True)
        for renamed in () if text else _renamed(before, old, after, new):
            yield LayoutChange(name, renamed, moves=False)


def _difference(before: _Types, old: Type, after: _Types, new: Type) -> str:
    left, right = _places(before, old), _places(after, new)
    known = set(right.values())
    for key, place in left.items():
        if key not in right and place not in known:
            return f"its member {key} went"
        if key in right and right[key] != place:
            return f"its member {key} moved or became another type"
    known = set(left.values())
    for key, place in right.items():
        if key not in left and place not in known:
            grew = "in a hole" if old.size == new.size else f"and it grew to {new.size} bytes"
            return f"it has a new member, {key}, {grew}"
    if old.size != new.size:
        return f"its {old.size} bytes became {new.size}"
    return ""


def _renamed(before: _Types, old: Type, after: _Types, new: Type) -> Iterator[str]:
    """Yield what is said of members that have another name at the same place, in the same size."""
    left = _places(before, old)
    now = {place: key for key, place in _places(after, new).items() if key not in left}
    for key, place in left.items():
        if place in now:
            yield f"its member {key} is now called {now[place]}"


def _places(types: _Types, one: Type) -> dict[str, tuple[int, int, str]]:
    """Return where each member lies and what it takes; unnamed ones by their place."""

    def key(member: Member) -> str:
        return member.name or f"at bit {member.offset}"

    return {
        key(member): (member.offset, member.bits, types.footprint(member.type))
        for member in one.members
    }


def _enumerations(before: _Types, after: _Types) -> Iterator[LayoutChange]:
    for name, old in before.enumerations.items():
        new = after.enumerations.get(name)
        if new is None:
            continue
        values = dict(new.values)
        moved = [key for key, value in old.values if values.get(key, value) != value]
        if moved:
            yield LayoutChange(name, f"{moved[0]} has another value", moves=False)
