"""New functions whose address a patch hands out."""

from __future__ import annotations

import pytest

from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, RelocationSection, Section, Symbol
from lpharness.engine.differ.extracted import Extracted, Origin, Redirected
from lpharness.engine.emit.pointers import handed_out

AX = c.SHF_ALLOC | c.SHF_EXECINSTR


@pytest.mark.parametrize(
    ("section", "type_", "addend", "out"),
    [
        (".text.g", 11, 0, True),  # mov $f, %rdi
        (".text.g", 2, -4, True),  # lea f(%rip), %rdi
        (".data", 1, 0, True),
        (".text.g", 4, -4, False),  # call f
        (".rodata", 1, 24, False),  # a jump table's entry
        ("__mcount_loc", 1, 0, False),
        (".orc_unwind_ip", 2, 0, False),
    ],
)
@pytest.mark.parametrize("replaced", [False, True])
def test_addresses(section: str, type_: int, addend: int, out: bool, replaced: bool) -> None:
    text = Section(name=".text.f", flags=AX, data=bytes(64))
    new = Symbol(name="f", type=c.STT_FUNC, section=text, size=64)
    flags = AX if section.startswith(".text") else c.SHF_ALLOC
    user = Section(name=section, flags=flags, data=bytes(64))
    entry = Relocation(offset=8, type=type_, symbol=new, addend=addend)
    rela = RelocationSection(name=".rela", type=c.SHT_RELA, target=user, entries=[entry, entry])
    extracted = Extracted(object=Object(sections=[text, user, rela], symbols=[new]))
    if replaced:
        old = Origin("f", local=True, file="a.c", nth=0)
        extracted.redirected.append(Redirected(old=old, new=new))
    assert handed_out(extracted) == (["f"] if out and not replaced else [])
