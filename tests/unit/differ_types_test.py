"""Of which structures two objects tell whether their layout changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from object_pairs import program

from lpharness.elf.object import Object
from lpharness.elf.object_reader import read_object
from lpharness.engine.differ.types import unknown_layouts
from lpharness.sources.ctext import Aggregate

TEXT = """
struct used { int a; };
struct unused { int a; };
typedef struct { int a; } named_t;
static struct { int a; } nameless;
int f(struct used *u, named_t *n) { return u->a + n->a + nameless.a; }
"""


def compiled(folder: Path, text: str, *flags: str) -> Object:
    source = folder / "unit.c"
    source.write_text(text)
    compiler = program("gcc")
    assert compiler
    subprocess.run([compiler, "-O2", *flags, "-c", source, "-o", folder / "unit.o"], check=True)
    return read_object(folder / "unit.o")


def unknown(original: Object, patched: Object) -> list[str]:
    suspects = [
        Aggregate(name, 1, "", tagged)
        for name, tagged in (
            ("struct used", True),
            ("struct unused", True),
            ("struct named_t", False),
            ("struct nameless", False),
        )
    ]
    return list(unknown_layouts(original, patched, suspects))


def test_one_without_any_name_of_a_type_stays_unknown(tmp_path: Path) -> None:
    typed = compiled(tmp_path, TEXT, "-gbtf")
    assert unknown(typed, typed) == ["struct nameless"]


def test_one_that_only_the_patched_object_uses_is_unknown(tmp_path: Path) -> None:
    typed = compiled(tmp_path, TEXT, "-gbtf")
    other = TEXT.replace("struct used *u, ", "").replace("u->a + ", "")
    before = compiled(tmp_path, other, "-gbtf")
    assert unknown(before, typed) == ["struct used", "struct nameless"]
    assert unknown(typed, before) == ["struct nameless"]  # what the new code does not use


def test_without_types_nothing_is_known(tmp_path: Path) -> None:
    bare = compiled(tmp_path, TEXT)
    assert len(unknown(bare, bare)) == 4
