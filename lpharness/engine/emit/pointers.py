"""Which new functions' addresses a patch hands out.

The addresses of replaced functions stay the kernel's own (the extraction sees to that). A new one
has no other: whoever stores it must be rid of it before the patch goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, Section
from lpharness.engine.differ.extracted import Extracted
from lpharness.engine.differ.tables import Role, role_of

# x86-64 psABI, table 4.9. Branches are R_X86_64_PLT32; an address is one of these.
_ABSOLUTE = frozenset({1, 10, 11})
_RELATIVE = 2
_RIP = -4
"""Addend of ``lea function(%rip)``, counted from the end of its field."""
_NO_POINTERS = frozenset({Role.ENTRIES, Role.REGENERATED, Role.IGNORED})


def handed_out(extracted: Extracted) -> list[str]:
    """Return the new functions whose address the patch takes: it must not outlive the patch."""
    replaced = {id(one.new) for one in extracted.redirected}
    names = (
        entry.symbol.name
        for entry in _addresses_taken(extracted.object)
        if entry.symbol is not None and id(entry.symbol) not in replaced
    )
    return list(dict.fromkeys(names))


def _addresses_taken(obj: Object) -> Iterator[Relocation]:
    """Yield the relocations that are the address of a function that the object defines."""
    for table in obj.relocation_sections():
        if role_of(table.target) in _NO_POINTERS:
            continue
        for entry in table.entries:
            symbol = entry.symbol
            if symbol is None or symbol.section is None or symbol.type != c.STT_FUNC:
                continue
            if _is_address(entry, table.target):
                yield entry


def _is_address(entry: Relocation, section: Section) -> bool:
    """Whether it is the start of the function: within it lead only jump tables."""
    if entry.type in _ABSOLUTE:
        return entry.addend == 0
    return entry.type == _RELATIVE and section.executable and entry.addend == _RIP
