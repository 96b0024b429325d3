"""Which of a kernel's symbols a reference means, told by the shipped code."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lpharness.base.errors import BuildError
from lpharness.elf import constants as c
from lpharness.elf.object import Object, Relocation, RelocationSection, Section, Symbol
from lpharness.engine.differ.extracted import Origin
from lpharness.engine.emit import resolve
from lpharness.engine.emit.places import Candidate, Place, Places
from lpharness.engine.emit.resolve import How, Resolved, Resolver
from lpharness.engine.objects import BaseProof, FunctionProof, Match
from lpharness.engine.target import Export, Target
from lpharness.kernels.model import Kernel, KernelOrigin

TEXT, DATA, FAR = 0xFFFFFFFF81000000, 0xFFFFFFFF82000000, 0xFFFFFFFF81800000


class Shipped:
    """A kernel of a few names, whose code refers to what the linker put where."""

    def __init__(self, names: dict[str, list[tuple[int, bool]]], fields: dict[int, int]) -> None:
        self.names = names
        self.fields = fields

    def candidates(self, name: str) -> list[Candidate]:
        return [Candidate(("", at), shared) for at, shared in self.names.get(name, [])]

    def reference(self, place: Place, relocation: Relocation) -> Place | None:
        raw = self.fields.get(place[1])
        if raw is None:
            return None
        return "", raw - relocation.addend + place[1]


def plain() -> Object:
    """A function that refers to a static counter through its section, and calls a helper."""
    text = Section(name=".text", flags=c.SHF_ALLOC | c.SHF_EXECINSTR, data=bytes(32))
    data = Section(name=".data", flags=c.SHF_ALLOC | c.SHF_WRITE, data=bytes(64))
    anchor = Symbol(name="", type=c.STT_SECTION, section=data)
    helper = Symbol(name="helper", binding=c.STB_GLOBAL)
    entries = [
        Relocation(offset=4, type=2, symbol=anchor, addend=0x20 - 4),
        Relocation(offset=12, type=4, symbol=helper, addend=-4),
    ]
    rela = RelocationSection(name=".rela.text", type=c.SHT_RELA, target=text, entries=entries)
    return Object(
        sections=[text, data, rela],
        symbols=[
            anchor,
            Symbol(name="f", type=c.STT_FUNC, section=text, size=32),
            Symbol(name="count", type=c.STT_OBJECT, section=data, value=0x20, size=4),
            Symbol(name="unseen", type=c.STT_OBJECT, section=data, value=0x30, size=4),
            helper,
        ],
    )


def proof(state: Match = Match.MATCHES) -> BaseProof:
    function = FunctionProof(name="f", section=".text", size=32, state=state, address=TEXT)
    return BaseProof(source="a.c", object_name="vmlinux", image="i", functions=(function,))


def shipped(**names: list[tuple[int, bool]]) -> Shipped:
    # What a linker writes: S + A - P
    return Shipped(
        names,
        {TEXT + 4: DATA + 0x20 - 4 - (TEXT + 4), TEXT + 12: FAR - 4 - (TEXT + 12)},
    )


def test_where_things_are_by_what_the_code_refers_to() -> None:
    places = Places(plain(), proof(), shipped())
    assert places.of("count", 0) == ("", DATA + 0x20)
    assert places.of("unseen", 0) == ("", DATA + 0x30)
    assert places.of("helper") == ("", FAR)
    assert places.of("f", 0) == ("", TEXT)
    assert places.of("count", 1) is None
    assert places.of("nobody") is None


def test_a_function_that_is_not_the_kernels_tells_nothing() -> None:
    places = Places(plain(), proof(Match.DIFFERS), shipped())
    assert places.of("count", 0) is None
    assert places.of("helper") is None


KERNEL = Kernel(
    release="6.1.0-made", flavour="", arch="amd64", image=Path("-"), modules=Path("-"), config={},
    origin=KernelOrigin(spec="made"), identity="made",
)  # fmt: skip
LOCAL = Origin("count", local=True, file="a.c", nth=0)


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> dict[str, Export]:
    known: dict[str, Export] = {}
    monkeypatch.setattr(Target, "exports", known)
    return known


def resolver(
    monkeypatch: pytest.MonkeyPatch,
    *,
    state: Match = Match.MATCHES,
    **names: list[tuple[int, bool]],
) -> Resolver:
    kernel = shipped(**names)
    monkeypatch.setattr(resolve, "shipped_object", lambda *_, **__: kernel)
    return Resolver(KERNEL, plain(), proof(state))


def test_an_export_is_imported(monkeypatch: pytest.MonkeyPatch, exports: dict[str, Export]) -> None:
    exports["helper"] = Export(1, "vmlinux", True)
    found = resolver(monkeypatch, helper=[(FAR, True)]).resolve("helper", None)
    assert found == Resolved(name="helper", how=How.IMPORT, evidence="exported")
    assert found.symbol == "helper"


def test_an_export_of_a_namespace_is_no_import(
    monkeypatch: pytest.MonkeyPatch, exports: dict[str, Export]
) -> None:
    exports["helper"] = Export(1, "vmlinux", True, "CRYPTO_INTERNAL")
    found = resolver(monkeypatch, helper=[(FAR, True)]).resolve("helper", None)
    assert found.symbol == ".klp.sym.vmlinux.helper,0"


@pytest.mark.usefixtures("exports")
def test_a_static_variable_among_namesakes(monkeypatch: pytest.MonkeyPatch) -> None:
    namesakes = [(DATA, False), (DATA + 0x10, True), (DATA + 0x20, False)]
    found = resolver(monkeypatch, count=namesakes).resolve("count", LOCAL)
    assert found.symbol == ".klp.sym.vmlinux.count,3"
    assert not found.late


def test_a_static_that_shares_its_name_with_an_export(
    monkeypatch: pytest.MonkeyPatch, exports: dict[str, Export]
) -> None:
    exports["count"] = Export(1, "vmlinux", False)
    found = resolver(monkeypatch, count=[(DATA + 0x20, False), (FAR, True)]).resolve("count", LOCAL)
    assert found.symbol == ".klp.sym.vmlinux.count,1"


@pytest.mark.usefixtures("exports")
@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "needs count, which 6.1.0-made does not have in vmlinux"),
        ([(DATA + 0x24, False)], "its symbol table has none of that name"),
    ],
)
def test_a_symbol_that_is_not_where_the_code_says(
    monkeypatch: pytest.MonkeyPatch, names: list[tuple[int, bool]], says: str
) -> None:
    with pytest.raises(BuildError) as caught:
        resolver(monkeypatch, count=names).resolve("count", LOCAL)
    assert says in caught.value.message.replace("where its", "its")


@pytest.mark.usefixtures("exports")
def test_namesakes_that_nothing_tells_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [(DATA, False), (DATA + 0x20, False)]
    with pytest.raises(BuildError, match="2 symbols count, and nothing tells which"):
        resolver(monkeypatch, state=Match.DIFFERS, count=names).resolve("count", LOCAL)


@pytest.mark.usefixtures("exports")
def test_a_new_reference_to_the_only_global_one(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [(DATA, False), (FAR, True), (FAR + 64, False)]
    found = resolver(monkeypatch, fresh=names).resolve("fresh", None)
    assert (found.sympos, found.evidence) == (2, "the only global one of that name")


def test_what_a_field_holds_is_read_as_the_linker_wrote_it() -> None:
    """The reader of the real image, on bytes made here."""
    from lpharness.engine.emit.places import _FIELDS, _Image

    image = _Image.__new__(_Image)
    place = TEXT + 4
    for type_, (width, relative) in _FIELDS.items():
        value = (DATA + 8 - (place if relative else 0)) % (1 << 64)
        raw = struct.pack("<Q", value)[:width]
        image._vmlinux = type("V", (), {"read": lambda _, __, size, raw=raw: raw[:size]})()
        found = image.reference(
            ("", place), Relocation(offset=0, type=type_, symbol=None, addend=8)
        )
        wanted = DATA if type_ != 10 else DATA % (1 << 32)
        assert found == ("", wanted), type_
