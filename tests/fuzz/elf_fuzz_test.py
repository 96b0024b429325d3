"""Whatever is read from a damaged object ends in an answer or in an error of ours.

Never in a hang, a traceback, or memory without end. More of it:
``pytest tests/fuzz --fuzz-examples 20000 --fuzz-corpus FOLDER``.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from elf_foreign_test import FRAME, KLP_BUILD, KPATCH
from elf_support import Func, Obj, Shape, compile_source, source
from hypothesis import given, settings
from hypothesis import strategies as st
from mutate import bounded, mutated
from object_pairs import HERE, compile_pair, load

from lpharness.base.errors import LpharnessError
from lpharness.elf.livepatch import read_livepatch
from lpharness.elf.object import Object
from lpharness.elf.object_reader import parse_object
from lpharness.elf.writer import write_object
from lpharness.engine.compare import compare
from lpharness.engine.differ import Judgement, extract, report
from lpharness.engine.inspect import inspect

FUZZ = settings.get_profile("fuzz")
_MOST_MEMORY = 4 << 30
# Clones, static locals, jump tables, special sections, several functions in one section, BTF.
_PAIRS = (
    "alternatives-call", "bug-table-new", "clone-isra", "cold-parent", "data-new-chain",
    "jump-table-same", "retpoline", "sched-text", "static-local-of-changed", "type-new",
    "unsplit", "warn-once",
)  # fmt: skip


class Bytes(bytes):
    """Bytes that hypothesis does not print."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@pytest.fixture(scope="module", autouse=True)
def little_memory() -> Iterator[None]:
    """Let what would ask for memory without end fail at once."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Bytes, Bytes]]:
    """Objects before and after a change, as the kernel's compiler makes them."""
    found = []
    for name in _PAIRS:
        work = tmp_path_factory.mktemp(name)
        original, patched = compile_pair(HERE / name, load(HERE / name), "gcc", work)
        found.append((Bytes(original.read_bytes()), Bytes(patched.read_bytes())))
    return found


@pytest.fixture(scope="module")
def modules(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> list[Bytes]:
    """Livepatch modules, of each kind of table, and those that the user gives."""
    shape = Shape([Obj(None, [Func("a"), Func("b", 2)], ["pre_patch"]), Obj("mod", [Func("c")])])
    texts = (source(shape), FRAME + KPATCH, FRAME + KLP_BUILD)
    found = [
        Bytes(compile_source(text, tmp_path_factory.mktemp("module")).read_bytes())
        for text in texts
    ]
    corpus = request.config.getoption("--fuzz-corpus", None)
    return found + [Bytes(path.read_bytes()) for path in sorted(corpus.glob("*.[ok]*"))] if (
        corpus
    ) else found  # fmt: skip


seeds = st.integers(0, 2**48)


def survives(action: Callable[[], object]) -> None:
    """Run something on damaged input: an answer is fine, so is an error of ours, in one line."""
    message = ""
    try:
        with bounded():
            action()
    except LpharnessError as error:
        message = error.message
    assert "\n" not in message


@FUZZ
@given(seed=seeds, choice=st.integers(0, 2**16))
def test_a_damaged_object_is_read_or_refused(
    pairs: list[tuple[Bytes, Bytes]], modules: list[Bytes], seed: int, choice: int
) -> None:
    objects = [content for pair in pairs for content in pair] + modules
    content = mutated(objects[choice % len(objects)], seed)
    survives(lambda: round_trip(content))


def round_trip(content: bytes) -> None:
    """Whatever can be read is written so that it reads as the same again."""
    once = write_object(parse_object(content))
    assert write_object(parse_object(once)) == once


@FUZZ
@given(seed=seeds, choice=st.integers(0, 2**16))
def test_a_damaged_module_is_read_or_refused(
    modules: list[Bytes], tmp_path_factory: pytest.TempPathFactory, seed: int, choice: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.ko"
    path.write_bytes(mutated(modules[choice % len(modules)], seed))
    survives(lambda: msgspec.json.encode(read_livepatch(path)))
    survives(lambda: msgspec.json.encode(inspect(path), enc_hook=str))


@FUZZ
@given(seed=seeds, choice=st.integers(0, 2**16))
def test_damaged_modules_are_compared_or_refused(
    modules: list[Bytes], tmp_path_factory: pytest.TempPathFactory, seed: int, choice: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    sound, damaged = folder / "sound.ko", folder / "damaged.ko"
    content = modules[choice % len(modules)]
    sound.write_bytes(content)
    damaged.write_bytes(mutated(content, seed))
    survives(lambda: msgspec.json.encode(compare(damaged, sound), enc_hook=str))
    survives(lambda: msgspec.json.encode(compare(sound, damaged), enc_hook=str))


@FUZZ
@given(seed=seeds, choice=st.integers(0, 2**16), which=st.sampled_from([0, 1, 2]))
def test_damaged_pairs_are_judged_or_refused(
    pairs: list[tuple[Bytes, Bytes]], seed: int, choice: int, which: int
) -> None:
    """The one, the other or both damaged: a document, and what is taken stands by itself."""
    original, patched = (bytes(content) for content in pairs[choice % len(pairs)])
    left = original if which == 1 else mutated(original, seed)
    right = patched if which == 0 else mutated(patched, seed + 1)
    survives(lambda: judged(parse_object(left), parse_object(right)))


def judged(left: Object, right: Object) -> None:
    judgement = Judgement(left, right)
    msgspec.json.encode(report(judgement, Path(__file__), Path(__file__)))
    extracted = extract(judgement)
    write_object(extracted.object)
