"""Compiles an object pair and says what the differ must say of it.

A test is a folder with ``original.c`` (or ``.S``), ``patched.c`` and ``expect.toml``. Both sources
are compiled as ``unit.c``, so that ``__FILE__`` is the same in both.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

from msgspec import Struct, convert, field
from objtool_like import add_objtool_sections

from lpharness.elf.object import Object
from lpharness.elf.object_reader import read_object
from lpharness.elf.writer import save_object

HERE = Path(__file__).resolve().parent

# As kbuild compiles for x86-64, as far as the objects' shape depends on it; gcc only has
# -mrecord-mcount, clang's __mcount_loc is objtool's work.
FLAGS = [
    "-std=gnu11", "-O2", "-ffunction-sections", "-fdata-sections", "-fno-common", "-fno-pic",
    "-fno-pie", "-mcmodel=kernel", "-mno-red-zone", "-mno-sse", "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables", "-fno-strict-aliasing", "-fcf-protection=none",
    "-fno-delete-null-pointer-checks", "-pg", "-mfentry", "-w",
]  # fmt: skip
COMPILER_FLAGS = {"gcc": ["-mrecord-mcount", "-fno-ipa-icf"], "clang": []}


class Pattern(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that the compiler must have made, lest the test tests nothing."""

    symbol: str = ""
    """A regular expression for whole names of symbols that are defined."""
    section: str = ""
    relocation: str = ""
    """``section -> symbol``, both regular expressions."""
    count: int = 1
    """How many at least."""
    object: str = "both"


class Expect(Struct, frozen=True, forbid_unknown_fields=True):
    """What the differ must say. Function lists are exact; regular expressions stand for names."""

    what: str
    answer: str
    pattern: tuple[Pattern, ...]
    flags: tuple[str, ...] = ()
    compilers: tuple[str, ...] = ("gcc",)
    objtool: bool = False
    """Whether the sections that objtool makes are added."""
    changed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    redirected: tuple[str, ...] | None = None
    """The functions the livepatch redirects; the changed ones unless given."""
    line_numbers: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    """Some that must be among the unchanged."""
    taken: tuple[str, ...] = ()
    new_data: tuple[str, ...] = ()
    kept: dict[str, int] = field(default_factory=dict)
    """Special sections, and how many of their entries are kept."""
    why: dict[str, str] = field(default_factory=dict)
    """For a function, the kind of reason."""
    refused: dict[str, str] = field(default_factory=dict)
    """Kinds of refusal, and a regular expression for the subject."""
    warnings: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    """The functions that the first refusal names to be patched instead."""


def load(folder: Path) -> Expect:
    """Read what is expected."""
    return convert(tomllib.loads((folder / "expect.toml").read_text()), Expect)


def program(compiler: str) -> str | None:
    """Return the program to run: the kernel's own compiler before the host's default."""
    names = {"gcc": ("gcc-12", "gcc"), "clang": ("clang",)}[compiler]
    return next((name for name in names if shutil.which(name)), None)


def compile_pair(folder: Path, expect: Expect, compiler: str, work: Path) -> tuple[Path, Path]:
    """Compile both sources and return the objects."""
    return (
        _compile(folder, "original", expect, compiler, work),
        _compile(folder, "patched", expect, compiler, work),
    )


def _compile(folder: Path, which: str, expect: Expect, compiler: str, work: Path) -> Path:
    source = next(path for path in folder.iterdir() if path.stem == which)
    place = work / which
    place.mkdir()
    unit = place / f"unit{source.suffix}"
    shutil.copy(source, unit)
    target = place / "unit.o"
    found = program(compiler)
    assert found is not None
    command = [found, *FLAGS, *COMPILER_FLAGS[compiler], *expect.flags]
    subprocess.run(
        [*command, "-I", HERE / "include", "-c", unit.name, "-o", target.name],
        cwd=place,
        check=True,
    )
    if expect.objtool:
        obj = read_object(target)
        add_objtool_sections(obj)
        save_object(obj, target)
    return target


def missing_patterns(expect: Expect, original: Path, patched: Path) -> list[str]:
    """Return the patterns that the compiler no longer makes."""
    missing = []
    for pattern in expect.pattern:
        for which, path in (("original", original), ("patched", patched)):
            if pattern.object in ("both", which) and _count(pattern, path) < pattern.count:
                missing.append(f"{which}: {pattern}")
    return missing


def _count(pattern: Pattern, path: Path) -> int:
    obj = read_object(path)
    if pattern.symbol:
        defined = [symbol.name for symbol in obj.symbols if not symbol.undefined]
        return sum(bool(re.fullmatch(pattern.symbol, name)) for name in defined)
    if pattern.section:
        names = [section.name for section in obj.sections if section.size]
        return sum(bool(re.fullmatch(pattern.section, name)) for name in names)
    return _count_relocations(obj, pattern.relocation)


def _count_relocations(obj: Object, wanted: str) -> int:
    section, _, symbol = (part.strip() for part in wanted.partition("->"))
    count = 0
    for table in obj.relocation_sections():
        if re.fullmatch(section, table.target.name):
            for entry in table.entries:
                name = _referent(entry.symbol)
                count += bool(re.fullmatch(symbol, name))
    return count


def _referent(symbol: object) -> str:
    name = getattr(symbol, "name", "")
    section = getattr(symbol, "section", None)
    return name or (section.name if section else "")
