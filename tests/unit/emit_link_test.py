"""Joining cut-out objects with the module of kbuild: what `ld -r` does, less what it must not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.base.errors import HostError
from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, RelocationSection, Section, Symbol
from lpharness.elf.object_reader import parse_object
from lpharness.elf.writer import save_object, write_object
from lpharness.engine.emit.link import Part, join

AX = c.SHF_ALLOC | c.SHF_EXECINSTR
PC32, PLT32, ABS64 = 2, 4, 1


def table(target: Section, *entries: Relocation) -> RelocationSection:
    return RelocationSection(
        name=f".rela{target.name}", type=c.SHT_RELA, flags=c.SHF_INFO_LINK, align=8,
        entry_size=24, target=target, entries=list(entries),
    )  # fmt: skip


def frame(*imports: str) -> tuple[Object, Symbol]:
    """A module with a pointer to a stand-in, and a bug table of its own."""
    data = Section(name=".data", flags=c.SHF_ALLOC | c.SHF_WRITE, align=8, data=bytes(8))
    bugs = Section(name="__bug_table", flags=c.SHF_ALLOC | c.SHF_WRITE, data=b"m" * 12)
    stand_in = Symbol(name="lph_stand_in_0", binding=c.STB_WEAK)
    symbols = [stand_in, *(Symbol(name=name, binding=c.STB_GLOBAL) for name in imports)]
    pointer = table(data, Relocation(offset=0, type=ABS64, symbol=stand_in))
    return Object(sections=[data, bugs, pointer], symbols=symbols), stand_in


def part(
    *, source: str = "a.c", owner: str = "vmlinux", kernel: str = "hidden", field: bytes = bytes(4)
) -> tuple[Part, Symbol]:
    """A function that calls an import and one of the kernel's own, with a bug table entry."""
    text = Section(name=".text.f", flags=AX, align=16, data=b"\xe8" + bytes(4) + b"\xe8" + field)
    bugs = Section(name="__bug_table", flags=c.SHF_ALLOC | c.SHF_WRITE, align=4, data=b"p" * 12)
    anchor = Symbol(name="", type=c.STT_SECTION, section=text)
    bug_anchor = Symbol(name="", type=c.STT_SECTION, section=bugs)
    new = Symbol(name="f", type=c.STT_FUNC, section=text, size=10)
    imported = Symbol(name="kfree", binding=c.STB_GLOBAL)
    hidden = Symbol(name=kernel, binding=c.STB_GLOBAL)
    obj = Object(
        sections=[
            text,
            bugs,
            table(
                text,
                Relocation(offset=1, type=PLT32, symbol=imported, addend=-4),
                Relocation(offset=6, type=PLT32, symbol=hidden, addend=-4),
            ),
            table(
                bugs,
                Relocation(offset=0, type=PC32, symbol=anchor, addend=5),
                Relocation(offset=4, type=PC32, symbol=bug_anchor, addend=2),
            ),
        ],
        symbols=[anchor, bug_anchor, new, imported, hidden],
    )
    late = {id(hidden)} if owner != "vmlinux" else set()
    named = {id(hidden): f".klp.sym.{owner}.{kernel},0"}
    made = Part(source=source, object_name=owner, object=obj, livepatch=named, late=late)
    return made, new


def test_sections_of_one_name_become_one_and_all_that_refers_to_them_moves() -> None:
    module, stand_in = frame("kfree")
    made, new = part()
    join(module, [made], {stand_in.name: new})
    read = parse_object(write_object(module))
    names = [section.name for section in read.sections]
    assert len(names) == len(set(names))
    bugs = read.section("__bug_table")
    assert bugs is not None
    assert (bugs.data, bugs.align) == (b"m" * 12 + b"p" * 12, 4)
    (entries,) = [rela.entries for rela in read.relocation_sections(bugs)]
    assert [(entry.offset, entry.addend) for entry in entries] == [(12, 5), (16, 14)]
    assert entries[1].symbol is not None
    assert entries[1].symbol.section is bugs


def test_what_the_module_declares_is_what_the_part_defines() -> None:
    module, stand_in = frame("kfree")
    made, new = part()
    join(module, [made], {stand_in.name: new})
    read = parse_object(write_object(module))
    assert read.symbol(stand_in.name) is None
    data = read.section(".data")
    (pointer,) = [entry for rela in read.relocation_sections(data) for entry in rela.entries]
    assert pointer.symbol is read.symbol("f")


