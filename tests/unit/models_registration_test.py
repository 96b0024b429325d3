"""A module under another model is the same module, but for the name of what it calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from elf_support import compile_source

from lpharness.base.errors import BuildError
from lpharness.elf.reader import Elf
from lpharness.models.registration import with_registration

CRC = 0xCE16B17E
SOURCE = """
int klp_enable_patch(void *);
int other(void);
%s
static const struct { unsigned long crc; char name[56]; } versions[]
    __attribute__((used, section("__versions"))) = {
    { 0x1234, "other" },
    { 0x5678, "klp_enable_patch" },
};
int init(void *patch) { return other() + klp_enable_patch(patch); }
"""


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return compile_source(SOURCE % "", tmp_path)


def imports(data: bytes) -> set[str]:
    return {s.name for s in Elf(data, "module").symbols if s.name and s.section == 0}


def test_it_calls_the_model_in_place_of_the_kernel(plain: Path) -> None:
    assert imports(plain.read_bytes()) == {"klp_enable_patch", "other"}
    assert imports(with_registration(plain, CRC)) == {"lph_enable_patch", "other"}


def test_nothing_else_changes_but_the_version_of_that_call(plain: Path) -> None:
    before, after = plain.read_bytes(), with_registration(plain, CRC)
    assert len(before) == len(after)
    changed = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    # Twice the letters k, l and p of a name, and the lower bytes of one CRC.
    assert len(changed) == 2 * 3 + 4
    versions = Elf(after, "module").section("__versions")
    assert versions is not None
    entry = after[versions.offset + 64 : versions.offset + 128]
    assert int.from_bytes(entry[:8], "little") == CRC
    assert entry[8:].rstrip(b"\0") == b"lph_enable_patch"
    assert after[versions.offset : versions.offset + 8] == (0x1234).to_bytes(8, "little")


def test_a_signature_that_would_not_fit_is_cut_off(plain: Path) -> None:
    facts = bytes(8) + (5).to_bytes(4, "big")
    signed = plain.with_name("signed.o")
    signed.write_bytes(plain.read_bytes() + b"12345" + facts + b"~Module signature appended~\n")
    assert with_registration(signed, CRC) == with_registration(plain, CRC)


def test_what_registers_no_patch_is_refused(tmp_path: Path) -> None:
    other = compile_source("int f(void) { return 1; }", tmp_path)
    with pytest.raises(BuildError, match="does not import klp_enable_patch"):
        with_registration(other, CRC)


def test_a_name_that_ends_another_is_refused(tmp_path: Path) -> None:
    shared = compile_source(SOURCE % "int my_klp_enable_patch = 1;", tmp_path)
    with pytest.raises(BuildError, match="in the usual way"):
        with_registration(shared, CRC)
