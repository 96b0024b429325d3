"""What must hold of the differ for any object, and how the command speaks."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_pairs import HERE, compile_pair, load, program

from lpharness.base.errors import LpharnessError
from lpharness.elf import constants as c
from lpharness.elf.object import Object, RelocationSection
from lpharness.elf.object_reader import parse_object, read_object
from lpharness.elf.writer import save_object, write_object
from lpharness.engine.differ import Judgement, report
from lpharness.engine.differ.meaning import masked
from lpharness.engine.differ.view import View

# Between them they have clones, static locals, jump tables, special sections and several functions
# in one section.
SUBJECTS = [
    "clone-isra",
    "static-local-of-changed",
    "jump-table-same",
    "bug-table-new",
    "alternatives-same",
    "sched-text",
    "warn-once",
    "data-new-chain",
    "retpoline",
]


class Objects(dict[str, bytes]):
    """Compiled objects by name, with a short name for themselves where hypothesis prints them."""

    def __repr__(self) -> str:
        return "<objects>"


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    assert program("gcc")
    found = Objects()
    for name in SUBJECTS:
        folder = HERE / name
        work = tmp_path_factory.mktemp(name)
        original, _ = compile_pair(folder, load(folder), "gcc", work)
        found[name] = original.read_bytes()
    return found


def answer(a: Object, b: Object) -> tuple[set[str], list[str]]:
    judgement = Judgement(a, b)
    changed = {x.name for x in judgement.original.atoms if id(x) in judgement.changed}
    return changed, [refusal.kind for refusal in judgement.refusals]


@given(name=st.sampled_from(SUBJECTS), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_the_order_of_sections_and_symbols_means_nothing(
    objects: Objects, name: str, seed: int
) -> None:
    original, shuffled = parse_object(objects[name]), parse_object(objects[name])
    chance = random.Random(seed)
    chance.shuffle(shuffled.sections)
    # FILE symbols scope the local symbols after them
    head = [symbol for symbol in shuffled.symbols if symbol.type == c.STT_FILE]
    rest = [symbol for symbol in shuffled.symbols if symbol.type != c.STT_FILE]
    chance.shuffle(rest)
    shuffled.symbols = head + rest
    assert answer(original, shuffled) == (set(), [])
    assert answer(original, parse_object(write_object(shuffled))) == (set(), [])


@given(name=st.sampled_from(SUBJECTS), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_one_flipped_bit_of_code_changes_that_function(
    objects: Objects, name: str, seed: int
) -> None:
    original, flipped = parse_object(objects[name]), parse_object(objects[name])
    chance = random.Random(seed)
    view = View(flipped)
    atom = chance.choice([one for one in view.atoms if one.is_function and one.size])
    free = [i for i, byte in enumerate(masked(atom, view.references(atom))) if byte]
    at = atom.start + chance.choice(free)
    data = bytearray(atom.section.data)
    data[at] ^= 1 << chance.randrange(8)
    atom.section.data = bytes(data)
    changed, _ = answer(original, flipped)
    # Where code shares a section, the flip may decode as another branch; never as nothing.
    assert atom.name in changed or atom.name.partition(".cold")[0] in changed


@given(name=st.sampled_from(SUBJECTS), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_reference_to_another_symbol_is_seen(objects: Objects, name: str, seed: int) -> None:
    original, other = parse_object(objects[name]), parse_object(objects[name])
    chance = random.Random(seed)
    tables = [
        table
        for table in other.relocation_sections()
        if table.target.executable and not table.target.name.startswith(".altinstr")
    ]
    entry = chance.choice(chance.choice(tables).entries)
    undefined = [s for s in other.symbols if s.undefined and s is not entry.symbol and s.name]
    entry.symbol = chance.choice(undefined)
    changed, refused = answer(original, other)
    assert changed or refused


@given(name=st.sampled_from(SUBJECTS), data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_mangled_object_is_judged_or_refused(
    objects: Objects, name: str, data: st.DataObject
) -> None:
    content = bytearray(objects[name])
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(content) - 1))
        new = data.draw(st.binary(min_size=1, max_size=8))
        content[start : start + len(new)] = new
    try:
        judgement = Judgement(parse_object(objects[name]), parse_object(bytes(content)))
    except LpharnessError:
        return
    document = report(judgement, Path(__file__), Path(__file__))
    assert b'"schema":1' in msgspec.json.encode(document)


def test_relocation_tables_are_not_pieces(objects: Objects) -> None:
    view = View(parse_object(objects["retpoline"]))
    assert not [a for a in view.atoms if isinstance(a.section, RelocationSection) and a.symbols]


# -- the command


def lpharness(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lpharness.cli", "diff", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = HERE / "static-local-of-changed"
    return compile_pair(folder, load(folder), "gcc", tmp_path_factory.mktemp("pair"))


def test_the_command_explains(pair: tuple[Path, Path]) -> None:
    done = lpharness(*pair, "--explain")
    assert done.returncode == 0, done.stderr
    assert "changed  second" in done.stdout
    assert "\n             - " in done.stdout
    assert done.stdout.splitlines()[-1] == "patchable: 1 changed, 1 unchanged functions"


def test_json_is_one_document(pair: tuple[Path, Path]) -> None:
    done = lpharness(*pair, "--json")
    document = json.loads(done.stdout)
    assert (document["answer"], document["schema"]) == ("patchable", 1)
    assert document["functions"][0]["name"] == "second"


def test_a_refusal_is_exit_status_1(tmp_path: Path) -> None:
    folder = HERE / "data-resized"
    done = lpharness(*compile_pair(folder, load(folder), "gcc", tmp_path))
    assert done.returncode == 1
    assert "[data-resized]" in done.stdout
    assert "hint: " in done.stdout


def test_what_is_no_object_is_exit_status_2(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    (tmp_path / "noise.o").write_bytes(b"\x7fELF and nothing more")
    done = lpharness(tmp_path / "noise.o", pair[1])
    assert done.returncode == 2
    assert done.stderr.startswith("lpharness: ")
    assert "Traceback" not in done.stderr


def test_another_architecture_is_exit_status_3(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    save_object(Object(machine=c.EM_AARCH64), tmp_path / "arm.o")
    done = lpharness(tmp_path / "arm.o", tmp_path / "arm.o")
    assert done.returncode == 3
    assert "aarch64" in done.stderr
    mixed = lpharness(tmp_path / "arm.o", pair[1])
    assert mixed.returncode == 2
    assert read_object(tmp_path / "arm.o").machine_name == "aarch64"


CROSS = [
    ("aarch64-linux-gnu", "aarch64"), ("s390x-linux-gnu", "s390x"),
    ("powerpc64le-linux-gnu", "ppc64"), ("riscv64-linux-gnu", "riscv"),
    ("i686-linux-gnu", "i386"), ("x86_64-linux-gnux32", "x32"),
]  # fmt: skip
SOURCE = """
extern int other(int); static int count;
__attribute__((noinline)) static int helper(int x) { count += x; return other(x) + 1; }
int first(int x) { return helper(x) * FACTOR; }
int second(int x) { return helper(x + 1); }
"""


def compiled(folder: Path, name: str, factor: int, *command: str) -> Path:
    (folder / "unit.c").write_text(SOURCE)
    target = folder / f"{name}.o"
    subprocess.run(
        [*command, "-O2", f"-DFACTOR={factor}", "-c", "unit.c", "-o", target.name],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return target


@pytest.mark.parametrize(("target", "named"), CROSS)
def test_code_of_another_architecture_is_not_judged(
    target: str, named: str, tmp_path: Path
) -> None:
    found = program("clang")
    if found is None:
        pytest.skip("no clang on this host")
    command = (found, f"--target={target}", "-ffunction-sections")
    done = lpharness(*(compiled(tmp_path, name, f, *command) for name, f in (("a", 2), ("b", 3))))
    assert done.returncode == 3
    assert done.stdout == ""
    assert f"objects for {named} can be read, but the differ cannot judge" in done.stderr


KERNEL = ("-mcmodel=kernel", "-fno-pic", "-fcf-protection=none", "-mfentry", "-pg")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("flags", [("-ffunction-sections", "-fdata-sections"), ()])
def test_either_compiler_with_one_section_a_function_or_not(
    compiler: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    found = program(compiler)
    if found is None:
        pytest.skip(f"no {compiler} on this host")
    command = (found, *KERNEL, *flags)
    done = lpharness(*(compiled(tmp_path, name, f, *command) for name, f in (("a", 2), ("b", 3))))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "changed  first", "patchable: 1 changed, 2 unchanged functions"
    ]  # fmt: skip


def test_objects_compiled_in_two_ways_are_warned_of(tmp_path: Path) -> None:
    found = program("gcc")
    assert found is not None
    one = compiled(tmp_path, "a", 2, found, *KERNEL)
    other = compiled(tmp_path, "b", 2, found, *KERNEL, "-ffunction-sections")
    said = "warning: only one of the objects is compiled with -ffunction-sections"
    assert said in lpharness(one, other).stdout
    assert said not in lpharness(one, one).stdout
    assert said not in lpharness(other, other).stdout
