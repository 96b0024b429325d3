"""Types that gcc writes, and what an enemy makes of them."""

from __future__ import annotations

import shutil
import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpharness.base.errors import InputError
from lpharness.elf.btf import Kind, parse_btf
from lpharness.elf.object import Object, Section
from lpharness.elf.object_reader import read_object
from lpharness.engine.differ.types import layout_changes

SOURCE = """
struct inner { int x; char y; };
enum color { RED, GREEN = 7, BLUE = -1 };
struct outer {
    struct inner *link;
    struct inner inside[3];
    int low : 3, high : 5;
    union { int small; long large; };
    enum color color;
    int (*run)(struct inner *);
} outer;
typedef struct outer outer_t;
outer_t *other;
"""


@pytest.fixture(scope="module")
def btf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    compiler = next((name for name in ("gcc-12", "gcc") if shutil.which(name)), None)
    if compiler is None:
        pytest.skip("no gcc")
    folder = tmp_path_factory.mktemp("btf")
    (folder / "t.c").write_text(SOURCE)
    subprocess.run([compiler, "-gbtf", "-c", "t.c"], cwd=folder, check=True)
    section = read_object(folder / "t.o").section(".BTF")
    assert section is not None
    return section.data


def carrying(btf: bytes) -> Object:
    return Object(sections=[Section(name=".BTF", data=btf)])


def test_structures_are_read(btf: bytes) -> None:
    types = {(one.kind, one.name): one for one in parse_btf(btf)}
    outer = types[Kind.STRUCT, "outer"]
    assert outer.size == 64
    places = {member.name: (member.offset, member.bits) for member in outer.members}
    assert places["inside"] == (64, 0)
    assert places["low"] == (256, 3)
    assert places["high"] == (259, 5)
    assert types[Kind.ENUM, "color"].values == (("RED", 0), ("GREEN", 7), ("BLUE", -1))


def test_nothing_changed_in_itself(btf: bytes) -> None:
    assert layout_changes(carrying(btf), carrying(btf)) == []
    assert layout_changes(carrying(btf), Object()) is None


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_mangled_section_is_read_or_refused(btf: bytes, data: st.DataObject) -> None:
    content = bytearray(btf)
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + 4] = data.draw(st.binary(min_size=1, max_size=4))
    try:
        layout_changes(carrying(btf), carrying(bytes(content)))
    except InputError:
        return


def test_nested_nameless_structures_stay_small() -> None:
    """Each holds the one before it 8 times; written out, the last would have 8**40 members."""
    types = b"\0" * 0
    types += struct.pack("<III", 0, Kind.INT << 24, 4) + struct.pack("<I", 32)
    for number in range(1, 41):
        types += struct.pack("<III", 0 if number < 40 else 1, Kind.STRUCT << 24 | 8, 8)
        types += b"".join(struct.pack("<III", 1, number, bit) for bit in range(8))
    text = b"\0name\0"
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(text))
    content = header + types + text
    assert layout_changes(carrying(content), carrying(content)) == []
