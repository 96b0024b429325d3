"""The tables of other builders' modules are read as their own code reads them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from elf_support import Func, Obj, Shape, compile_source, source

from lpharness.base.errors import InputError
from lpharness.elf.livepatch import read_livepatch
from lpharness.elf.reader import Elf
from lpharness.engine.inspect import inspect

# A module that puts its klp_patch together at load, from a table.
FRAME = source(Shape([Obj(None, [Func("x")])])).replace(
    "static struct klp_patch patch = { &__this_module, objs", "struct klp_patch patch = { 0, 0"
)

KPATCH = """
struct kpatch_patch_func { ulong new_addr, new_size, old_addr, old_size, sympos;
	const char *name, *objname; };
int new_one(int x) { return x + 1; }
int new_two(int x) { return x + 2; }
void before(void *o) { (void)o; }
__attribute__((section(".kpatch.funcs"), used)) static struct kpatch_patch_func funcs[] = {
	{ (ulong)new_one, 4, 0, 4, 0, "one", "vmlinux" },
	{ (ulong)new_two, 4, 0, 4, 2, "two", "ext4" } };
__attribute__((section(".kpatch.callbacks.pre_patch"), used))
static struct { void *callback; const char *objname; } callbacks[] = { { before, "ext4" }, { 0 } };
"""

KLP_BUILD = """
struct klp_func_ext { const char *old_name; void *new_func; ulong sympos; };
struct klp_object_ext { const char *name; struct klp_func_ext *funcs;
	struct klp_callbacks callbacks; unsigned int nr_funcs; };
int new_one(int x) { return x + 1; }
int new_two(int x) { return x + 2; }
int new_three(int x) { return x + 3; }
void after(void *o) { (void)o; }
__attribute__((section(".init.klp_funcs"), used)) static struct klp_func_ext funcs[] = {
	{ "one", new_one, 0 }, { "two", new_two, 3 }, { "three", new_three, 1 } };
__attribute__((section(".init.klp_objects"), used)) static struct klp_object_ext table[] = {
	{ 0, funcs, { 0 }, 2 }, { "ext4", funcs + 2, { .post_unpatch = after }, 1 } };
"""


def test_a_module_of_kpatch_build(tmp_path: Path) -> None:
    read = read_livepatch(compile_source(FRAME + KPATCH, tmp_path))
    assert [(f.object, f.old, f.sympos, f.new) for f in read.functions] == [
        ("vmlinux", "one", 0, "new_one"),
        ("ext4", "two", 2, "new_two"),
    ]
    assert {o.name: o.callbacks for o in read.objects} == {
        "vmlinux": {},
        "ext4": {"pre_patch": "before"},
    }
    assert read.patch is not None
    assert (read.patch.table, read.patch.replace) == (".kpatch.funcs", None)


def test_a_module_of_klp_build(tmp_path: Path) -> None:
    read = read_livepatch(compile_source(FRAME + KLP_BUILD, tmp_path))
    assert [(f.object, f.old, f.sympos, f.new) for f in read.functions] == [
        ("vmlinux", "one", 0, "new_one"),
        ("vmlinux", "two", 3, "new_two"),
        ("ext4", "three", 1, "new_three"),
    ]
    assert read.objects[1].callbacks == {"post_unpatch": "after"}
    assert read.patch is not None
    assert (read.patch.table, read.patch.replace) == (".init.klp_objects", None)


@pytest.mark.parametrize("table", [KPATCH, KLP_BUILD])
def test_they_are_inspected_like_any_other(table: str, tmp_path: Path) -> None:
    inspection = inspect(compile_source(FRAME + table, tmp_path))
    assert inspection.problems == ()
    assert inspection.unknown == ()
    assert [fit.old for fit in inspection.fits][:2] == ["one", "two"]


def test_a_patch_in_the_data_goes_before_a_table(tmp_path: Path) -> None:
    text = source(Shape([Obj(None, [Func("right")])]))
    read = read_livepatch(compile_source(text + KPATCH, tmp_path))
    assert [f.old for f in read.functions] == ["right"]


def test_a_table_that_claims_more_functions_than_can_be(tmp_path: Path) -> None:
    path = compile_source(FRAME + KLP_BUILD, tmp_path)
    data = bytearray(path.read_bytes())
    section = Elf(bytes(data), path).section(".init.klp_objects")
    assert section is not None
    struct.pack_into("<I", data, section.offset + 56, 0xFFFFFFFF)  # nr_funcs
    path.write_bytes(data)
    with pytest.raises(InputError, match="claims 4294967295 functions: damaged"):
        read_livepatch(path)


def test_a_table_that_takes_no_room_in_the_file(tmp_path: Path) -> None:
    path = compile_source(FRAME + KPATCH, tmp_path)
    data = bytearray(path.read_bytes())
    elf = Elf(bytes(data), path)
    section = elf.section(".kpatch.funcs")
    assert section is not None
    (table,) = struct.unpack_from("<Q", data, 40)
    header = table + 64 * section.number
    struct.pack_into("<I", data, header + 4, 8)  # sh_type: SHT_NOBITS
    struct.pack_into("<Q", data, header + 32, 1 << 60)  # sh_size
    path.write_bytes(data)
    with pytest.raises(InputError, match="entries: damaged"):
        read_livepatch(path)
