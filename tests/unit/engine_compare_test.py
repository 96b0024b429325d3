"""Two modules side by side: what is said to differ does, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from elf_foreign_test import FRAME, KPATCH
from elf_support import Func, Obj, Shape, compile_source, module, source

from lpharness.base.errors import InputError
from lpharness.engine.compare import Code, Comparison, compare

SHAPE = Shape([Obj(None, [Func("one"), Func("two", 2)]), Obj("ext4", [Func("three")])])


def made(shape: Shape, folder: Path) -> Path:
    folder.mkdir()
    return module(shape, folder)


def compared(left: Shape, right: Shape, folder: Path) -> Comparison:
    return compare(made(left, folder / "a"), made(right, folder / "b"))


def test_a_module_is_like_itself(tmp_path: Path) -> None:
    path = made(SHAPE, tmp_path / "a")
    comparison = compare(path, path)
    assert comparison.alike
    assert [(f.object, f.old, f.code) for f in comparison.functions] == [
        ("ext4", "three", Code.SAME),
        ("vmlinux", "one", Code.SAME),
        ("vmlinux", "two", Code.SAME),
    ]
    assert comparison.a == comparison.b
    assert all(one.a == one.b for one in comparison.references)
    assert all(one.a == one.b for one in comparison.sections)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ([Obj(None, [Func("one"), Func("two", 2)])], "only A replaces ext4:three"),
        ([Obj(None, [Func("one"), Func("two", 3)]), Obj("ext4", [Func("three")])],
         "vmlinux:two: sympos 2 in A, 3 in B: not the same function"),
        ([Obj(None, [Func("two", 2), Func("one")]), Obj("ext4", [Func("three")])],
         "the new one is not the same code"),
        ([Obj(None, [Func("one"), Func("two", 2)], ["pre_patch"]), Obj("ext4", [Func("three")])],
         "they call different callbacks"),
    ],
)  # fmt: skip
def test_what_differs_is_said(other: list[Obj], says: str, tmp_path: Path) -> None:
    comparison = compared(SHAPE, replace(SHAPE, objects=other), tmp_path)
    assert not comparison.alike
    assert says in "\n".join(comparison.differences)


def test_replace_differs(tmp_path: Path) -> None:
    comparison = compared(SHAPE, replace(SHAPE, replace=True), tmp_path)
    assert comparison.differences == ("only B replaces all earlier livepatches",)


CODE = """
int helper(int); int printk(const char *, ...); static int count;
int new_0_0(int x) {{ printk("{text}"); {first}; return {call}(x) + count++; }}
"""


def with_code(folder: Path, *, text: str = "hello", first: str = "", call: str = "helper") -> Path:
    folder.mkdir()
    shape = source(Shape([Obj(None, [Func("one")])])).replace(
        "int new_0_0(int x) { return x + 0; }", CODE.format(text=text, first=first, call=call)
    )
    return compile_source(shape, folder)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, Code.SAME),
        ({"text": "hallo"}, Code.DIFFERS),
        ({"call": "printk((void *)0), helper"}, Code.DIFFERS),
        ({"call": "other"}, Code.DIFFERS),
        ({"first": "x ^= 5"}, Code.DIFFERS),
    ],
)
def test_code_is_the_same_if_it_refers_to_the_same(
    change: dict[str, str], code: Code, tmp_path: Path
) -> None:
    text = {"call": "helper", **change}
    if text["call"] == "other":
        (tmp_path / "b").mkdir()
        shape = source(Shape([Obj(None, [Func("one")])])).replace(
            "int new_0_0(int x) { return x + 0; }",
            "int other(int);" + CODE.format(text="hello", first="", call="other"),
        )
        right = compile_source(shape, tmp_path / "b")
    else:
        right = with_code(tmp_path / "b", **change)
    comparison = compare(with_code(tmp_path / "a"), right)
    assert [one.code for one in comparison.functions] == [code]
    names = {one.name: (one.a, one.b) for one in comparison.references}
    if text["call"] == "other":
        assert names["helper"] == (("import",), ())
        assert names["other"] == ((), ("import",))


def test_tables_of_two_builders_may_say_the_same(tmp_path: Path) -> None:
    ours = Shape([Obj(None, [Func("one")]), Obj("ext4", [Func("two", 2)])])
    left = made(ours, tmp_path / "a")
    (tmp_path / "b").mkdir()
    table = (
        KPATCH.replace("x + 1", "x + 0").replace("x + 2", "x + 100").replace("{ before,", "{ 0,")
    )
    comparison = compare(left, compile_source(FRAME + table, tmp_path / "b"))
    assert comparison.differences == ()
    assert (comparison.a.table, comparison.b.table) == ("klp_patch", ".kpatch.funcs")
    assert comparison.b.replace is None


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    path = made(SHAPE, tmp_path / "a")
    with pytest.raises(InputError, match="not an ELF file"):
        compare(path, Path("/etc/passwd"))
    with pytest.raises(InputError, match="no such file"):
        compare(tmp_path / "none.ko", path)


def test_what_one_of_them_patches_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    comparison = compare(made(SHAPE, tmp_path / "a"), compile_source(FRAME, tmp_path / "b"))
    assert "what B patches cannot be read" in comparison.differences


def test_names_that_are_no_text_can_be_printed(tmp_path: Path) -> None:
    """Found by fuzzing: a name in an object is any bytes, a document has text."""
    import msgspec

    path = made(SHAPE, tmp_path / "a")
    path.write_bytes(path.read_bytes().replace(b"init_module", b"init_m\xffd\xfele"))
    comparison = compare(path, path)
    assert b"init_m\\\\xffd" in msgspec.json.encode(comparison, enc_hook=str)


def test_the_first_of_a_name_may_be_said_in_two_ways(tmp_path: Path) -> None:
    other = [Obj(None, [Func("one", 1), Func("two", 2)]), Obj("ext4", [Func("three")])]
    comparison = compared(SHAPE, replace(SHAPE, objects=other), tmp_path)
    assert comparison.alike
    assert "kernels before 6.19 take them for two" in comparison.remarks[0]


def test_what_is_referred_to_by_its_section_is_the_same_by_its_name(tmp_path: Path) -> None:
    """As our linker names a static variable, and as ld does."""
    for name, kind in (("a", "static int"), ("b", "int")):
        text = source(Shape([Obj(None, [Func("one")])])).replace(
            "int new_0_0(int x) { return x + 0; }",
            f"{kind} first, counted; int new_0_0(int x) {{ return x + ++counted + ++first; }}",
        )
        (tmp_path / name).mkdir()
        compile_source(text, tmp_path / name)
    comparison = compare(tmp_path / "a/made.ko", tmp_path / "b/made.ko")
    assert [one.code for one in comparison.functions] == [Code.SAME]
