"""The callbacks that the author of a diff declares in it; ``docs/engine.md`` has the macro.

A pointer to the function in section ``.lph.callbacks.KIND``. Nothing in the kernel reads such a
section; the module's tables get the function.
"""

from __future__ import annotations

from pathlib import Path

from lpharness.base.errors import BuildError
from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation
from lpharness.elf.object_reader import read_object

KINDS = ("pre_patch", "post_patch", "pre_unpatch", "post_unpatch")
_PREFIX = ".lph.callbacks."


def declared_callbacks(patched: Path) -> dict[str, str]:
    """Return the functions that a patched object declares as callbacks, by kind.

    Raises:
        BuildError: a kind is unknown, declared twice, or is no function of the object.
    """
    obj = read_object(patched)
    found: dict[str, str] = {}
    for section in obj.sections:
        if not section.name.startswith(_PREFIX):
            continue
        kind = section.name.removeprefix(_PREFIX)
        if kind not in KINDS:
            raise BuildError(
                f"no such callback: {section.name}", hint=f"there are {', '.join(KINDS)}"
            )
        entries = [e for table in obj.relocation_sections(section) for e in table.entries]
        name = _function(obj, entries[0]) if len(entries) == 1 else None
        if name is None or section.size != obj.bits // 8:
            raise BuildError(
                f"{section.name} has to hold the address of one function of the same file",
                hint="an object has one callback of a kind: call the others from it",
            )
        found[kind] = name
    return found


def _function(obj: Object, entry: Relocation) -> str | None:
    for symbol in obj.symbols:
        if symbol.type != c.STT_FUNC or symbol.section is None or entry.symbol is None:
            continue
        same = symbol is entry.symbol and entry.addend == 0
        inside = symbol.section is entry.symbol.section
        if same or (inside and symbol.value == entry.symbol.value + entry.addend):
            return symbol.name
    return None
