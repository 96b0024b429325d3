"""Damages ELF objects where it hurts: in fields that readers believe, not only in noise.

A mutation is a function of the bytes and of a seed, so that a seed tells a failure whole.
"""

from __future__ import annotations

import contextlib
import random
import signal
import struct
from collections.abc import Callable, Iterator

_HEADER, _SYMBOL, _RELA = 64, 24, 24
_SHT_SYMTAB, _SHT_RELA = 2, 4
_LONGEST_S = 120  # for what takes milliseconds: more is a hang, on whatever machine
# (offset, format) of the fields that readers believe
_FILE_FIELDS = ((16, "H"), (18, "H"), (40, "Q"), (58, "H"), (60, "H"), (62, "H"))
_SECTION_FIELDS = ((0, "I"), (4, "I"), (8, "Q"), (24, "Q"), (32, "Q"), (40, "I"), (44, "I"),
                   (48, "Q"), (56, "Q"))  # fmt: skip
_SYMBOL_FIELDS = ((0, "I"), (4, "B"), (5, "B"), (6, "H"), (8, "Q"), (16, "Q"))
_RELA_FIELDS = ((0, "Q"), (8, "I"), (12, "I"), (16, "q"))
_WIDTHS = {"B": 8, "H": 16, "I": 32, "Q": 64, "q": 64}


def mutated(content: bytes, seed: int) -> bytes:
    """Return a damaged copy of a 64-bit little-endian ELF file."""
    chance = random.Random(seed)
    data = bytearray(content)
    sections = list(_sections(content))
    for _ in range(chance.randint(1, 5)):
        chance.choice(_MUTATIONS)(data, sections, chance)
    if chance.random() < 0.05:
        del data[chance.randrange(len(data)) :]
    return bytes(data)


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Fail what does not come to an end."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"no end after {_LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(_LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


_Sections = list[tuple[int, int, int, int]]
"""Of each section: where its header is, its type, where its content is, its size."""


def _sections(content: bytes) -> Iterator[tuple[int, int, int, int]]:
    (table,) = struct.unpack_from("<Q", content, 40)
    (count,) = struct.unpack_from("<H", content, 60)
    for number in range(count):
        header = table + _HEADER * number
        (kind,) = struct.unpack_from("<I", content, header + 4)
        yield (header, kind, *struct.unpack_from("<QQ", content, header + 24))


def _value(chance: random.Random, old: int, form: str) -> int:
    width = _WIDTHS[form]
    new = chance.choice(
        [
            0, 1, old + 1, old - 1, old * 2, (1 << width) - 1, 1 << (width - 1), len(_WIDTHS),
            chance.getrandbits(width), chance.randrange(64), old ^ (1 << chance.randrange(width)),
        ]
    )  # fmt: skip
    new &= (1 << width) - 1
    return new - (1 << width) if form == "q" and new >> (width - 1) else new


def _poke(data: bytearray, at: int, form: str, chance: random.Random) -> None:
    shape = struct.Struct(f"<{form}")
    if at + shape.size <= len(data):
        (old,) = shape.unpack_from(data, at)
        shape.pack_into(data, at, _value(chance, old, form))


def _file_field(data: bytearray, _: _Sections, chance: random.Random) -> None:
    _poke(data, *chance.choice(_FILE_FIELDS), chance)


def _section_field(data: bytearray, sections: _Sections, chance: random.Random) -> None:
    offset, form = chance.choice(_SECTION_FIELDS)
    _poke(data, chance.choice(sections)[0] + offset, form, chance)


def _entry(
    kind: int, size: int, fields: tuple[tuple[int, str], ...]
) -> Callable[[bytearray, _Sections, random.Random], None]:
    def poke(data: bytearray, sections: _Sections, chance: random.Random) -> None:
        tables = [one for one in sections if one[1] == kind and one[3] >= size]
        if tables:
            _, _, start, length = chance.choice(tables)
            offset, form = chance.choice(fields)
            _poke(data, start + size * chance.randrange(length // size) + offset, form, chance)

    return poke


def _content(data: bytearray, sections: _Sections, chance: random.Random) -> None:
    """Change some bytes of what a section holds: code, tables, names."""
    _, kind, start, size = chance.choice(sections)
    if kind != 8 and size:
        for _ in range(chance.randint(1, 8)):
            at = start + chance.randrange(size)
            if at < len(data):
                data[at] = chance.getrandbits(8)


def _swap(data: bytearray, sections: _Sections, chance: random.Random) -> None:
    """Let one section's header stand for another's."""
    (to, *_), (source, *_) = chance.choice(sections), chance.choice(sections)
    data[to : to + _HEADER] = data[source : source + _HEADER]


def _byte(data: bytearray, _: _Sections, chance: random.Random) -> None:
    data[chance.randrange(len(data))] = chance.getrandbits(8)


_MUTATIONS = (
    _file_field,
    _section_field, _section_field,
    _entry(_SHT_SYMTAB, _SYMBOL, _SYMBOL_FIELDS), _entry(_SHT_SYMTAB, _SYMBOL, _SYMBOL_FIELDS),
    _entry(_SHT_RELA, _RELA, _RELA_FIELDS), _entry(_SHT_RELA, _RELA, _RELA_FIELDS),
    _content, _content,
    _swap,
    _byte,
)  # fmt: skip
