"""Reading, editing and writing relocatable objects: round trips, other tools, hostile input."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lpharness.base.errors import HostError, InputError
from lpharness.elf import constants as c
from lpharness.elf.object import (
    GroupSection,
    Object,
    Relocation,
    RelocationSection,
    Section,
    Symbol,
)
from lpharness.elf.object_reader import parse_object, read_object
from lpharness.elf.writer import save_object, write_object

SOURCE = """
extern int outside(const char *, int);
static int counter; int table[4] = {1, 2, 3}; int common[3];
const char *name = "name";
__attribute__((weak)) int maybe(void) { return 1; }
__attribute__((section(".special,\\"aw\\",@progbits#"))) int special = 3;
static __attribute__((noinline)) int inner(int x) { counter += x; return outside("text", counter); }
int outer(int x)
{
    switch (x) {
    case 0: return inner(1);
    case 1: return inner(7) + maybe();
    case 2: return outside("other", 9);
    case 3: return 12 + special;
    case 4: return inner(8) * table[2];
    case 5: return common[1];
    }
    return 0;
}
"""

CXX = "template <class T> struct A { static T f(T x) { return x; } }; int g() { return A<int>::f(2); }"  # noqa: E501

COMPILERS = [name for name in ("gcc-12", "gcc", "clang") if shutil.which(name)]
FLAGS = {
    "plain": ["-O2"],
    "split": ["-O2", "-ffunction-sections", "-fdata-sections"],
    "debug": ["-O0", "-g"],
    "common": ["-O2", "-fcommon", "-fPIC"],
}


def compile_c(folder: Path, compiler: str, flags: list[str], source: str = SOURCE) -> Path:
    (folder / "t.c").write_text(source)
    target = folder / "t.o"
    subprocess.run([compiler, "-c", *flags, "t.c", "-o", target], cwd=folder, check=True)
    return target


def describe(obj: Object) -> object:
    """An object as plain values, so that two can be compared without identities."""
    sections = {id(section): number for number, section in enumerate(obj.sections)}
    symbols = {id(symbol): number for number, symbol in enumerate(obj.symbols)}

    def at(section: Section | None) -> int | None:
        return None if section is None else sections[id(section)]

    described: list[object] = []
    for section in obj.sections:
        plain = (
            type(section).__name__,
            section.name,
            section.type,
            section.flags,
            section.address,
            section.align,
            section.entry_size,
            section.data,
            section.reserved,
            at(section.link),
            section.info,
            at(section.info_link),
        )
        extra: object = None
        if isinstance(section, RelocationSection):
            extra = (
                at(section.target),
                [
                    (r.offset, r.type, r.addend, symbols[id(r.symbol)] if r.symbol else None)
                    for r in section.entries
                ],
            )
        if isinstance(section, GroupSection):
            extra = (
                symbols[id(section.signature)],
                section.group_flags,
                [at(member) for member in section.members],
            )
        described.append((plain, extra))
    table = [
        (s.name, s.binding, s.type, s.other, at(s.section), s.reserved, s.value, s.size)
        for s in obj.symbols
    ]
    header = (obj.machine, obj.bits, obj.little_endian, obj.os_abi, obj.abi_version, obj.flags)
    return header, described, table


# -- what compilers make


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_compiled_object_comes_back_as_it_was(
    tmp_path: Path, compiler: str, flags: list[str]
) -> None:
    obj = read_object(compile_c(tmp_path, compiler, flags))
    again = parse_object(write_object(obj))
    assert describe(again) == describe(obj)
    assert write_object(again) == write_object(obj)


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_binutils_find_nothing_to_complain_about(
    tmp_path: Path, compiler: str, flags: list[str]
) -> None:
    original = compile_c(tmp_path, compiler, flags)
    written = tmp_path / "written.o"
    save_object(read_object(original), written)
    readelf = subprocess.run(
        ["readelf", "-aW", written], capture_output=True, text=True, check=True
    )
    assert readelf.stderr == ""
    subprocess.run(["ld", "-r", written, "-o", tmp_path / "linked.o"], check=True)
    subprocess.run(["objcopy", written, tmp_path / "copied.o"], check=True)
    listings = [
        subprocess.run(
            ["objdump", "-drw", file], capture_output=True, text=True, check=True
        ).stdout.partition("Disassembly")[2]
        for file in (original, written)
    ]
    assert listings[0] == listings[1] != ""


def test_a_comdat_group_survives(tmp_path: Path) -> None:
    if not shutil.which("g++"):
        pytest.skip("no C++ compiler")
    (tmp_path / "t.cc").write_text(CXX)
    subprocess.run(["g++", "-c", "t.cc", "-o", "t.o"], cwd=tmp_path, check=True)
    obj = read_object(tmp_path / "t.o")
    (group,) = obj.groups()
    assert group.group_flags == c.GRP_COMDAT
    assert next(member.name for member in group.members).startswith(".text.")
    save_object(obj, tmp_path / "w.o")
    listing = subprocess.run(
        ["readelf", "-gW", tmp_path / "w.o"], capture_output=True, text=True, check=True
    )
    assert group.signature.name in listing.stdout
    assert listing.stderr == ""


def test_an_edited_object_links_and_runs(tmp_path: Path) -> None:
    """Rename a function, add one symbol and one relocation: what comes out still links."""
    source = "int give(void) { return 3; } int main(void) { return give() - 3; }"
    obj = read_object(compile_c(tmp_path, COMPILERS[0], ["-O0"], source))
    give = obj.symbol("give")
    assert give is not None
    give.name = "renamed"
    pointer = Section(name=".data.ptr", flags=c.SHF_ALLOC | c.SHF_WRITE, align=8, data=bytes(8))
    table = RelocationSection(
        name=".rela.data.ptr", type=c.SHT_RELA, align=8, entry_size=24, target=pointer
    )
    table.entries.append(Relocation(offset=0, type=1, symbol=give))
    obj.sections += [pointer, table]
    save_object(obj, tmp_path / "edited.o")
    subprocess.run([COMPILERS[0], "edited.o", "-o", "program"], cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "program"], check=True)


def test_more_sections_than_a_symbol_can_number(tmp_path: Path) -> None:
    count = c.SHN_LORESERVE + 40
    assembly = "".join(f'.section s{i},"a"\nx{i}: .byte {i & 255}\n' for i in range(count))
    (tmp_path / "t.s").write_text(assembly)
    subprocess.run(["as", "t.s", "-o", "t.o"], cwd=tmp_path, check=True)
    obj = read_object(tmp_path / "t.o")
    last = obj.symbol(f"x{count - 1}")
    assert last is not None
    assert last.section is not None
    assert (last.section.name, last.section.data) == (f"s{count - 1}", bytes([(count - 1) & 255]))
    written = write_object(obj)
    assert describe(parse_object(written)) == describe(obj)
    (tmp_path / "w.o").write_bytes(written)
    readelf = subprocess.run(
        ["readelf", "-hW", tmp_path / "w.o"], capture_output=True, text=True, check=True
    )
    assert readelf.stderr == ""


def test_livepatch_relocations_survive(tmp_path: Path) -> None:
    """Two tables for one section, SHF_RELA_LIVEPATCH, symbols at SHN_LIVEPATCH."""
    text = Section(name=".text", flags=c.SHF_ALLOC | c.SHF_EXECINSTR, align=16, data=bytes(16))
    symbol = Symbol(
        name=".klp.sym.vmlinux.printk,0", binding=c.STB_GLOBAL, reserved=c.SHN_LIVEPATCH
    )
    plain = Symbol(name="printk", binding=c.STB_GLOBAL)
    rela = RelocationSection(
        name=".rela.text", type=c.SHT_RELA, flags=c.SHF_INFO_LINK, align=8, entry_size=24,
        target=text, entries=[Relocation(offset=1, type=4, symbol=plain, addend=-4)],
    )  # fmt: skip
    klp = RelocationSection(
        name=".klp.rela.vmlinux..text",
        type=c.SHT_RELA,
        flags=c.SHF_ALLOC | c.SHF_INFO_LINK | c.SHF_RELA_LIVEPATCH,
        align=8,
        entry_size=24,
        target=text,
        entries=[Relocation(offset=8, type=4, symbol=symbol, addend=-4)],
    )
    obj = Object(sections=[text, rela, klp], symbols=[symbol, plain])
    again = parse_object(write_object(obj))
    assert describe(again) == describe(obj)
    assert [table.name for table in again.relocation_sections(again.sections[0])] == [
        ".rela.text",
        ".klp.rela.vmlinux..text",
    ]
    assert again.symbols[0].reserved == c.SHN_LIVEPATCH


# -- what hypothesis makes

names = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12)


@st.composite
def objects(draw: st.DrawFn) -> Object:
    bits = draw(st.sampled_from([32, 64]))
    rela_type = draw(st.sampled_from([c.SHT_RELA, c.SHT_REL]))
    biggest = (1 << bits) - 1
    obj = Object(
        machine=draw(
            st.sampled_from([c.EM_X86_64, c.EM_AARCH64, c.EM_S390, c.EM_MIPS, c.EM_386, 9999])
        ),
        bits=bits,
        little_endian=draw(st.booleans()),
        os_abi=draw(st.integers(0, 255)),
        flags=draw(st.integers(0, 2**32 - 1)),
    )
    plain: list[Section] = []
    for _ in range(draw(st.integers(0, 6))):
        bss = draw(st.booleans())
        section = Section(
            name=draw(names),
            type=c.SHT_NOBITS if bss else draw(st.sampled_from([c.SHT_PROGBITS, c.SHT_NOTE, 77])),
            flags=draw(st.integers(0, 63)) | draw(st.sampled_from([0, c.SHF_RELA_LIVEPATCH])),
            align=draw(st.sampled_from([0, 1, 2, 16, 4096, 8192])),
            entry_size=draw(st.integers(0, 32)),
            data=b"" if bss else draw(st.binary(max_size=40)),
            reserved=draw(st.integers(0, biggest)) if bss else 0,
            info=draw(st.integers(0, 9)),
            link=draw(st.sampled_from(plain)) if plain and draw(st.booleans()) else None,
        )
        plain.append(section)
    for _ in range(draw(st.integers(0, 8))):
        home = draw(st.sampled_from([None, *plain]))
        obj.symbols.append(
            Symbol(
                name=draw(names),
                binding=draw(st.integers(0, 2)),
                type=draw(st.integers(0, 4)),
                other=draw(st.integers(0, 255)),
                section=home,
                reserved=0
                if home
                else draw(st.sampled_from([c.SHN_UNDEF, c.SHN_ABS, c.SHN_COMMON, c.SHN_LIVEPATCH])),
                value=draw(st.integers(0, biggest)),
                size=draw(st.integers(0, biggest)),
            )
        )
    obj.symbols.sort(key=lambda symbol: not symbol.local)
    obj.sections = list(plain)
    type_limit = 0xFF if bits == 32 else 0xFFFFFFFF
    for target in [section for section in plain if section.size]:
        if draw(st.booleans()):
            entries = [
                Relocation(
                    offset=draw(st.integers(0, target.size - 1)),
                    type=draw(st.integers(0, type_limit)),
                    symbol=draw(st.sampled_from([None, *obj.symbols])),
                    addend=draw(st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1))
                    if rela_type == c.SHT_RELA
                    else 0,
                )
                for _ in range(draw(st.integers(0, 4)))
            ]
            obj.sections.append(
                RelocationSection(
                    name=".rela" + target.name, type=rela_type, target=target, entries=entries
                )
            )
    if obj.symbols and plain and draw(st.booleans()):
        obj.sections.insert(
            0,
            GroupSection(
                name=".group",
                type=c.SHT_GROUP,
                signature=draw(st.sampled_from(obj.symbols)),
                group_flags=draw(st.integers(0, 3)),
                members=draw(st.lists(st.sampled_from(plain), max_size=3)),
            ),
        )
    return obj


def _normal(obj: Object) -> Object:
    """What the format cannot tell apart: under SHF_INFO_LINK a number is a section."""
    for section in obj.sections:
        if section.flags & c.SHF_INFO_LINK and not isinstance(section, RelocationSection):
            section.flags &= ~c.SHF_INFO_LINK
    return obj


@given(objects())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_object_comes_back_as_it_was(obj: Object) -> None:
    obj = _normal(obj)
    content = write_object(obj)
    assert describe(parse_object(content)) == describe(obj)


# -- what an enemy makes


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    flags = ["-O2", "-g0", "-ffunction-sections"]
    return compile_c(tmp_path_factory.mktemp("victim"), COMPILERS[0], flags).read_bytes()


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_a_mutated_object_is_read_or_refused(victim: bytes, data: st.DataObject) -> None:
    content = bytearray(victim)
    # Half of the hits go where they hurt: the header and the section header table at the end.
    (table,) = struct.unpack_from("<Q", content, 0x28)
    where = st.one_of(
        st.integers(0, 63), st.integers(table, len(content) - 1), st.integers(0, len(content) - 1)
    )
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(where)
        new = data.draw(
            st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff" * 8, bytes(8)]))
        )
        content[start : start + len(new)] = new
    content = content[: data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]
    try:
        obj = parse_object(bytes(content))
    except InputError as error:
        if "\n" in str(error):
            pytest.fail("more than one line")
        return
    assert describe(parse_object(write_object(obj))) == describe(obj)


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    for content in (noise, c.MAGIC + noise, c.MAGIC + b"\x02\x01\x01" + noise):
        with pytest.raises(InputError):
            parse_object(content)


def test_many_sections_cannot_claim_one_extent(victim: bytes) -> None:
    """A few kilobytes of headers must not turn into gigabytes of copies."""
    content = bytearray(victim)
    (table,) = struct.unpack_from("<Q", content, 0x28)
    (count,) = struct.unpack_from("<H", content, 0x3C)
    for number in range(1, count):
        if struct.unpack_from("<I", content, table + 64 * number + 4)[0] == c.SHT_PROGBITS:
            struct.pack_into("<QQ", content, table + 64 * number + 24, 0, len(content))
    with pytest.raises(InputError, match="overlap"):
        parse_object(bytes(content))


def test_overlapping_long_names_are_bounded() -> None:
    """One long string and many symbols that point into it would be quadratic."""
    long = "x" * 60000
    obj = Object(symbols=[Symbol(name=long)] + [Symbol(name=f"y{i}") for i in range(4000)])
    content = bytearray(write_object(obj))
    start = content.find(struct.pack("<IBBHQQ", 1, 0, 0, 0, 0, 0))
    for number in range(4000):
        struct.pack_into("<I", content, start + 24 * (number + 1), 2 + number)
    with pytest.raises(InputError, match="overlap beyond measure"):
        parse_object(bytes(content))


def test_what_is_no_relocatable_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a relocatable object"):
        read_object(Path("/bin/sh").resolve())
    with pytest.raises(InputError, match="cannot read"):
        read_object(tmp_path / "missing.o")
    with pytest.raises(InputError, match="cannot read"):
        read_object(tmp_path)


def test_an_inconsistent_object_is_not_written(tmp_path: Path) -> None:
    text = Section(name=".text", data=bytes(8))
    stray = RelocationSection(name=".rela.text", type=c.SHT_RELA, target=text)
    stray.entries.append(Relocation(offset=0, type=1, symbol=Symbol(name="nowhere")))
    with pytest.raises(HostError, match="names symbol nowhere"):
        write_object(Object(sections=[text, stray]))
    with pytest.raises(HostError, match=r"names section \.text"):
        write_object(Object(sections=[stray]))
    with pytest.raises(HostError, match="too_big"):
        write_object(Object(symbols=[Symbol(name="too_big", value=1 << 64)]))
    with pytest.raises(HostError, match="cannot write"):
        save_object(Object(), tmp_path / "no" / "folder.o")
    assert list(tmp_path.iterdir()) == []


def test_a_local_symbol_behind_a_global_one_is_refused(tmp_path: Path) -> None:
    from elftools.elf.elffile import ELFFile

    (tmp_path / "t.c").write_text("int one(void) { return 1; } int two(void) { return 2; }")
    subprocess.run(["gcc", "-c", "t.c"], cwd=tmp_path, check=True)
    data = bytearray((tmp_path / "t.o").read_bytes())
    with (tmp_path / "t.o").open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        last = table["sh_offset"] + table["sh_size"] - table["sh_entsize"]
    data[last + 4] &= 0x0F  # st_info: binding STB_LOCAL
    with pytest.raises(InputError, match="is local but comes after global ones"):
        parse_object(bytes(data), name="t.o")


@pytest.mark.skipif(
    shutil.which("clang") is None or shutil.which("ld") is None, reason="needs clang and ld"
)
def test_what_ld_makes_of_clangs_hints_is_left_out(tmp_path: Path) -> None:
    """A module is linked: ld gives a section symbol to the hints, too."""
    (tmp_path / "a.c").write_text("int f(void) { return 1; }\n")
    for command in ("clang -c a.c -o a.o", "ld -r a.o -o linked.o"):
        subprocess.run(command.split(), cwd=tmp_path, check=True)
    linked = read_object(tmp_path / "linked.o")
    assert ".llvm_addrsig" not in {section.name for section in linked.sections}
    assert linked.symbol("f") is not None
