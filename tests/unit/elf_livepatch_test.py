"""What is read out of a module is what was compiled into it, and damage is always refused."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest
from elf_support import Func, Obj, Shape, compile_source, module, source
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lpharness.base.errors import InputError
from lpharness.elf.livepatch import Livepatch, read_livepatch
from lpharness.elf.reader import SHN_LIVEPATCH, Elf

# A busy machine makes drawing slow, which says nothing of the tests.
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
KINDS = ["pre_patch", "post_patch", "pre_unpatch", "post_unpatch"]

names = st.from_regex(r"[a-z_][a-z0-9_]{0,30}", fullmatch=True)
functions = st.builds(Func, old=names, sympos=st.integers(0, 5))
objects = st.builds(
    Obj,
    name=st.one_of(st.none(), names),
    funcs=st.lists(functions, min_size=1, max_size=4),
    callbacks=st.lists(st.sampled_from(KINDS), unique=True),
)
parts: dict[str, st.SearchStrategy[Any]] = {
    "objects": st.lists(objects, min_size=1, max_size=3),
    "states": st.lists(st.tuples(st.integers(1, 2**64 - 1), st.integers(0, 2**32 - 1)), max_size=2),
    "replace": st.booleans(),
    "decoy": st.booleans(),
}
stock_shapes = st.builds(Shape, **parts)
shapes = st.builds(
    Shape,
    **parts,
    func_size=st.sampled_from([152, 160, 240, 144]),
    object_size=st.sampled_from([168, 176, 256]),
)


def as_shape(read: Livepatch) -> list[tuple[str, list[tuple[str, int, str]], dict[str, str]]]:
    return [
        (o.name, [(f.old, f.sympos, f.new) for f in o.functions], o.callbacks) for o in read.objects
    ]


def wanted(shape: Shape) -> list[tuple[str, list[tuple[str, int, str]], dict[str, str]]]:
    return [
        (
            o.name or "vmlinux",
            [(f.old, f.sympos, f"new_{i}_{j}") for j, f in enumerate(o.funcs)],
            {kind: f"{kind}_{i}" for kind in KINDS if kind in o.callbacks},
        )
        for i, o in enumerate(shape.objects)
    ]


@settings(max_examples=20, deadline=None, suppress_health_check=CHECKS)
@given(shape=shapes)
def test_reads_what_was_compiled_in(shape: Shape) -> None:
    with tempfile.TemporaryDirectory() as folder:
        read = read_livepatch(module(shape, Path(folder)))
    assert as_shape(read) == wanted(shape)
    assert read.patch is not None
    assert [(s.id, s.version) for s in read.patch.states] == shape.states
    assert read.patch.replace is shape.replace
    assert read.patch.symbol == "patch"
    assert (read.marked, read.enables, read.name) == (True, True, "lph_made")
    assert read.patch.func_stride == shape.func_size


@settings(max_examples=15, deadline=None, suppress_health_check=CHECKS)
@given(shape=stock_shapes)
def test_reads_the_stock_layout_without_symbols(shape: Shape) -> None:
    with tempfile.TemporaryDirectory() as folder:
        read = read_livepatch(module(shape, Path(folder), stripped=True))
    assert as_shape(read) == wanted(shape)
    assert read.patch is not None
    assert read.patch.symbol == ""


@pytest.mark.parametrize("size", [144, 160, 240])
def test_reads_another_layout_without_symbols(tmp_path: Path, size: int) -> None:
    two = [Obj(None, [Func("a"), Func("b"), Func("c")]), Obj("mod", [Func("d")])]
    shape = Shape(two, func_size=size, object_size=size + 16)
    read = read_livepatch(module(shape, tmp_path, stripped=True))
    assert as_shape(read) == wanted(shape)
    assert read.patch is not None
    assert (read.patch.func_stride, read.patch.object_stride) == (size, size + 16)


def test_takes_the_patch_that_is_handed_over(tmp_path: Path) -> None:
    text = source(Shape([Obj(None, [Func("right")])])) + (
        'static struct klp_func f2[] = { { "wrong", new_0_0 }, { 0 } };\n'
        "static struct klp_object o2[] = { { 0, f2 }, { 0 } };\n"
        "struct klp_patch a_decoy = { &__this_module, o2 };\n"
    )
    read = read_livepatch(compile_source(text, tmp_path))
    assert [f.old for f in read.functions] == ["right"]


def test_no_patch_in_the_data(tmp_path: Path) -> None:
    text = source(Shape([Obj(None, [Func("x")])])).replace("&__this_module, objs", "0, 0")
    read = read_livepatch(compile_source(text, tmp_path))
    assert read.enables
    assert read.patch is None
    assert read.functions == ()


def test_reads_imports_and_shadow_use(tmp_path: Path) -> None:
    text = source(Shape([Obj(None, [Func("x")])])) + (
        "void *klp_shadow_get(void *, ulong); int weak_one(void) __attribute__((weak));\n"
        "void *use(void) { weak_one(); return klp_shadow_get(0, 1); }\n"
    )
    read = read_livepatch(compile_source(text, tmp_path))
    assert read.shadow == ("klp_shadow_get",)
    weak = {item.name: item.weak for item in read.imports}
    assert weak == {"klp_enable_patch": False, "klp_shadow_get": False, "weak_one": True}


def test_reads_klp_relocations_and_symbols(tmp_path: Path) -> None:
    # The assembler knows no commas in names: they are written with stand-ins of equal length.
    text = source(Shape([Obj("ext4", [Func("x")])])) + (
        "int Zklp_sym_ext4_ext4_sync_fs_2(void); int Zklp_sym_nonsense(void);\n"
        "int call(void) { return Zklp_sym_ext4_ext4_sync_fs_2() + Zklp_sym_nonsense(); }\n"
        '__asm__(".section .klp.rela.ext4..text, \\"1048578\\", @progbits; .zero 72");\n'
        '__asm__(".section .klp.rela.unflagged..text, \\"a\\", @progbits; .zero 24");\n'
    )
    made = compile_source(text, tmp_path)
    data = bytearray(made.read_bytes())
    elf = Elf(bytes(data), made)
    table = next(s for s in elf.sections if s.type == 2)
    for symbol in elf.symbols:
        if symbol.name.startswith("Zklp_sym_"):
            struct.pack_into("<H", data, table.offset + symbol.number * 24 + 6, SHN_LIVEPATCH)
    for stand_in, name in (
        (b"Zklp_sym_ext4_ext4_sync_fs_2", b".klp.sym.ext4.ext4_sync_fs,2"),
        (b"Zklp_sym_nonsense", b".klp.sym.nonsense"),
    ):
        assert len(stand_in) == len(name)
        data = data.replace(stand_in, name)
    made.write_bytes(data)

    read = read_livepatch(made)
    assert [(s.object, s.name, s.sympos) for s in read.klp_symbols] == [("ext4", "ext4_sync_fs", 2)]
    assert [(r.object, r.section, r.count) for r in read.klp_relocations] == [("ext4", ".text", 3)]
    assert len(read.oddities) == 2
    assert "unflagged" in read.oddities[0]
    assert "nonsense" in read.oddities[1]


# --- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not an ELF file"),
        (b"#!/bin/sh\n", "not an ELF file"),
        (b"\x7fELF\x01\x01\x01" + bytes(60), "not a 64-bit"),
        (b"\x7fELF\x02\x01\x01" + bytes(9), "damaged ELF header"),
    ],
)
def test_refuses_other_files(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.ko"
    path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_livepatch(path)


def test_refuses_a_program() -> None:
    with pytest.raises(InputError, match="not a relocatable object"):
        read_livepatch("/bin/true")


def test_refuses_what_is_no_plain_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, says in ((fifo, "not a plain file"), (tmp_path / "none", "no such file")):
        with pytest.raises(InputError, match=says):
            read_livepatch(path)


def test_refuses_a_module_that_is_no_livepatch(tmp_path: Path) -> None:
    plain = (
        "struct m { char x[896]; } __this_module __attribute__((section("
        '".gnu.linkonce.this_module"))) = { "x" };'
    )
    with pytest.raises(InputError, match="not a livepatch"):
        read_livepatch(compile_source(plain, tmp_path))
    with pytest.raises(InputError, match="not a kernel module"):
        read_livepatch(compile_source("int x;", tmp_path))


def test_refuses_structures_that_multiply_the_work(tmp_path: Path) -> None:
    text = source(Shape([Obj(None, [Func(f"f{i}") for i in range(150)])]))
    many = "{ 0, funcs_0 }, " * 150
    text = text.replace("objs[] = { ", "objs[] = { " + many)
    with pytest.raises(InputError, match="more than 20000"):
        read_livepatch(compile_source(text, tmp_path))


def test_refuses_sections_that_share_one_huge_table(sound: bytes, tmp_path: Path) -> None:
    elf = Elf(sound, "sound")
    (start,) = struct.unpack_from("<Q", sound, 40)
    count = len(elf.sections)
    headers = [sound[start + 64 * i : start + 64 * (i + 1)] for i in range(count)]
    of_data = {s.number for s in elf.sections if s.name == ".data"}
    rela = next(headers[s.number] for s in elf.sections if s.type == 4 and s.info in of_data)
    entries = bytes(24 * 1000)
    shared = bytearray(rela)
    struct.pack_into("<QQ", shared, 24, len(sound), len(entries))
    table = b"".join(headers) + bytes(shared) * (6_000 - count)
    data = bytearray(sound + entries + table)
    struct.pack_into("<Q", data, 40, len(sound) + len(entries))
    struct.pack_into("<H", data, 60, 6_000)
    file = tmp_path / "shared.ko"
    file.write_bytes(data)
    with pytest.raises(InputError, match="symbols and relocations: damaged"):
        read_livepatch(file)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    shape = Shape(
        [Obj(None, [Func("a"), Func("b", 2)], KINDS), Obj("mod", [Func("c")])],
        states=[(1, 1)],
    )
    return module(shape, tmp_path_factory.mktemp("sound")).read_bytes()


def try_to_read(data: bytes) -> None:
    """Read damaged bytes: any answer is fine, any error but InputError is not."""
    with tempfile.NamedTemporaryFile(suffix=".ko") as file:
        file.write(data)
        file.flush()
        message = ""
        try:
            read_livepatch(file.name)
        except InputError as error:
            message = error.message
        assert "\n" not in message


def test_every_truncation_is_refused_or_read(sound: bytes) -> None:
    for length in range(0, len(sound), 37):
        try_to_read(sound[:length])


@settings(max_examples=200, deadline=None, suppress_health_check=CHECKS)
@given(data=st.data())
def test_survives_flipped_bytes(sound: bytes, data: st.DataObject) -> None:
    damaged = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    try_to_read(bytes(damaged))


@settings(max_examples=200, deadline=None, suppress_health_check=CHECKS)
@given(data=st.data())
def test_survives_hostile_numbers_in_headers_and_tables(sound: bytes, data: st.DataObject) -> None:
    damaged = bytearray(sound)
    start = struct.unpack_from("<Q", sound, 40)[0]  # e_shoff
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.one_of(st.integers(0, 56), st.integers(start, len(sound) - 8)))
        value = data.draw(st.sampled_from([0, 1, 2**16 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]))
        struct.pack_into("<Q", damaged, min(at, len(sound) - 8), value)
    try_to_read(bytes(damaged))


@settings(max_examples=200, deadline=None, suppress_health_check=CHECKS)
@given(data=st.data())
def test_survives_relocations_that_point_anywhere(sound: bytes, data: st.DataObject) -> None:
    elf = Elf(sound, "sound")
    damaged = bytearray(sound)
    tables = [s for s in elf.sections if s.type == 4 and s.size]
    for _ in range(data.draw(st.integers(1, 6))):
        table = data.draw(st.sampled_from(tables))
        entry = table.offset + 24 * data.draw(st.integers(0, table.size // 24 - 1))
        symbol = data.draw(st.integers(0, len(elf.symbols)))
        addend = data.draw(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 1024))
        struct.pack_into("<Qq", damaged, entry + 8, (symbol << 32) | 1, addend)
    try_to_read(bytes(damaged))