@pytest.mark.parametrize("owner", ["vmlinux", "ext4"])
def test_livepatch_relocations_are_the_livepatch_cores(owner: str, tmp_path: Path) -> None:
    module, stand_in = frame("kfree")
    made, new = part(owner=owner)
    join(module, [made], {stand_in.name: new})
    read = parse_object(write_object(module))
    text = read.section(".text.f")
    plain, livepatch = read.relocation_sections(text)
    assert livepatch.name == f".klp.rela.{owner}..text.f"
    assert livepatch.flags == c.SHF_ALLOC | c.SHF_RELA_LIVEPATCH
    assert [entry.symbol and entry.symbol.name for entry in plain.entries] == ["kfree"]
    (entry,) = livepatch.entries
    assert entry.symbol is not None
    assert entry.symbol.name == f".klp.sym.{owner}.hidden,0"
    assert entry.symbol.reserved == c.SHN_LIVEPATCH
    path = tmp_path / "joined.ko"
    save_object(module, path)
    listed = subprocess.run(
        ["readelf", "-aW", path], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
    )
    assert listed.stderr == ""
    assert f".klp.sym.{owner}.hidden,0" in listed.stdout


def test_one_symbol_for_all_parts_that_need_it() -> None:
    module, stand_in = frame("kfree")
    first, new = part(source="a.c")
    second, _ = part(source="b.c")
    join(module, [first, second], {stand_in.name: new})
    names = [symbol.name for symbol in module.symbols]
    assert names.count(".klp.sym.vmlinux.hidden,0") == 1
    assert names.count("kfree") == 1
    assert names.count("f") == 2  # locals of two files
    text = module.section(".text.f")
    assert text is not None
    assert len(text.data) == 16 + 10


def test_a_field_that_the_kernel_would_take_for_relocated() -> None:
    module, stand_in = frame("kfree")
    made, new = part(field=b"\1\0\0\0")
    with pytest.raises(HostError, match=r"\.text\.f\+0x6 is not zero"):
        join(module, [made], {stand_in.name: new})


def test_what_nothing_defines() -> None:
    module, stand_in = frame()  # kbuild did not give kfree a version
    made, new = part()
    with pytest.raises(HostError, match="nothing defines kfree"):
        join(module, [made], {stand_in.name: new})


def test_a_stand_in_that_nothing_replaces() -> None:
    module, _ = frame("kfree")
    made, _ = part()
    with pytest.raises(HostError, match="still lacks lph_stand_in_0"):
        join(module, [made], {})


def test_code_and_data_of_one_name() -> None:
    module, stand_in = frame("kfree")
    made, new = part()
    module.sections[0].name = ".text.f"
    with pytest.raises(HostError, match="different kinds"):
        join(module, [made], {stand_in.name: new})


@given(sizes=st.lists(st.tuples(st.integers(1, 40), st.sampled_from([1, 2, 4, 8, 16, 64]))))
def test_every_byte_and_symbol_is_found_again(sizes: list[tuple[int, int]]) -> None:
    module, stand_in = frame("kfree")
    made, new = part()
    parts = [made]
    for number, (size, align) in enumerate(sizes):
        section = Section(
            name=".rodata", flags=c.SHF_ALLOC, align=align, data=bytes([number % 256]) * size
        )
        symbol = Symbol(name=f"d{number}", type=c.STT_OBJECT, section=section, size=size)
        obj = Object(sections=[section], symbols=[symbol])
        parts.append(Part(source=f"{number}.c", object_name="vmlinux", object=obj))
    join(module, parts, {stand_in.name: new})
    read = parse_object(write_object(module))
    for number, (size, align) in enumerate(sizes):
        found = read.symbol(f"d{number}")
        assert found is not None
        assert found.section is not None
        assert found.value % align == 0
        assert found.section.align % align == 0
        content = found.section.data[found.value : found.value + size]
        assert content == bytes([number % 256]) * size


def test_the_address_of_something_without_a_size() -> None:
    """A lock_class_key on a kernel without lockdep; met in fs/udf/super.c."""
    module, stand_in = frame("kfree")
    made, new = part()
    key = Section(name=".bss.__key.58", type=c.SHT_NOBITS, flags=c.SHF_ALLOC | c.SHF_WRITE)
    anchor = Symbol(name="", type=c.STT_SECTION, section=key)
    made.object.sections.append(key)
    made.object.symbols.append(anchor)
    text = made.object.section(".text.f")
    (calls,) = made.object.relocation_sections(text)
    calls.entries.append(Relocation(offset=2, type=11, symbol=anchor))
    join(module, [made], {stand_in.name: new})
    read = parse_object(write_object(module))
    plain, _ = read.relocation_sections(read.section(".text.f"))
    assert plain.entries[-1].symbol is not None
    assert plain.entries[-1].symbol.section is read.section(".bss.__key.58")
