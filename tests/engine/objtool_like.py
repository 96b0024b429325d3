"""Adds to an object the sections that objtool adds to a kernel object, with the same layouts.

Source: tools/objtool/check.c of Linux 6.1 (create_return_sites_sections and its neighbours) and
arch/x86/include/asm/orc_types.h; the code is our own.
"""

from __future__ import annotations

from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, RelocationSection, Section, Symbol

PC32 = 2
ENDBR = b"\xf3\x0f\x1e\xfa"


def add_objtool_sections(obj: Object) -> None:
    """Add .return_sites, .retpoline_sites, .call_sites, .static_call_sites and ORC."""
    code = [table for table in obj.relocation_sections() if table.target.executable]
    returns, retpolines, calls, static_calls = [], [], [], []
    for table in code:
        for entry in table.entries:
            name = entry.symbol.name if entry.symbol else ""
            place = (table.target, entry.offset - 1)
            if name == "__x86_return_thunk":
                returns.append((place, None))
            elif name.startswith("__x86_indirect_thunk"):
                retpolines.append((place, None))
            elif name.startswith("__SCT__"):
                static_calls.append((place, "__SCK__" + name.removeprefix("__SCT__")))
            elif entry.type == 4:
                calls.append((place, None))
    _add(obj, ".return_sites", 4, c.SHF_ALLOC, returns)
    _add(obj, ".retpoline_sites", 4, c.SHF_ALLOC, retpolines)
    _add(obj, ".call_sites", 4, c.SHF_ALLOC, calls)
    _add(obj, ".static_call_sites", 8, c.SHF_ALLOC | c.SHF_WRITE, static_calls)
    functions = [
        ((symbol.section, symbol.value), None)
        for symbol in obj.symbols
        if symbol.type == c.STT_FUNC and symbol.section
    ]
    sealed = [place for place, _ in functions if place[0].data[place[1] :].startswith(ENDBR)]
    _add(obj, ".ibt_endbr_seal", 4, c.SHF_ALLOC, [(place, None) for place in sealed])
    _add(obj, ".orc_unwind_ip", 4, c.SHF_ALLOC, functions)
    # What an ORC entry says depends on the code; any change there must not show.
    content = b"".join(
        (len(section.data) * 100 + number).to_bytes(6, "little")
        for number, ((section, _), _) in enumerate(functions)
    )
    obj.sections.append(Section(name=".orc_unwind", flags=c.SHF_ALLOC, align=2, data=content))


def _add(
    obj: Object,
    name: str,
    size: int,
    flags: int,
    places: list[tuple[tuple[Section, int], str | None]],
) -> None:
    if not places:
        return
    section = Section(name=name, flags=flags, align=1, data=bytes(size * len(places)))
    table = RelocationSection(
        name=".rela" + name, type=c.SHT_RELA, align=8, entry_size=24, target=section
    )
    for number, ((target, offset), key) in enumerate(places):
        symbol = _section_symbol(obj, target)
        table.entries.append(
            Relocation(offset=number * size, type=PC32, symbol=symbol, addend=offset)
        )
        if key:
            table.entries.append(
                Relocation(offset=number * size + 4, type=PC32, symbol=_named(obj, key), addend=0)
            )
    obj.sections += [section, table]


def _section_symbol(obj: Object, section: Section) -> Symbol:
    for symbol in obj.symbols:
        if symbol.type == c.STT_SECTION and symbol.section is section:
            return symbol
    symbol = Symbol(name="", type=c.STT_SECTION, section=section)
    obj.symbols.insert(0, symbol)
    return symbol


def _named(obj: Object, name: str) -> Symbol:
    found = obj.symbol(name)
    if found is None:
        found = Symbol(name=name, binding=c.STB_GLOBAL)
        obj.symbols.append(found)
    return found
