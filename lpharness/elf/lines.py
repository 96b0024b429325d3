"""File and line of ``function+offset/size``, as a kernel prints the frames of a stack.

The address comes from the symbol table of the file that the function is in; what the compiler
wrote down about it is looked up by binutils' ``addr2line``, which is there with any compiler: all
frames of a file at once, since going through a kernel's debug information takes seconds.
"""

from __future__ import annotations

import posixpath
import re
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile
from msgspec import Struct

from lpharness.base.errors import HostError, InputError
from lpharness.base.process import run_to_end

_FRAME = re.compile(
    r"(?P<function>[\w.]+)\+(?P<offset>0x[0-9a-f]+)/(?P<size>0x[0-9a-f]+)"
    r"(?: \[(?P<module>[\w-]+)(?: [0-9a-f]+)?\])?"
)
_SYMBOL = struct.Struct("<IBBHQQ")
_CODE = (0, 2)  # STT_NOTYPE, STT_FUNC
# Functions whose files are known tell where the tree was; C and assembly may name it differently.
_ANCHORS = {"start_kernel": "init/main.c", "entry_SYSCALL_64": "arch/x86/entry/entry_64.S"}
_LONGEST_S = 120.0


class Frame(Struct, frozen=True):
    """One frame of a stack."""

    text: str
    """As printed, less its module's build id."""
    function: str
    offset: int
    size: int
    module: str
    """Empty for the kernel proper."""
    exact: bool
    """Whether it is where the CPU was, and no return address behind a call."""


class _Place(Struct, frozen=True):
    section: str
    """Empty in a file that is linked to addresses."""
    address: int


def frames_in(line: str) -> list[Frame]:
    """Return the frames that a line of a console names."""
    exact = "RIP: " in line or "pc : " in line
    return [
        Frame(
            text=f"{found['function']}+{found['offset']}/{found['size']}"
            + (f" [{found['module']}]" if found["module"] else ""),
            function=found["function"],
            offset=int(found["offset"], 16),
            size=int(found["size"], 16),
            module=found["module"] or "",
            exact=exact,
        )
        for found in _FRAME.finditer(line)
    ]


def source_places(file: Path, frames: Sequence[Frame]) -> dict[str, str]:
    """Return where the frames are, by their text; those that the file does not tell are left out.

    Args:
        file: ``vmlinux`` or a module, with symbols and debug information.
        frames: of functions in it.

    Raises:
        InputError: it is no ELF file, or has no debug information.
        HostError: ``addr2line`` is missing or fails.
    """
    wanted = {frame.function for frame in frames}
    symbols = _symbols(file, wanted | _ANCHORS.keys())
    asked: dict[_Place, list[str]] = {}
    for frame in frames:
        if place := _place(frame, symbols.get(frame.function, ())):
            asked.setdefault(place, []).append(frame.text)
    anchors = {symbols[name][0][0]: end for name, end in _ANCHORS.items() if name in symbols}
    found = _look_up(file, [*asked, *anchors])
    roots = [found[place][-1].partition(end)[0] for place, end in anchors.items() if place in found]
    return {
        text: _told(found[place], roots)
        for place, texts in asked.items()
        if place in found
        for text in texts
    }


def _symbols(file: Path, wanted: Iterable[str]) -> dict[str, list[tuple[_Place, int]]]:
    """Return where functions of some names are, and how long each is."""
    names = {name.encode() for name in wanted}
    content, strings, sections = _symbol_table(file)
    found: dict[str, list[tuple[_Place, int]]] = {}
    for at, info, _, section, value, size in _SYMBOL.iter_unpack(content):
        if info & 0xF not in _CODE or not 0 < section < 0xFF00:
            continue
        name = strings[at : strings.index(b"\0", at)]
        if name in names:
            place = _Place(sections[section] if sections else "", value)
            found.setdefault(name.decode(), []).append((place, size))
    return found


def _symbol_table(file: Path) -> tuple[bytes, bytes, list[str]]:
    """Return symbols, their names, and the names of sections where symbols lie relative to them.

    Raises:
        InputError: it has none, or no debug information that they would be good for.
    """
    with file.open("rb") as stream:
        try:
            elf = ELFFile(stream)
            table = elf.get_section_by_name(".symtab")
            if elf.get_section_by_name(".debug_line") is not None and table is not None:
                strings = elf.get_section(table["sh_link"]).data()
                relocatable = elf["e_type"] == "ET_REL"
                names = [section.name for section in elf.iter_sections()] if relocatable else []
                return table.data(), strings, names
        except Exception as error:  # pyelftools gives way in many ways on a broken file
            raise InputError(f"{file} cannot be read: {error}") from error
    raise InputError(f"{file} has no debug information")


def _place(frame: Frame, symbols: Sequence[tuple[_Place, int]]) -> _Place | None:
    """Return where a frame is, if only one function of that name can be meant.

    The kernel rounds a size up to where the next symbol begins.
    """
    fitting = [place for place, size in symbols if size <= frame.size] or [p for p, _ in symbols]
    if len(fitting) > 1:
        fitting = [place for place, size in symbols if frame.size - 16 < size <= frame.size]
    if len(fitting) != 1:
        return None
    # No return address is at a function's very beginning.
    back = 0 if frame.exact or frame.offset == 0 else 1
    return _Place(fitting[0].section, fitting[0].address + frame.offset - back)


def _look_up(file: Path, places: Sequence[_Place]) -> dict[_Place, list[str]]:
    """Return what is at each place: the line, and where functions were inlined those around it."""
    found: dict[_Place, list[str]] = {}
    for section in dict.fromkeys(place.section for place in places):
        here = [place for place in places if place.section == section]
        options = ["-j", section] if section else []
        addresses = [f"{place.address:#x}" for place in here]
        done = run_to_end(
            ["addr2line", "-a", "-i", *options, "-e", str(file), *addresses],
            what=f"look up lines in {file}",
            seconds=_LONGEST_S,
        )
        if done.status != 0:
            raise HostError(f"addr2line cannot read {file}: {done.said.strip()}")
        answers = re.split(r"^0x[0-9a-f]+\n", done.output.decode(errors="replace"), flags=re.M)[1:]
        for place, answer in zip(here, answers, strict=True):
            lines = [line.partition(" (")[0] for line in answer.splitlines()]
            if known := [line for line in lines if not line.endswith((":?", ":0"))]:
                found[place] = known
    return found


def _told(lines: Sequence[str], roots: Sequence[str]) -> str:
    """Return the innermost line, and the one in the function itself where they differ."""
    short = []
    for line in lines:
        root = next((root for root in roots if root and line.startswith(root)), "")
        short.append(posixpath.normpath(line.removeprefix(root)))
    return short[0] if len(short) == 1 else f"{short[0]} (inlined at {short[-1]})"
