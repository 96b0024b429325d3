"""What a livepatch module brings along: `struct klp_patch` as its author wrote it."""

from __future__ import annotations

from msgspec import Struct

VMLINUX = "vmlinux"
ORIGINAL = "original"
"""The version of a function that the kernel, or the target module, came with."""


class ObjectSpec(Struct, frozen=True, kw_only=True):
    """Functions of one object that a patch replaces."""

    name: str = VMLINUX
    """``vmlinux``, or the name of a target module."""
    functions: tuple[str, ...]
    callbacks: bool = False
    """Whether it has all four callbacks."""
    relocations: bool = False
    """Whether it has klp relocations against the target module."""


class PatchSpec(Struct, frozen=True, kw_only=True):
    """One livepatch module."""

    name: str
    objects: tuple[ObjectSpec, ...]
    replace: bool = False
    states: tuple[tuple[int, int], ...] = ()
    """Pairs of id and version (`struct klp_state`)."""
    marked: bool = True
    """Whether it says ``MODULE_INFO(livepatch, "Y")``."""
