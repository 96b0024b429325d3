"""What a livepatch module says about itself, without any kernel beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.elf.foreign import read_table
from lpharness.elf.reader import (
    SHF_RELA_LIVEPATCH,
    SHN_LIVEPATCH,
    SHN_UNDEF,
    STB_WEAK,
    Elf,
    not_this,
)
from lpharness.elf.structures import KlpFunction, KlpObject, KlpPatch, KlpState, read_patch

__all__ = [
    "Import",
    "KlpFunction",
    "KlpObject",
    "KlpPatch",
    "KlpRelocations",
    "KlpState",
    "KlpSymbol",
    "Livepatch",
    "read_livepatch",
]

_SIGNATURE = b"~Module signature appended~\n"  # kernel/module_signature.c
# The limits are the kernel's own: kernel/livepatch/core.c, klp_resolve_symbols()
_KLP_SYMBOL = re.compile(r"\.klp\.sym\.([^.]{1,55})\.([^,]{1,511}),(\d+)")
_KLP_RELA = re.compile(r"\.klp\.rela\.([^.]{1,55})\.(.+)")
_VERSION_ENTRY = 64  # struct modversion_info on 64 bit: unsigned long crc, char name[56]


class Import(Struct, frozen=True, kw_only=True):
    """A symbol that the module needs from the kernel or from another module."""

    name: str
    crc: int | None
    """Of its type as the module was built against it; ``None`` without MODVERSIONS."""
    weak: bool


class KlpRelocations(Struct, frozen=True, kw_only=True):
    """A ``.klp.rela.OBJECT.SECTION`` section, which the kernel's livepatch core applies."""

    object: str
    section: str
    count: int


class KlpSymbol(Struct, frozen=True, kw_only=True):
    """A ``.klp.sym.OBJECT.NAME,SYMPOS`` symbol."""

    object: str
    name: str
    sympos: int


class Livepatch(Struct, frozen=True, kw_only=True):
    """What was read out of a ``.ko``."""

    name: str
    """As the kernel will know it."""
    marked: bool
    """``MODULE_INFO(livepatch, "Y")``, without which the kernel refuses ``klp_enable_patch``."""
    vermagic: str
    depends: tuple[str, ...]
    license: str
    description: str
    signed: bool
    machine: str
    """ELF machine, for example ``EM_X86_64``."""
    enables: bool
    """Whether it calls ``klp_enable_patch``."""
    patch: KlpPatch | None
    """``None`` when neither a ``klp_patch`` nor another builder's table stands in its data (it may
    be put together at run time)."""
    imports: tuple[Import, ...]
    klp_relocations: tuple[KlpRelocations, ...]
    klp_symbols: tuple[KlpSymbol, ...]
    oddities: tuple[str, ...]
    """Malformed livepatch sections and symbols, one line each."""

    @property
    def objects(self) -> tuple[KlpObject, ...]:
        """The objects it patches."""
        return self.patch.objects if self.patch else ()

    @property
    def functions(self) -> tuple[KlpFunction, ...]:
        """The functions it replaces, of all objects, in order."""
        return tuple(function for item in self.objects for function in item.functions)

    @property
    def shadow(self) -> tuple[str, ...]:
        """The shadow variable calls it uses."""
        return tuple(i.name for i in self.imports if i.name.startswith("klp_shadow_"))


def read_livepatch(path: Path | str) -> Livepatch:
    """Read a livepatch module.

    Raises:
        InputError: it cannot be read, is no ELF module, is cut short or damaged, or has nothing
            to do with livepatch.
    """
    path = Path(path)
    elf = Elf.open(path)
    if elf.section(".gnu.linkonce.this_module") is None:
        raise not_this(path, "not a kernel module (no struct module in it)")
    facts = _modinfo(elf)
    imports = tuple(_imports(elf))
    marked = facts.get("livepatch", "").startswith("Y")
    enables = any(item.name == "klp_enable_patch" for item in imports)
    if not marked and not enables:
        raise InputError(
            f"{path}: not a livepatch: it is not marked as one and calls no klp_enable_patch",
            hint='a livepatch has MODULE_INFO(livepatch, "Y")',
        )
    oddities: list[str] = []
    return Livepatch(
        name=facts.get("name", "") or path.name.split(".")[0].replace("-", "_"),
        marked=marked,
        vermagic=facts.get("vermagic", "").strip(),
        depends=tuple(name for name in facts.get("depends", "").split(",") if name),
        license=facts.get("license", ""),
        description=facts.get("description", ""),
        signed=elf.data.endswith(_SIGNATURE),
        machine=elf.machine,
        enables=enables,
        patch=read_patch(elf) or read_table(elf),
        imports=imports,
        klp_relocations=tuple(_klp_relocations(elf, oddities)),
        klp_symbols=tuple(_klp_symbols(elf, oddities)),
        oddities=tuple(oddities),
    )


def _modinfo(elf: Elf) -> dict[str, str]:
    section = elf.section(".modinfo")
    raw = bytes(elf.content(section)) if section else b""
    pairs = (entry.decode(errors="replace").partition("=") for entry in raw.split(b"\0") if entry)
    facts: dict[str, str] = {}
    for key, _, value in pairs:
        facts.setdefault(key, value)
    return facts


def _imports(elf: Elf) -> Iterator[Import]:
    versions = _versions(elf)
    for symbol in elf.symbols[1:]:
        if symbol.section == SHN_UNDEF and symbol.name:
            yield Import(
                name=symbol.name, crc=versions.get(symbol.name), weak=symbol.bind == STB_WEAK
            )


def _versions(elf: Elf) -> dict[str, int]:
    section = elf.section("__versions")
    raw = bytes(elf.content(section)) if section else b""
    found = {}
    for start in range(0, len(raw) - _VERSION_ENTRY + 1, _VERSION_ENTRY):
        name = raw[start + 8 : start + _VERSION_ENTRY].split(b"\0", 1)[0]
        # Only the low 32 bits are the CRC: kernel/module/version.c compares a u32.
        found[name.decode(errors="replace")] = int.from_bytes(raw[start : start + 4], "little")
    return found


def _klp_relocations(elf: Elf, oddities: list[str]) -> Iterator[KlpRelocations]:
    for section in elf.sections:
        named = section.name.startswith(".klp.rela.")
        flagged = bool(section.flags & SHF_RELA_LIVEPATCH)
        if not named and not flagged:
            continue
        match = _KLP_RELA.fullmatch(section.name)
        if not match or not flagged:
            oddities.append(
                f"section {section.name}: livepatch relocations need name and flag both"
            )
            continue
        yield KlpRelocations(object=match[1], section=match[2], count=section.size // 24)


def _klp_symbols(elf: Elf, oddities: list[str]) -> Iterator[KlpSymbol]:
    for symbol in elf.symbols:
        named = symbol.name.startswith(".klp.sym.")
        marked = symbol.section == SHN_LIVEPATCH
        if not named and not marked:
            continue
        match = _KLP_SYMBOL.fullmatch(symbol.name)
        if not match or not marked:
            oddities.append(f"symbol {symbol.name}: livepatch symbols need name and section 0xff20")
            continue
        yield KlpSymbol(object=match[1], name=match[2], sympos=int(match[3]))
