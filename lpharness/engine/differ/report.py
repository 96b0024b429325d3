"""The differ's answer as a document (``lpharness diff --json``); ``docs/differ.md`` explains it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

SCHEMA = 1


class Answer(StrEnum):
    """What can be done with the change."""

    UNCHANGED = "unchanged"
    """No change in what the code means; there is nothing to patch."""
    PATCHABLE = "patchable"
    REFUSED = "refused"


class FunctionState(StrEnum):
    """What became of a function."""

    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"
    UNCHANGED = "unchanged"


class DataState(StrEnum):
    """What becomes of a piece of data."""

    TAKEN = "taken"
    """A copy goes into the patch: read-only data, or what macros remember."""
    NEW = "new"
    CHANGED = "changed"
    GONE = "gone"


class Why(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a function is taken: the first thing that differs, or who needs it."""

    kind: str
    """``bytes``, ``size``, ``reference``, ``entries``, ``section``: what differs first.
    ``child``: its ``.cold`` part differs; ``data``: it refers to read-only data that changed;
    ``callee``: it calls a function that changed and cannot be patched itself."""
    text: str
    offset: int | None = None
    """Bytes from the start of the original function."""
    original: str = ""
    """The original instruction there."""
    patched: str = ""


class Function(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One function of the objects."""

    name: str
    """In the original object; in the patched one if it is new."""
    state: FunctionState
    source: str
    """The name in the source: clones and parts belong to a function of the source."""
    patched_name: str = ""
    """Its name in the patched object, where the compiler numbered it otherwise."""
    aliases: tuple[str, ...] = ()
    section: str = ""
    exported: bool = False
    """Whether it is visible to other objects."""
    size: int = 0
    """Bytes, in the original object."""
    patched_size: int = 0
    taken: bool = False
    """Whether its patched code goes into the livepatch."""
    replaces: bool = False
    """Whether the livepatch redirects the original function."""
    parent: str = ""
    """For a ``.cold`` part: the function it was split off."""
    why: Why | None = None
    line_numbers: bool = False
    """Whether it differs in nothing but line numbers."""


class Data(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One variable, constant or string that matters for the patch."""

    name: str
    state: DataState
    section: str
    size: int
    patched_size: int = 0
    why: str = ""
    needed_by: tuple[str, ...] = ()


class Special(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A special section of the patched object."""

    section: str
    entry: str
    """What one entry is, as the kernel declares it."""
    entry_size: int
    entries: int
    kept: int
    """How many entries belong to functions that are taken."""


class Refusal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a livepatch cannot bring about."""

    kind: str
    """A stable word; ``docs/differ.md`` lists them."""
    subject: str
    section: str = ""
    reason: str
    hint: str
    callers: tuple[str, ...] = ()
    """Functions that could be patched instead."""


class ObjectFile(Struct, frozen=True, kw_only=True):
    """One of the two objects."""

    path: str
    sha256: str
    compiler: str


class DiffReport(Struct, frozen=True, kw_only=True):
    """What differs between two relocatable objects, and whether a livepatch can bring it about."""

    schema: int = SCHEMA
    machine: str
    original: ObjectFile
    patched: ObjectFile
    answer: Answer
    functions: tuple[Function, ...] = ()
    """The changed, new and gone ones, and those that differ in line numbers only."""
    unchanged: tuple[str, ...] = ()
    data: tuple[Data, ...] = ()
    special: tuple[Special, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    types_compared: bool = False
    """Whether both objects carry types (``-gbtf``), so that structures' layouts were compared."""
    left_out: dict[str, str] = {}
    """Sections that were not compared, and why."""

    def named(self, name: str) -> Function | None:
        """Return what is said of a function, by its name in either object."""
        return next((f for f in self.functions if name in (f.name, f.patched_name)), None)
