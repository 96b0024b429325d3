"""What an extraction gives: the reduced object, and what is left for a resolver to find."""

from __future__ import annotations

from dataclasses import dataclass, field

from lpharness.elf import constants as c
from lpharness.elf.object import Object, Symbol
from lpharness.engine.differ.pieces import Atom
from lpharness.engine.differ.view import View


@dataclass(frozen=True, slots=True)
class Origin:
    """A symbol of the original object, told apart from others of its name."""

    name: str
    local: bool
    file: str
    """The source file whose local it is, as ``STT_FILE`` has it; empty for globals."""
    nth: int
    """Which of the object's symbols of that name it is, from 0, in the order of its table."""


@dataclass(slots=True, kw_only=True)
class Redirected:
    """A function of the kernel that the livepatch redirects."""

    old: Origin
    new: Symbol
    """Its new code, in the extracted object."""


@dataclass(slots=True, kw_only=True)
class Wanted:
    """An undefined symbol of the extracted object that is to be resolved."""

    symbol: Symbol
    origin: Origin | None
    """What it is in the original object; ``None`` if that, too, takes it from elsewhere."""


@dataclass(slots=True, kw_only=True)
class Extracted:
    """The reduced object, and what is left to resolve."""

    object: Object
    redirected: list[Redirected] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    needs_objtool: bool = False
    """Whether objtool has yet to run on it: the patched object had no unwind table of its own."""


def origin_of(view: View, atom: Atom) -> Origin:
    """Return how to find a piece's symbol among others of its name."""
    wanted = atom.symbols[0]
    file, current, nth = "", "", 0
    for symbol in view.object.symbols:
        if symbol.type == c.STT_FILE:
            current = symbol.name
        if symbol is wanted:
            file = current
            break
        if symbol.name == wanted.name and symbol.section is not None:
            nth += 1
    return Origin(name=wanted.name, local=wanted.local, file=file if wanted.local else "", nth=nth)
