"""What the differ has to know of an architecture."""

from __future__ import annotations

from dataclasses import dataclass

from lpharness.base.errors import HostError
from lpharness.elf import constants as c
from lpharness.elf.object import Object


class CannotJudge(HostError):
    """The differ does not know enough to answer; it says so instead of guessing."""


@dataclass(frozen=True)
class Machine:
    """The relocations of an architecture."""

    name: str
    widths: dict[int, int]
    """Bytes that each relocation type fills."""
    pc_relative: frozenset[int]
    """The types that count from the place they fill."""
    same: dict[int, int]
    """Types that mean the same as another (a call through a PLT that no kernel has)."""
    none: int
    """The type that does nothing."""
    branch: int
    """The type of direct calls and jumps; anything else hands out an address."""
    tracer: tuple[str, ...]
    """The functions that a traceable function calls first."""


# The psABI, table 4.9
X86_64 = Machine(
    name="x86-64",
    widths={
        1: 8, 2: 4, 3: 4, 4: 4, 9: 4, 10: 4, 11: 4, 12: 2, 13: 2, 14: 1, 15: 1,
        17: 8, 18: 8, 22: 4, 23: 4, 24: 8, 26: 4, 32: 4, 33: 8, 41: 4, 42: 4,
    },
    pc_relative=frozenset({2, 4, 9, 13, 15, 22, 24, 26, 41, 42}),
    same={4: 2, 41: 9, 42: 9},
    none=0,
    branch=4,
    tracer=("__fentry__", "mcount"),
)  # fmt: skip

BRANCH = -1
"""A branch that the assembler has resolved within its section, and so left no relocation for."""


def machine_of(obj: Object) -> Machine:
    """Return what is known of the object's architecture.

    Raises:
        CannotJudge: it is one whose code the differ cannot compare yet.
    """
    if obj.machine == c.EM_X86_64 and obj.bits == 64 and obj.little_endian:
        return X86_64
    raise CannotJudge(
        f"objects for {obj.machine_name} can be read, but the differ cannot judge their code yet",
        hint="only x86-64 objects can be compared",
    )
