"""A translation unit: one file that kbuild compiles, with the very command it would use."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from msgspec import Struct

from lpharness.base.errors import HostError
from lpharness.kernels.symbols import VMLINUX

_COMPILES = re.compile(r"\s-c -o (?P<object>\S+) (?P<source>\S+)")
_MODNAME = re.compile(r"-DKBUILD_MODNAME='?\"([^\"']+)\"'?")


class Unit(Struct, frozen=True, kw_only=True):
    """One object file of the kernel or of a module."""

    source: str
    """Path in the tree, for example ``fs/ext4/mballoc.c``."""
    object: str
    """Likewise: ``fs/ext4/mballoc.o``."""
    module: bool
    """Whether it is part of a module."""
    name: str
    """``KBUILD_MODNAME``: the module's name, or what would be if it were one."""
    command: str
    """kbuild's own command, run in the top of the tree: compiler, then objtool."""
    folder: str
    """Where kbuild's makefile for it is, for example ``fs/ext4``."""

    @property
    def object_name(self) -> str:
        """The object it is part of, as livepatch names objects: ``vmlinux`` or a module."""
        return self.name.replace("-", "_") if self.module else VMLINUX

    def with_flags(self, *flags: str) -> str:
        """Return the command with flags added after all others."""
        at = self._compiles().start()
        return " ".join((self.command[:at], *flags)) + self.command[at:]

    def preprocessing(self, *flags: str) -> str:
        """Return the compiler's command for the same source, but with ``flags`` for its task."""
        match = self._compiles()
        return " ".join((self.command[: match.start()], *flags, match["source"]))

    def _compiles(self) -> re.Match[str]:
        match = _COMPILES.search(self.command)
        if match is None:
            raise HostError(f"{self.source}: unknown form of command: {self.command[:200]}")
        return match


def module_name(command: str) -> str:
    """Return the module's name that a compiler command passes on."""
    match = _MODNAME.search(command)
    return match[1] if match else ""


def left_by_a_build(wanted: str) -> tuple[str, ...]:
    """Return the files that a build of the tree left for an object, itself among them.

    For kbuild they would say that there is nothing to do; and where they are links into the tree,
    a compiler would write into it.
    """
    path = PurePosixPath(wanted)
    return (wanted, *(str(path.with_name(f".{path.name}.{end}")) for end in ("cmd", "d")))
