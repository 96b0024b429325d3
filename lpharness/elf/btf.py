"""Reads BTF, the compact type format that ``gcc -gbtf`` puts into an object.

Source: the kernel's ``include/uapi/linux/btf.h`` and ``Documentation/bpf/btf.rst``. Only what says
how structures lie in memory is kept; every offset and index is checked, so that a damaged section
ends in an `InputError`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from lpharness.base.errors import InputError

_MAGIC = 0xEB9F
_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
_LONGEST_NAME = 1024


class Kind(IntEnum):
    """``BTF_KIND_*``."""

    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


# Bytes that follow a type: (once, for each of its `vlen` parts)
_TAIL = {
    Kind.INT: (4, 0),
    Kind.ARRAY: (12, 0),
    Kind.STRUCT: (0, 12),
    Kind.UNION: (0, 12),
    Kind.ENUM: (0, 8),
    Kind.FUNC_PROTO: (0, 8),
    Kind.VAR: (4, 0),
    Kind.DATASEC: (0, 12),
    Kind.DECL_TAG: (4, 0),
    Kind.ENUM64: (0, 12),
}


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a structure or union."""

    name: str
    type: int
    """The number of its type."""
    offset: int
    """Bits from the structure's start."""
    bits: int
    """Bits of a bit field; 0 for an ordinary member."""


@dataclass(frozen=True, slots=True)
class Type:
    """One type; its number is its place in the list, from 1."""

    kind: Kind
    name: str
    size: int
    """Bytes, for the kinds that have a size."""
    target: int
    """The type it refers to: pointee, element, what a typedef names."""
    count: int
    """Elements of an array."""
    members: tuple[Member, ...]
    values: tuple[tuple[str, int], ...]
    """Names and values of an enumeration."""


def parse_btf(data: bytes) -> tuple[Type, ...]:
    """Return the types of a ``.BTF`` section; the first one is number 1.

    Raises:
        InputError: the section is damaged, or of a version or byte order that is not known.
    """
    if len(data) < _HEADER.size:
        raise InputError("the .BTF section is too short")
    magic, version, _, header, type_at, type_size, text_at, text_size = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != 1:
        raise InputError("the .BTF section is of an unknown version or byte order")
    types_end, text_end = header + type_at + type_size, header + text_at + text_size
    if types_end > len(data) or text_end > len(data):
        raise InputError("the .BTF section reaches past its own end")
    reader = _Reader(data[header + type_at : types_end], data[header + text_at : text_end])
    return tuple(reader.types())


class _Reader:
    def __init__(self, types: bytes, text: bytes) -> None:
        self._data = types
        self._text = text

    def _name(self, offset: int) -> str:
        end = self._text.find(b"\0", offset, offset + _LONGEST_NAME)
        if offset and end < 0:
            raise InputError("the .BTF section holds a name outside its strings")
        return self._text[offset:end].decode("utf-8", "replace") if offset else ""

    def types(self) -> list[Type]:
        found = []
        at = 0
        while at < len(self._data):
            if at + _TYPE.size > len(self._data):
                raise InputError("the .BTF section ends within a type")
            name, info, extra = _TYPE.unpack_from(self._data, at)
            at += _TYPE.size
            number, parts, flagged = info >> 24 & 0x1F, info & 0xFFFF, bool(info >> 31)
            try:
                kind = Kind(number)
            except ValueError:
                raise InputError(
                    f"the .BTF section holds a type of unknown kind {number}"
                ) from None
            once, each = _TAIL.get(kind, (0, 0))
            size = once + each * parts
            if at + size > len(self._data):
                raise InputError("the .BTF section ends within a type")
            tail = self._data[at : at + size]
            at += size
            found.append(self._type(kind, self._name(name), extra, tail, flagged))
        return found

    def _type(self, kind: Kind, name: str, extra: int, tail: bytes, flagged: bool) -> Type:
        target, count = extra, 0
        members: tuple[Member, ...] = ()
        values: tuple[tuple[str, int], ...] = ()
        if kind is Kind.ARRAY:
            target, _, count = struct.unpack("<III", tail)
        elif kind in (Kind.STRUCT, Kind.UNION):
            members = tuple(
                Member(
                    name=self._name(text),
                    type=type_,
                    offset=offset & 0xFFFFFF if flagged else offset,
                    bits=offset >> 24 if flagged else 0,
                )
                for text, type_, offset in struct.iter_unpack("<III", tail)
            )
        elif kind is Kind.ENUM:
            values = tuple(
                (self._name(text), value) for text, value in struct.iter_unpack("<Ii", tail)
            )
        elif kind is Kind.ENUM64:
            values = tuple(
                (self._name(text), high << 32 | low)
                for text, low, high in struct.iter_unpack("<IIi", tail)
            )
        return Type(kind, name, extra, target, count, members, values)
