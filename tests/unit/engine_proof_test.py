"""The proof of an object against a module that real compilers and linkers made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lpharness.elf.object_reader import read_object
from lpharness.engine.objects.proof import BaseProof, Match, prove_object
from lpharness.kernels.model import Kernel, KernelOrigin

FIRST = """\
extern int outside(int); extern int elsewhere(int);
static int state; static const char words[] = "first words, long enough";
static __attribute__((noinline)) int same(int a) { return outside(a) + 1; }
int shared(int);
int first(int a) { state += same(a); return words[a] + shared(state); }
"""
SECOND = """\
extern int outside(int);
static int state = 7; static const char words[] = "second words, also long";
static __attribute__((noinline)) int same(int a) { return outside(a) + 1; }
int shared(int a) { return a * 3; }
int second(int a) { state += same(a); return words[a]; }
"""


def compiled(folder: Path, name: str, text: str) -> Path:
    source, target = folder / f"{name}.c", folder / f"{name}.o"
    source.write_text(text)
    subprocess.run(
        ["gcc", "-O2", "-g0", "-fno-pie", "-fcf-protection=none", "-c", str(source), "-o",
         str(target)],
        check=True,
    )  # fmt: skip
    return target


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """A kernel with one module, of two objects that share names and bytes."""
    modules = tmp_path / "modules"
    modules.mkdir()
    objects = [compiled(tmp_path, name, text) for name, text in
               (("first", FIRST), ("second", SECOND))]  # fmt: skip
    subprocess.run(
        ["ld", "-r", "-o", str(modules / "two.ko"), *map(str, objects)], check=True
    )  # fmt: skip
    (modules / "modules.order").write_text("two.ko\n")
    return Kernel(
        release="1", flavour="", arch="amd64", image=tmp_path / "none", modules=modules, config={},
        origin=KernelOrigin(spec=""), identity="x",
    )  # fmt: skip


def proof_of(kernel: Kernel, folder: Path, name: str, text: str) -> BaseProof:
    return prove_object(read_object(compiled(folder, name, text)), f"{name}.c", "two", kernel)


def test_each_object_is_found_in_its_module(kernel: Kernel, tmp_path: Path) -> None:
    for name, text in (("first", FIRST), ("second", SECOND)):
        proof = proof_of(kernel, tmp_path, name, text)
        assert proof.holds, proof
        assert proof.references > 0


def test_what_shares_its_name_and_bytes_is_told_apart(kernel: Kernel, tmp_path: Path) -> None:
    for sympos, (name, text) in enumerate((("first", FIRST), ("second", SECOND)), 1):
        proof = proof_of(kernel, tmp_path, name, text)
        same = proof.named("same")
        assert same is not None
        assert (same.sympos, same.unique) == (sympos, False)
        data = {place.name: place.sympos for place in proof.data}
        assert data == {"state": sympos, "words": sympos}


def test_a_function_with_other_code_differs_where_it_does(kernel: Kernel, tmp_path: Path) -> None:
    proof = proof_of(kernel, tmp_path, "second", SECOND.replace("a * 3", "a * 5"))
    shared = proof.named("shared")
    assert shared is not None
    assert shared.state is Match.DIFFERS
    assert shared.first_difference is not None
    assert shared.expected != shared.found
    assert [f.name for f in proof.failures] == ["shared"]
    assert not proof.holds


def test_a_function_that_the_module_lacks_is_absent(kernel: Kernel, tmp_path: Path) -> None:
    proof = proof_of(kernel, tmp_path, "second", SECOND + "int third(int a) { return a; }\n")
    assert [(f.name, f.state) for f in proof.failures] == [("third", Match.ABSENT)]


def test_a_call_of_another_function_is_a_stray(kernel: Kernel, tmp_path: Path) -> None:
    """Masked bytes must not hide that another function is called."""
    text = FIRST.replace("outside(a) + 1", "elsewhere(a) + 1")
    proof = proof_of(kernel, tmp_path, "first", text)
    assert not proof.failures
    assert [(stray.function, stray.symbol, stray.found) for stray in proof.strays] == [
        ("same", "elsewhere", "outside")
    ]
    assert not proof.holds


def test_an_object_without_functions_proves_nothing(kernel: Kernel, tmp_path: Path) -> None:
    assert not proof_of(kernel, tmp_path, "first", "int x;\n").holds
