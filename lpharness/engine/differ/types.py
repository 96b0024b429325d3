"""Whether structures lie in memory as they did: what exists in the running kernel does not move.

The code alone does not tell. Where the objects carry BTF (``gcc -gbtf``, which changes no code and
costs no time), every structure that both define is compared. One whose layout changed makes the
patch unsafe if it is anything but a local variable: objects made before the patch have the old one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lpharness.base.hashing import identity
from lpharness.elf.btf import Kind, Member, Type, parse_btf
from lpharness.elf.object import Object

_LOOK_THROUGH = (Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG)


@dataclass(frozen=True, slots=True)
class LayoutChange:
    """A structure or enumeration that is not what it was."""

    name: str
    """With its keyword: ``struct sock``."""
    text: str
    moves: bool
    """Whether existing objects no longer fit; an enumeration's values only are worth a warning."""


def layout_changes(original: Object, patched: Object) -> list[LayoutChange] | None:
    """Return what changed in memory layout, or ``None`` if an object carries no types."""
    left, right = original.section(".BTF"), patched.section(".BTF")
    if left is None or right is None:
        return None
    before, after = _Types(left.data), _Types(right.data)
    return [*_structures(before, after), *_enumerations(before, after)]


class _Types:
    """The types of one object, by keyword and name."""

    def __init__(self, data: bytes) -> None:
        self.all = parse_btf(data)
        self.structures: dict[str, Type] = {}
        self.enumerations: dict[str, Type] = {}
        self._footprints: dict[int, str] = {}
        for one in self.all:
            if one.name and one.members and one.kind in (Kind.STRUCT, Kind.UNION):
                self.structures.setdefault(f"{one.kind.name.lower()} {one.name}", one)
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


def _difference(before: _Types, old: Type, after: _Types, new: Type) -> str:
    left, right = _places(before, old), _places(after, new)
    for key, place in left.items():
        if key not in right:
            return f"its member {key} went"
        if right[key] != place:
            return f"its member {key} moved or became another type"
    for key in right:
        if key not in left:
            grew = "in a hole" if old.size == new.size else f"and it grew to {new.size} bytes"
            return f"it has a new member, {key}, {grew}"
    if old.size != new.size:
        return f"its {old.size} bytes became {new.size}"
    return ""


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
