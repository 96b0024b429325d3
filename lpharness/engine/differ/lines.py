"""Tells line numbers that are handed to known functions from numbers that mean something.

A patch moves the lines below it, and ``might_sleep()`` or ``ext4_error()`` pass ``__LINE__`` on.
Only what is certain counts: the instruction loads a number into the register of the argument that
``sections.toml`` lists, and nothing reads that register before the call of the listed function.
"""

from __future__ import annotations

from lpharness.engine.differ.code import Decoded, Instruction
from lpharness.engine.differ.pieces import Atom
from lpharness.engine.differ.tables import tables
from lpharness.engine.differ.view import View

# The System V psABI's integer arguments, as the disassembler names their 32-bit halves
_ARGUMENTS = ("edi", "esi", "edx", "ecx", "r8d", "r9d")
_PARTS = {
    "edi": {"rdi", "edi", "di", "dil"},
    "esi": {"rsi", "esi", "si", "sil"},
    "edx": {"rdx", "edx", "dx", "dl", "dh"},
    "ecx": {"rcx", "ecx", "cx", "cl", "ch"},
    "r8d": {"r8", "r8d", "r8w", "r8b"},
    "r9d": {"r9", "r9d", "r9w", "r9b"},
}
_FURTHEST = 64


def only_line_numbers(view: View, atom: Atom, offsets: list[int]) -> bool:
    """Whether the bytes at these offsets of a function all belong to line numbers."""
    decoded = view.decoded(atom)
    if not decoded.complete:
        return False
    remaining = set(offsets)
    while remaining:
        found = decoded.at(atom.start + min(remaining))
        if found is None or not _is_line_number(view, atom, decoded, found, remaining):
            return False
        remaining -= set(range(found.offset - atom.start, found.end - atom.start))
    return True


def _is_line_number(
    view: View, atom: Atom, decoded: Decoded, found: Instruction, differing: set[int]
) -> bool:
    register = _loads_number(found)
    if register is None:
        return False
    number = found.detail
    field = found.offset - atom.start + number.imm_offset
    inside = {at for at in differing if found.offset <= at + atom.start < found.end}
    if not inside <= set(range(field, field + number.imm_size)):
        return False
    return _reaches_known_call(view, atom, decoded, found, register)


def _loads_number(found: Instruction) -> str | None:
    """Return the argument register that a ``mov $number, register`` fills."""
    from capstone import x86

    detail = found.detail
    if detail.id != x86.X86_INS_MOV or len(detail.operands) != 2 or detail.imm_size != 4:
        return None
    register, number = detail.operands
    if register.type != x86.X86_OP_REG or number.type != x86.X86_OP_IMM:
        return None
    name = str(detail.reg_name(register.reg))
    return name if name in _ARGUMENTS else None


def _reaches_known_call(
    view: View, atom: Atom, decoded: Decoded, start: Instruction, register: str
) -> bool:
    """Follow the straight path to the next call; whether that is one that takes a line there."""
    from capstone import x86

    callees = {
        reference.offset: "" if reference.target.offset else reference.target.name
        for reference in view.references(atom)
    }
    at = start.end
    for _ in range(_FURTHEST):
        found = decoded.at(at)
        if found is None:
            return False
        detail = found.detail
        is_jump = detail.id == x86.X86_INS_JMP
        field = found.end - 4 - atom.start
        # A function's last call may be a jump; one without a relocation stays in the function.
        if detail.group(x86.X86_GRP_CALL) or (is_jump and field in callees):
            wanted = tables().lines.get(callees.get(field, ""))
            return wanted is not None and _ARGUMENTS[wanted - 1] == register
        reach = found.reach
        if is_jump and reach is not None:
            at = reach.target
        elif detail.group(x86.X86_GRP_JUMP) or _touches(found, register):
            return False
        else:
            at = found.end
    return False


def _touches(found: Instruction, register: str) -> bool:
    read, written = found.detail.regs_access()
    names = {str(found.detail.reg_name(number)) for number in (*read, *written)}
    return not names.isdisjoint(_PARTS[register])
