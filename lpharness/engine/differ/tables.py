"""The data of ``sections.toml``: what a section is for, and how its entries look."""

from __future__ import annotations

import fnmatch
import re
from enum import StrEnum
from functools import cache, lru_cache
from importlib import resources

import msgspec
from msgspec import Struct, field

from lpharness.elf.object import Section


class Role(StrEnum):
    """What a section means for a livepatch."""

    CODE = "code"
    DATA = "data"
    """Writable: its live content is the running kernel's state."""
    RODATA = "rodata"
    STRINGS = "strings"
    CONSTANTS = "constants"
    REGENERATED = "regenerated"
    """Made anew for the patch module by the tools that made it here."""
    IGNORED = "ignored"
    """No part of the running kernel."""
    ENTRIES = "entries"
    """An array whose entries belong to functions."""
    CHUNKS = "chunks"
    """Pieces of code that entries and functions refer to by offset."""
    OWN = "own"
    """Data of which a patch brings its own copy."""
    INIT = "init"
    EXIT = "exit"
    FIXED = "fixed"
    """A table that the kernel has read already; it cannot be changed."""
    RESTRICTED = "restricted"
    """Code that runs where a module's code must not."""

    @property
    def named(self) -> bool:
        """Whether what lies there is found again by its name."""
        return self in _NAMED


_NAMED = {
    Role.CODE, Role.DATA, Role.RODATA, Role.INIT, Role.EXIT, Role.FIXED, Role.RESTRICTED
}  # fmt: skip


class Bits(Struct, frozen=True, forbid_unknown_fields=True):
    """A field that holds a line number: a mask at an offset."""

    offset: int
    mask: int


class SectionRule(Struct, frozen=True, forbid_unknown_fields=True):
    """What sections of these names are for."""

    names: tuple[str, ...]
    role: Role
    layout: str = ""
    refusal: str = ""
    why: str = ""
    hint: str = ""
    left_out: str = ""
    """For a table of which a livepatch needs nothing: why a change of it may be left out."""
    prefix: str = ""
    """A regular expression for what its symbols' names begin with."""
    line: Bits | None = None


class LineField(Struct, frozen=True, forbid_unknown_fields=True):
    """Where an entry of one size keeps a line number."""

    offset: int
    width: int
    in_size: int


class ChunkField(Struct, frozen=True, forbid_unknown_fields=True):
    """A field that names code elsewhere, and where the entry keeps that code's length."""

    offset: int
    length_from_end: int


class EntryLayout(Struct, frozen=True, forbid_unknown_fields=True):
    """How one entry of a special section looks."""

    struct: str
    sizes: tuple[int, ...]
    site: int
    compare: bool
    line: LineField | None = None
    chunk: ChunkField | None = None


class OwnNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Static locals of macros, of which a patch brings its own copy."""

    writable: tuple[str, ...]
    constant: tuple[str, ...]
    line: dict[str, Bits] = {}


class Threads(Struct, frozen=True, forbid_unknown_fields=True):
    """How a kernel thread's main function is known."""

    makers: tuple[str, ...]
    """What starts threads is called with it."""
    stays: tuple[str, ...]
    """What one calls that goes on until it is told to stop."""
    returns: tuple[str, ...]
    """What a function that returns may end in, instead of an instruction."""


class Tables(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    section: tuple[SectionRule, ...]
    layout: dict[str, EntryLayout]
    own: OwnNames
    threads: Threads
    lines: dict[str, int] = field(default_factory=dict)


@cache
def tables() -> Tables:
    """Return the tables, read once."""
    text = resources.files(__package__).joinpath("sections.toml").read_bytes()
    return msgspec.toml.decode(text, type=Tables)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], SectionRule], ...]:
    """Each rule's names as one regular expression."""
    return tuple(
        (re.compile("|".join(fnmatch.translate(name) for name in rule.names)), rule)
        for rule in tables().section
    )


@lru_cache(maxsize=1 << 14)
def rule_for(name: str) -> SectionRule | None:
    """Return the first rule that matches a section's name."""
    return next((rule for pattern, rule in _patterns() if pattern.match(name)), None)


_WIDEST_CHARACTER = 4
_WIDEST_CONSTANT = 64  # .rodata.cst64, for AVX-512


def role_of(section: Section) -> Role:
    """Return what a section is for: by its name, else by its flags."""
    rule = rule_for(section.name)
    if rule:
        return rule.role
    if not section.allocated:
        return Role.IGNORED
    if section.executable:
        return Role.CODE
    if section.strings and section.entry_size <= _WIDEST_CHARACTER:
        return Role.STRINGS
    if section.mergeable and 0 < section.entry_size <= _WIDEST_CONSTANT:
        return Role.CONSTANTS
    # .data.rel.ro is written by the loader's relocations only
    if section.writable and not section.name.startswith(".data.rel.ro"):
        return Role.DATA
    return Role.RODATA


def is_plain_data(name: str) -> bool:
    """Whether a section is the compiler's or the kernel's ordinary data.

    Data in other sections is collected into a table by the linker script, so new data there would
    be seen by nobody.
    """
    return name.startswith((".data", ".bss", ".rodata", ".ref.data", "COMMON"))
