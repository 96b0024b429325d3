"""Entries of special sections that need a module's own symbols, or must not come along."""

from __future__ import annotations

import pytest

from lpharness.base.errors import BuildError
from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, RelocationSection, Section, Symbol
from lpharness.engine.emit.late import settle_entries

PC32, PC64, PLT32 = 2, 24, 4
CODE = b"\x90" * 16 + b"\xe8" + bytes(4) + b"\x90" * 43


class Sample:
    """A function with a call at +16, and one special section about it."""

    def __init__(self, table: str, data: bytes, *fields: tuple[int, int, str, int]) -> None:
        self.text = Section(
            name=".text.f", flags=c.SHF_ALLOC | c.SHF_EXECINSTR, align=16, data=CODE
        )
        self.function = Symbol(
            name="f", type=c.STT_FUNC, section=self.text, size=len(CODE), binding=c.STB_GLOBAL
        )
        self.table = Section(name=table, flags=c.SHF_ALLOC, align=1, data=data)
        self.outside: dict[str, Symbol] = {}
        self.callee = self._symbol("callee")
        rela = self._rela(
            self.table,
            [
                Relocation(offset=at, type=type_, symbol=self._symbol(name), addend=addend)
                for at, type_, name, addend in fields
            ],
        )
        call = Relocation(offset=17, type=PLT32, symbol=self.callee, addend=-4)
        self.object = Object(
            sections=[self.text, self.table, self._rela(self.text, [call]), rela],
            symbols=[self.function, *self.outside.values()],
        )
        self.entries = rela

    def _symbol(self, name: str) -> Symbol:
        if name == "f":
            return self.function
        return self.outside.setdefault(name, Symbol(name=name, binding=c.STB_GLOBAL))

    @staticmethod
    def _rela(target: Section, entries: list[Relocation]) -> RelocationSection:
        return RelocationSection(
            name=f".rela{target.name}", type=c.SHT_RELA, align=8, entry_size=24, target=target,
            entries=entries,
        )  # fmt: skip

    def settle(self, *late: str) -> list[str]:
        return settle_entries(self.object, {id(self.outside[name]) for name in late})


def jump_table(*keys: str) -> Sample:
    fields = []
    for number, key in enumerate(keys):
        at = 16 * number
        fields += [(at, PC32, "f", 16), (at + 4, PC32, "f", 32), (at + 8, PC64, key, 8)]
    return Sample("__jump_table", b"".join(bytes([n]) * 16 for n in range(len(keys))), *fields)


def test_a_tracepoint_of_a_module_is_left_out_and_said() -> None:
    sample = jump_table("static_key", "__tracepoint_ext4_mark", "__tracepoint_sched_switch")
    notes = sample.settle("__tracepoint_ext4_mark")
    assert notes == ["f: tracepoint ext4_mark never fires in it"]
    assert sample.table.data == b"\0" * 16 + b"\2" * 16
    left = [(entry.offset, entry.symbol and entry.symbol.name) for entry in sample.entries.entries]
    assert left == [(0, "f"), (4, "f"), (8, "static_key"), (16, "f"), (20, "f"),
                    (24, "__tracepoint_sched_switch")]  # fmt: skip


def test_a_static_key_of_a_module_is_refused() -> None:
    with pytest.raises(BuildError, match="f: __jump_table needs key, which is not there yet"):
        jump_table("key").settle("key")


def test_keys_of_the_kernel_stay() -> None:
    sample = jump_table("key")
    assert sample.settle() == []
    assert len(sample.table.data) == 16


def test_a_static_call_of_a_module_goes_through_its_trampoline() -> None:
    sample = Sample(".static_call_sites", bytes(8), (0, PC32, "f", 16), (4, PC32, "__SCK__x", 0))
    assert sample.settle("__SCK__x") == ["f: __SCK__x is called through its trampoline"]
    assert sample.table.data == b""
    assert sample.entries.entries == []


def test_seals_never_come_along() -> None:
    sample = Sample(".ibt_endbr_seal", bytes(4), (0, PC32, "f", 0))
    assert sample.settle() == []
    assert sample.table.data == b""


@pytest.mark.parametrize(("late", "size"), [((), 4), (("callee",), 0)])
def test_calls_that_are_not_made_out_yet_are_not_counted(late: tuple[str, ...], size: int) -> None:
    sample = Sample(".call_sites", bytes(4), (0, PC32, "f", 16))
    sample.settle(*late)
    assert len(sample.table.data) == size


ALTERNATIVE = bytes(10) + bytes([5, 0])  # instruction of 5 bytes, no replacement


@pytest.mark.parametrize(("site", "refused"), [(16, True), (13, True), (21, False), (0, False)])
def test_a_late_field_in_code_that_alternatives_rewrite(site: int, refused: bool) -> None:
    fields = ((0, PC32, "f", site), (4, PC32, "f", 0))
    sample = Sample(".altinstructions", ALTERNATIVE, *fields)
    if refused:
        with pytest.raises(BuildError, match="needs callee"):
            sample.settle("callee")
    else:
        assert sample.settle("callee") == []
    assert Sample(".altinstructions", ALTERNATIVE, *fields).settle() == []


def test_a_late_field_in_replacement_code() -> None:
    sample = Sample(".altinstr_replacement", bytes(5), (1, PLT32, "callee", -4))
    sample.table.flags |= c.SHF_EXECINSTR
    with pytest.raises(BuildError, match=r"\.altinstr_replacement needs callee"):
        sample.settle("callee")
    assert sample.settle() == []
