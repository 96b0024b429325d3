"""Machine code, as far as relocations alone do not tell what it means.

The differ compares bytes with the relocated fields masked. A disassembler is asked only

- where an instruction ends, since a PC-relative field counts from there;
- which branches the assembler has resolved within a section that holds several functions, and so
  has left no relocation for;
- whether a number is a line number handed to a known function;
- for the text of an explanation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple


class Reach(NamedTuple):
    """What an instruction names relative to itself: where a branch goes, an address."""

    target: int
    field: int
    """Offset of the field that holds it, from the start of the instruction."""
    width: int
    """Bytes of that field."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, by its place in the bytes that were decoded."""

    offset: int
    size: int
    text: str
    code: bytes

    @property
    def end(self) -> int:
        """The offset after the instruction."""
        return self.offset + self.size

    @property
    def detail(self) -> Any:
        """The disassembler's own object; dear, so only made where it is asked for."""
        return _detail(self.code, self.offset)

    @property
    def reach(self) -> Reach | None:
        """What it names relative to itself, if it does so directly."""
        may_branch = self.text.startswith(_BRANCHES) and self.text.split(" ")[-1][0].isdigit()
        if not may_branch and "rip" not in self.text:
            return None
        return _reach(self.detail)


# How the names of x86's relative branches begin; the detail then tells for sure
_BRANCHES = ("j", "call", "loop", "xbegin", "bnd ")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The instructions of a piece of code."""

    instructions: tuple[Instruction, ...]
    complete: bool
    """Whether every byte was understood."""

    def at(self, offset: int) -> Instruction | None:
        """Return the instruction that covers an offset."""
        low, high = 0, len(self.instructions)
        while low < high:
            middle = (low + high) // 2
            if self.instructions[middle].end <= offset:
                low = middle + 1
            else:
                high = middle
        if low < len(self.instructions) and self.instructions[low].offset <= offset:
            return self.instructions[low]
        return None


@cache
def _disassembler(detailed: bool) -> Any:
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    engine.detail = detailed
    return engine


def decode(data: bytes, start: int = 0) -> Decoded:
    """Decode x86-64 code that begins at offset ``start``."""
    instructions = tuple(
        Instruction(
            offset=at,
            size=size,
            text=f"{mnemonic} {operands}".strip(),
            code=data[at - start : at - start + size],
        )
        for at, size, mnemonic, operands in _disassembler(False).disasm_lite(data, start)
    )
    reached = instructions[-1].end if instructions else start
    return Decoded(instructions, complete=reached == start + len(data))


@lru_cache(maxsize=4096)
def _detail(code: bytes, offset: int) -> Any:
    return next(_disassembler(True).disasm(code, offset, 1))


def _reach(found: Any) -> Reach | None:
    from capstone import x86

    if found.group(x86.X86_GRP_BRANCH_RELATIVE):
        target = found.operands[0].imm & 0xFFFFFFFFFFFFFFFF
        if target >= 1 << 63:
            target -= 1 << 64
        return Reach(target, found.imm_offset, found.imm_size)
    if found.disp_size == 4 and any(
        operand.type == x86.X86_OP_MEM and operand.mem.base == x86.X86_REG_RIP
        for operand in found.operands
    ):
        return Reach(found.address + found.size + found.disp, found.disp_offset, 4)
    return None
