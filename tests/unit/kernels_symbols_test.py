from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.base.cache import Cache
from lpharness.base.errors import HostError
from lpharness.kernels.model import Kernel, KernelOrigin
from lpharness.kernels.symbols import Symbol, SymbolTable, load_symbols, save_symbols

TEXT = b"""0000000000000000 A fixed_percpu_data
ffffffff81000000 T _text
ffffffff81000000 T startup_64
ffffffff81000100 t helper
ffffffff81000180 d helper
ffffffff81000200 t helper
ffffffff81000300 T vprintk
ffffffffc0002000 t helper\t[ext4]
ffffffffc0001000 t helper\t[ext4]
ffffffffc0003000 t ext4_init\t[ext4]
ffffffffc0004000 t bpf_prog_6deef7357e7b4530\t[bpf]
"""


@pytest.fixture
def table() -> SymbolTable:
    return SymbolTable.parse(TEXT)


def test_sympos_counts_every_match_of_the_object_in_the_order_of_kallsyms(
    table: SymbolTable,
) -> None:
    assert table.addresses("helper") == (
        0xFFFFFFFF81000100, 0xFFFFFFFF81000180, 0xFFFFFFFF81000200,
    )  # fmt: skip
    assert [table.sympos(symbol) for symbol in table.lookup("helper")] == [1, 2, 3]
    # a module's symbols come in the order of its symbol table, not of addresses
    assert table.addresses("helper", "ext4") == (0xFFFFFFFFC0002000, 0xFFFFFFFFC0001000)
    assert len(table.find("helper")) == 5
    assert table.lookup("nothing") == table.lookup("vprintk", "ext4") == ()
    assert table.objects == {"vmlinux", "ext4", "bpf"}
    assert len(table) == len(list(table)) == 11


@pytest.mark.parametrize("lookups", [1, 100])
@pytest.mark.parametrize("name", ["T", "help", "elper", "ffffffff81000100", "[ext4]", "ext4", ""])
def test_parts_of_a_line_are_no_names(table: SymbolTable, name: str, lookups: int) -> None:
    assert [table.find(name) for _ in range(lookups)] == [()] * lookups


def test_nearest(table: SymbolTable) -> None:
    assert table.nearest(0xFFFFFFFF81000000) == (
        Symbol("_text", 0xFFFFFFFF81000000, "T", "vmlinux"),
        0,
    )
    found = table.nearest(0xFFFFFFFF81000190)
    assert found is not None
    assert (found[0].type, found[1]) == ("d", 0x10)
    found = table.nearest(0xFFFFFFFF81000190, text_only=True)
    assert found is not None
    assert (found[0].name, found[0].type, found[1]) == ("helper", "t", 0x90)
    found = table.nearest(0xFFFFFFFFC0001004)
    assert found is not None
    assert (found[0].object, found[1]) == ("ext4", 4)
    assert table.nearest(5, text_only=True) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "empty"),
        (TEXT + b"ffffffff8100", "cut short"),
        (TEXT + b"what is this\n", "line 12: b'what is this'"),
        (b"0000000000000000 T a\n0000000000000000 t b\n", "hides its addresses"),
    ],
)
def test_refusals(text: bytes, message: str) -> None:
    with pytest.raises(HostError, match=message):
        SymbolTable.parse(text)


@given(st.binary())
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    with suppress(HostError):
        SymbolTable.parse(text)


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from("tTdD"), st.sampled_from("abc"),
                  st.sampled_from(["vmlinux", "m", "n"])),
        min_size=1,
    )
)  # fmt: skip
def test_against_the_plain_definition(rows: list[tuple[int, str, str, str]]) -> None:
    text = "".join(
        f"{address:016x} {kind} {name}" + ("" if owner == "vmlinux" else f"\t[{owner}]") + "\n"
        for address, kind, name, owner in rows
    )
    table = SymbolTable.parse(text.encode())
    assert [(s.address, s.type, s.name, s.object) for s in table] == rows
    for name in "abc" * 20:  # few lookups scan the text, many make an index
        expected = tuple(r[0] for r in rows if r[2] == name and r[3] == "m")
        assert table.addresses(name, "m") == expected
    for address in range(41):
        before = [row for row in rows if row[0] <= address]
        found = table.nearest(address)
        if not before:
            assert found is None
        else:
            best = max(before, key=lambda row: row[0])  # the first of several
            assert found is not None
            assert (found[0].address, found[0].name, found[1]) == (
                best[0], best[2], address - best[0],
            )  # fmt: skip


def test_kept_with_the_kernel_and_the_first_said_stays(tmp_path: Path) -> None:
    kernel = Kernel(
        release="6.1.0", flavour="", arch="amd64", image=tmp_path, modules=tmp_path, config={},
        origin=KernelOrigin(spec="tree:x"), identity="0123",
    )  # fmt: skip
    cache = Cache(tmp_path)
    assert load_symbols(kernel, cache=cache) is None
    save_symbols(kernel, TEXT, cache=cache)
    save_symbols(kernel, TEXT + b"ffffffffffffffff T late\n", cache=cache)
    found = load_symbols(kernel, cache=cache)
    assert found is not None
    assert list(found) == list(SymbolTable.parse(TEXT))
