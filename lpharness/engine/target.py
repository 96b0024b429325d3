"""The kernel's side of an inspection: its modules, exports and symbols, as files tell them."""

from __future__ import annotations

import difflib
import lzma
import shutil
import subprocess
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from lpharness.archive import Archive
from lpharness.base.errors import HostError, InputError
from lpharness.elf.reader import LARGEST, STT_FUNC, STT_SECTION, Elf
from lpharness.kernels.headers import cached_headers
from lpharness.kernels.model import Kernel
from lpharness.kernels.symbols import SymbolTable, load_symbols

_SUFFIXES = (".ko", ".ko.xz", ".ko.zst", ".ko.gz")


class Export(Struct, frozen=True):
    """A line of ``Module.symvers``."""

    crc: int
    object: str
    """``vmlinux``, or the module's path in the kernel's tree."""
    gpl: bool
    namespace: str = ""
    """What a module has to import to use it; empty for most."""


class Found(Struct, frozen=True):
    """One symbol of the name looked for, in the order that sympos counts."""

    address: int
    shown_as: str
    """The name that stacks and traces show for its address, where it has several."""
    traceable: bool | None
    """Whether ftrace has a site in it; ``None`` if only a running kernel can tell."""


class Target:
    """What can be told of a kernel without booting it; each file is read when first needed."""

    def __init__(self, kernel: Kernel, beside: Mapping[str, Path] | None = None) -> None:
        """Take a kernel, and modules that are there besides its own, by name."""
        self.kernel = kernel
        self._beside = beside or {}
        self._elves: dict[str, Elf] = {}

    @cached_property
    def _files(self) -> dict[str, Path]:
        """The kernel's modules by name as the kernel has it (``-`` is ``_``)."""
        for index in ("modules.dep", "modules.order"):
            listing = self.kernel.modules / index
            if listing.is_file():
                lines = listing.read_text(errors="replace").splitlines()
                paths = [line.split(":", 1)[0].strip() for line in lines if line.strip()]
                return {module_name(path): self.kernel.modules / path for path in paths}
        return {}

    def module_file(self, name: str) -> Path | None:
        """Return the ``.ko`` (or compressed ``.ko``) of a module, if there is one."""
        if name in self._beside:
            return self._beside[name]
        listed = self._files.get(name)
        if listed is None:
            return None
        plain = listed.with_name(listed.name.split(".ko")[0])
        choices = [listed, *(plain.with_name(plain.name + suffix) for suffix in _SUFFIXES)]
        return next((path for path in choices if path.is_file()), None)

    @cached_property
    def _builtin(self) -> frozenset[str]:
        listing = self.kernel.modules / "modules.builtin"
        if not listing.is_file():
            return frozenset()
        return frozenset(module_name(line) for line in listing.read_text().splitlines())

    def is_builtin(self, name: str) -> bool:
        """Tell whether what could be a module is part of vmlinux in this kernel."""
        return name in self._builtin

    def elf(self, name: str) -> Elf | None:
        """Return a module's ELF file, decompressed, if the kernel has the module.

        Raises:
            InputError: the kernel's own file is damaged.
            HostError: it is compressed in a way this host cannot undo.
        """
        if name not in self._elves:
            path = self.module_file(name)
            if path is None:
                return None
            self._elves[name] = Elf(_decompressed(path), path)
        return self._elves[name]

    @cached_property
    def vermagic(self) -> str | None:
        """The version magic of the kernel's own modules, read from one of them."""
        for name in list(self._files)[:20]:
            if elf := self.elf(name):
                section = elf.section(".modinfo")
                entries = bytes(elf.content(section)).split(b"\0") if section else []
                for entry in entries:
                    if entry.startswith(b"vermagic="):
                        return entry[len(b"vermagic=") :].decode(errors="replace").strip()
        return None

    @cached_property
    def exports(self) -> dict[str, Export] | None:
        """Every exported symbol; ``None`` while the kernel's headers are not at hand."""
        headers = self.kernel.headers or self._cached_headers()
        listing = headers / "Module.symvers" if headers else None
        if listing is None or not listing.is_file():
            return None
        found = {}
        for line in listing.read_text(errors="replace").splitlines():
            fields = line.split("\t")
            if len(fields) >= 4:
                crc = int(fields[0], 16)
                namespace = fields[4].strip() if len(fields) > 4 else ""
                found[fields[1]] = Export(crc, fields[2], "GPL" in fields[3], namespace)
        return found

    def _cached_headers(self) -> Path | None:
        return cached_headers(self.kernel, Archive()) if self.kernel.origin.package else None

    def find(self, object_name: str, symbol: str) -> list[Found] | None:
        """Return the symbols of a name in an object, in sympos order; ``None`` if unknown."""
        if object_name == "vmlinux":
            return self._in_vmlinux(symbol)
        elf = self.elf(object_name)
        return None if elf is None else _in_module(elf, symbol)

    def _in_vmlinux(self, symbol: str) -> list[Found] | None:
        table = self._symbols
        if table is None:
            return None
        return [
            Found(address, table.first_name_at(address) or symbol, None)
            for address in table.addresses(symbol)
        ]

    @cached_property
    def _symbols(self) -> SymbolTable | None:
        return load_symbols(self.kernel)

    def near(self, object_name: str, symbol: str) -> str | None:
        """Return the function of an object whose name is nearest to one that is not there."""
        if object_name == "vmlinux":
            names = self._symbols.functions_like(symbol) if self._symbols else []
        else:
            elf = self.elf(object_name)
            names = [s.name for s in elf.symbols if s.type == STT_FUNC] if elf else []
        return next(iter(difflib.get_close_matches(symbol, names, 1)), None)


