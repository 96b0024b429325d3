"""What came of building a livepatch from a diff, as a document (``lpharness build --json``)."""

from __future__ import annotations

from msgspec import Struct

from lpharness.engine.differ.report import DiffReport
from lpharness.engine.emit.resolve import Resolved
from lpharness.engine.objects import FunctionProof


class Redirect(Struct, frozen=True, kw_only=True):
    """One function that the patch replaces."""

    object: str
    old: str
    sympos: int
    """0 where the object has one of that name only."""
    new: str
    source: str
    """The file it comes from, for example ``fs/proc/cmdline.c``."""


class SectionOrigin(Struct, frozen=True, kw_only=True):
    """A section that one source file gave to the module."""

    name: str
    size: int
    """Bytes."""


class ObjectBuild(Struct, frozen=True, kw_only=True):
    """One source file: what was proved, what differs, what was taken."""

    source: str
    object: str
    """As livepatch names it: ``vmlinux`` or a module."""
    command: str
    """kbuild's own for the original, debug information left out."""
    proved: int
    """Functions that are the shipped kernel's byte for byte..."""
    functions: int
    """...of so many in the object."""
    unproved: tuple[FunctionProof, ...] = ()
    report: DiffReport
    sections: tuple[SectionOrigin, ...] = ()
    references: tuple[Resolved, ...] = ()
    """What the new code refers to, and how it was told."""
    notes: tuple[str, ...] = ()
    warnings: str = ""
    """What the compiler said of the patched source and not of the original."""


class Timing(Struct, frozen=True, kw_only=True):
    """How long a step took."""

    step: str
    seconds: float


class PatchBuild(Struct, frozen=True, kw_only=True):
    """A livepatch module and where everything in it comes from."""

    name: str
    release: str
    diff_sha256: str
    compiler: str
    replace: bool
    forced: bool
    """Whether functions that are not the kernel's own were patched all the same."""
    redirects: tuple[Redirect, ...]
    callbacks: dict[str, dict[str, str]]
    """Object to kind (``pre_patch``…) to function."""
    objects: tuple[ObjectBuild, ...]
    notes: tuple[str, ...] = ()
    timings: tuple[Timing, ...] = ()
    cached: bool = False
