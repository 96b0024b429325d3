"""A livepatch module with another registration: the same bytes, but for one imported name.

The module under test calls ``klp_enable_patch``. For another model it calls ``lph_enable_patch``,
which has as many letters: the name is changed where the symbol table and the table of versions have
it. Code, data, relocations and everything else stay as they were built, whoever built them; and
since it is marked a livepatch, the kernel resolves its livepatch relocations as it always does.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError
from lpharness.base.hashing import identity, sha256_file
from lpharness.elf.reader import Elf, Section
from lpharness.engine.module import Module
from lpharness.models.build import ENABLE, Core

_KERNELS, _OURS = b"klp_enable_patch\0", ENABLE.encode() + b"\0"
_SIGNATURE = b"~Module signature appended~\n"
_SIGNATURE_FACTS = 12  # struct module_signature; its last four bytes are the signature's length
_VERSION = 64  # struct modversion_info: unsigned long crc, char name[56]
_KIND = "registered-modules"


def registered(module: Module, core: Core) -> Module:
    """Return the module that hands its patch to a model instead of the kernel's livepatch core.

    Raises:
        BuildError: it does not register a patch in the usual way.
    """
    key = identity(module.sha256, core.crc)

    def build(folder: Path) -> None:
        (folder / f"{module.name}.ko").write_bytes(with_registration(module.path, core.crc))

    path = Cache().get(_KIND, key, build) / f"{module.name}.ko"
    return msgspec.structs.replace(module, path=path, sha256=sha256_file(path))


def with_registration(path: Path, crc: int | None) -> bytes:
    """Return a module's bytes with `ENABLE` in place of ``klp_enable_patch``.

    Raises:
        BuildError: it does not import that, or another name shares its letters.
    """
    data = bytearray(_without_signature(path.read_bytes()))
    elf = Elf(bytes(data), path)
    strings = elf.section(".strtab")
    at = _only(elf, strings) if strings else None
    if at is None:
        raise BuildError(
            f"{path.name}: does not import klp_enable_patch in the usual way",
            hint="only a module that registers one patch by it can be tried under another model",
        )
    data[at : at + len(_OURS)] = _OURS
    if versions := elf.section("__versions"):
        _rename_version(data, versions, crc)
    return bytes(data)


def _only(elf: Elf, strings: Section) -> int | None:
    """Return where in the file the name stands; ``None`` unless it is there once, by itself."""
    content = bytes(elf.content(strings))
    imported = any(s.name == "klp_enable_patch" and s.section == 0 for s in elf.symbols)
    # A linker may let one name be the end of another.
    if not imported or content.count(_KERNELS) != 1 or content.count(b"\0" + _KERNELS) != 1:
        return None
    return strings.offset + content.index(_KERNELS)


def _rename_version(data: bytearray, versions: Section, crc: int | None) -> None:
    for start in range(versions.offset, versions.offset + versions.size, _VERSION):
        name = start + 8
        if data[name : name + len(_KERNELS)] == _KERNELS:
            data[start:name] = (crc or 0).to_bytes(8, "little")
            data[name : name + len(_OURS)] = _OURS


def _without_signature(data: bytes) -> bytes:
    """Cut off a signature, which would not fit any more: the kernel refuses one that is wrong."""
    if not data.endswith(_SIGNATURE):
        return data
    end = len(data) - len(_SIGNATURE)
    length = int.from_bytes(data[end - 4 : end], "big")
    return data[: end - _SIGNATURE_FACTS - length]