def _in_module(elf: Elf, symbol: str) -> list[Found]:
    """Look up as the kernel does: every named symbol of the table, in the table's order.

    klp_find_object_symbol() counts whatever module_symbols_on_each_symbol() yields, which is the
    module's own symbol table in order, undefined symbols left out (kernel/module/kallsyms.c).
    """
    found = []
    for entry in elf.symbols:
        if entry.name != symbol or entry.section == 0 or entry.type == STT_SECTION:
            continue
        end = entry.value + max(entry.size, 1)
        sites = elf.trace_sites.get(entry.section, ())
        traceable = any(entry.value <= site < end for site in sites)
        found.append(Found(entry.value, symbol, traceable))
    return found


def module_name(path: str) -> str:
    """Return the kernel's name of a module file."""
    return path.rsplit("/", 1)[-1].split(".ko", 1)[0].replace("-", "_")


def _decompressed(path: Path) -> bytes:
    """Return a module file's bytes, bounded in size whatever the compressed file claims."""
    raw = path.read_bytes()
    try:
        if path.suffix == ".xz":
            data = lzma.LZMADecompressor().decompress(raw, LARGEST + 1)
        elif path.suffix == ".gz":
            data = zlib.decompressobj(wbits=31).decompress(raw, LARGEST + 1)
        elif path.suffix == ".zst":
            data = _unzstd(path)
        else:
            data = raw
    except (lzma.LZMAError, zlib.error, EOFError) as error:
        raise InputError(f"{path}: cannot be decompressed: {error}") from None
    if len(data) > LARGEST:
        raise InputError(f"{path}: larger than {LARGEST >> 20} MiB when decompressed")
    return data


def _unzstd(path: Path) -> bytes:
    """Decompress with zstd's own program: Python 3.11 has no zstd."""
    if shutil.which("zstd") is None:
        raise HostError(f"{path}: zstd is needed to read it", hint="install it: apt install zstd")
    with subprocess.Popen(
        ["zstd", "-dcq", "--", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        data = process.stdout.read(LARGEST + 1)
        process.kill()
    return data
