"""What an object is made of, as the differ sees it: pieces, and what they refer to."""

from __future__ import annotations

from dataclasses import dataclass, field

from lpharness.elf import constants as c
from lpharness.elf.object import Section, Symbol
from lpharness.engine.differ.tables import EntryLayout, Role


@dataclass(eq=False, slots=True)
class Atom:
    """One piece of a section."""

    section: Section
    start: int
    end: int
    role: Role
    symbols: list[Symbol] = field(default_factory=list)
    """What names it, the best name first; empty for a stretch without a name."""
    file: int = 0
    """Which of the object's source files its local name belongs to."""

    @property
    def name(self) -> str:
        """The name, or where it lies."""
        return self.symbols[0].name if self.symbols else f"{self.section.name}+{self.start:#x}"

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start

    @property
    def is_function(self) -> bool:
        """Whether it is code with a name."""
        return self.section.executable and bool(self.symbols) and self.role is not Role.CHUNKS

    @property
    def is_global(self) -> bool:
        """Whether another object may refer to it."""
        return any(not symbol.local for symbol in self.symbols)

    @property
    def zeroed(self) -> bool:
        """Whether it is memory that begins as zeros and takes no room in the file."""
        return self.section.type == c.SHT_NOBITS

    @property
    def data(self) -> bytes:
        """The content; nothing where the file has none, and memory is zeroed."""
        if self.zeroed:
            return b""
        return self.section.data[self.start : self.end]

    def __repr__(self) -> str:
        return f"<Atom {self.name} {self.role}>"


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference names: a place in a piece of this object, or a symbol of another."""

    atom: Atom | None
    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A field that is filled with the address of something."""

    offset: int
    """From the start of the piece."""
    width: int
    type: int
    """The relocation's type, synonyms folded; `BRANCH` for one the assembler resolved."""
    target: Target
    raw_type: int
    """The relocation's type as it stands in the object."""
    by_section: bool
    """Whether the relocation names a section, and the place in it by its addend; objtool insists
    on that in its annotations."""
    bias: int
    """What the relocation's addend lacks, since the processor counts from the instruction's end."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a special section."""

    layout: EntryLayout
    section: Section
    index: int
    data: bytes
    references: tuple[Reference, ...]
    owner: Atom | None
    """The function (or chunk of code) that it is for."""
    site: int
    """The place in the owner."""

    @property
    def table(self) -> str:
        """The special section's name."""
        return self.section.name
