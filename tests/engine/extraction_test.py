"""What is cut out of each patchable object pair is whole, and stands by itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from object_pairs import HERE, compile_pair, load, program

from lpharness.base.errors import BuildError
from lpharness.elf import constants as c
from lpharness.elf.object_reader import parse_object, read_object
from lpharness.elf.writer import save_object, write_object
from lpharness.engine.differ import extract, judge_files
from lpharness.engine.differ.meaning import masked
from lpharness.engine.differ.pieces import Atom
from lpharness.engine.differ.view import View

CASES = [
    pytest.param(folder, compiler, id=f"{folder.name}-{compiler}")
    for folder in sorted(path.parent for path in HERE.glob("*/expect.toml"))
    for compiler in load(folder).compilers
]


def function(view: View, name: str) -> Atom:
    return next(atom for atom in view.atoms if atom.is_function and atom.name == name)


def tokens(view: View, atom: Atom) -> list[tuple[int, int, str, int]]:
    """A function's references as (offset, type, name or content, offset in it)."""
    found = []
    for reference in view.references(atom):
        target = reference.target
        name = target.name if target.atom is None or target.atom.symbols else "anonymous"
        if target.atom and target.atom.section.flags & c.SHF_MERGE:
            name = "constant"
        inside = target.offset - reference.bias if name not in ("anonymous", "constant") else 0
        # A branch that the assembler had resolved has become a relocation
        found.append((reference.offset, max(reference.type, 0) or 2, name, inside))
    return found


def unwinding(view: View, atom: Atom) -> list[tuple[int, bytes]]:
    """A function's ORC entries, as places in it and what they say."""
    places, rows = view.object.section(".orc_unwind_ip"), view.object.section(".orc_unwind")
    assert places is not None
    assert rows is not None
    width = len(rows.data) // (len(places.data) // 4)
    return [
        (reference.target.offset, rows.data[number * width : (number + 1) * width])
        for number, reference in enumerate(view.references_in(places))
        if reference.target.atom is atom
    ]


@pytest.mark.parametrize(("folder", "compiler"), CASES)
def test_extraction(folder: Path, compiler: str, tmp_path: Path) -> None:
    if program(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    expect = load(folder)
    judgement = judge_files(*compile_pair(folder, expect, compiler, tmp_path))
    if expect.answer == "refused":
        with pytest.raises(BuildError):
            extract(judgement)
        return
    result = extract(judgement)
    assert write_object(extract(judgement).object) == write_object(result.object)
    cut = tmp_path / "cut.o"
    save_object(result.object, cut)
    readelf = subprocess.run(["readelf", "-aW", cut], capture_output=True, text=True, check=True)
    assert readelf.stderr == ""
    subprocess.run(["ld", "-r", cut, "-o", tmp_path / "linked.o"], check=True)

    view = View(parse_object(write_object(result.object)))
    for section in view.object.sections:
        for reference in view.references_in(section):
            field = section.data[reference.offset : reference.offset + reference.width]
            assert not any(field), f"{section.name}+{reference.offset:#x}"
    for atom in judgement.taken.values():
        copy = function(view, atom.name)
        assert masked(copy, view.references(copy)) == masked(
            atom, judgement.patched.references(atom)
        )
        assert tokens(view, copy) == tokens(judgement.patched, atom)
        mine = [entry.table for entry in view.entries_of.get(id(copy), ())]
        theirs = [entry.table for entry in judgement.patched.entries_of.get(id(atom), ())]
        if not result.needs_objtool:
            assert mine == theirs
            assert unwinding(view, copy) == unwinding(judgement.patched, atom) != []
        else:
            assert set(mine) <= set(theirs)
    assert {atom.name for atom in view.atoms if atom.is_function} == {
        atom.name for atom in judgement.taken.values()
    }
    undefined = [symbol.name for symbol in view.object.symbols if symbol.undefined]
    assert sorted(undefined) == sorted(wanted.symbol.name for wanted in result.wanted)
    redirected = [one.old.name for one in result.redirected]
    assert sorted(redirected) == sorted(atom.name for atom in judgement.replaced.values())


def test_an_address_that_is_handed_out_stays_the_kernels(tmp_path: Path) -> None:
    folder = HERE / "function-pointer"
    judgement = judge_files(*compile_pair(folder, load(folder), "gcc", tmp_path))
    result = extract(judgement)
    view = View(result.object)
    worker = [r for r in view.references(function(view, "first")) if r.target.name == "worker"]
    pointer, call = worker
    assert pointer.target.atom is None
    assert call.target.atom is function(view, "worker")
    (wanted,) = [one for one in result.wanted if one.symbol.name == "worker"]
    assert wanted.origin is not None
    assert wanted.origin.local


def test_padding_before_functions_comes_along(tmp_path: Path) -> None:
    folder = HERE / "padding"
    judgement = judge_files(*compile_pair(folder, load(folder), "gcc", tmp_path))
    view = View(extract(judgement).object)
    copy = function(view, "second")
    assert copy.start == 16
    assert copy.section.data[:16] == b"\x90" * 16


def test_a_local_is_told_apart_from_its_namesakes(tmp_path: Path) -> None:
    """Two files with a static function of one name, linked into one object."""
    for number in (1, 2):
        (tmp_path / f"{number}.c").write_text(
            "extern int helper(int);\n"
            f"static __attribute__((noinline)) int work(int x) {{ return helper(x) + {number}; }}\n"
            f"int use{number}(int x) {{ return work(x) * 2; }}\n"
        )
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "2.c").write_text((tmp_path / "2.c").read_text().replace("+ 2;", "+ 3;"))
    cc = program("gcc")
    assert cc
    flags = ["-O2", "-ffunction-sections", "-fno-pic", "-fno-ipa-icf", "-pg", "-mfentry",
             "-mrecord-mcount", "-fcf-protection=none"]  # fmt: skip
    for folder, name in ((".", "1"), (".", "2"), ("new", "2")):
        subprocess.run([cc, *flags, "-c", f"{name}.c"], cwd=tmp_path / folder, check=True)
    subprocess.run(["ld", "-r", "1.o", "2.o", "-o", "old.o"], cwd=tmp_path, check=True)
    subprocess.run(["ld", "-r", "1.o", "new/2.o", "-o", "new.o"], cwd=tmp_path, check=True)
    judgement = judge_files(tmp_path / "old.o", tmp_path / "new.o")
    assert [atom.name for atom in judgement.replaced.values()] == ["work"]
    (one,) = extract(judgement).redirected
    assert (one.old.name, one.old.local, one.old.file, one.old.nth) == ("work", True, "2.c", 1)
    subprocess.run(["ld", "-r", "new/2.o", "1.o", "-o", "other.o"], cwd=tmp_path, check=True)
    confused = judge_files(tmp_path / "old.o", tmp_path / "other.o")
    assert "not-understood" in [refusal.kind for refusal in confused.refusals]
    assert len([s for s in read_object(tmp_path / "old.o").symbols if s.name == "work"]) == 2
