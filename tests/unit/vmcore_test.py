"""Dumps that are none, and whose they are: bad input is told in one line before drgn is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpharness.base.errors import InputError
from lpharness.vmcore import find_subject
from lpharness.vmcore.open import find_vmcoreinfo

INFO = (
    b"OSRELEASE=6.1.0-56-cloud-amd64\nPAGESIZE=4096\n"
    b"SYMBOL(swapper_pg_dir)=ffffffff82610000\nKERNELOFFSET=1000000\n"
)


def test_the_kernels_own_note_is_found_in_its_memory(tmp_path: Path) -> None:
    core = tmp_path / "vmcore"
    core.write_bytes(b"x" * 5000 + b"OSRELEASE=%s\n\0" + b"y" * 9000 + INFO + b"\0" + b"z" * 50000)
    assert find_vmcoreinfo(core) == INFO


@pytest.mark.parametrize("content", [b"", b"OSRELEASE=6.1\n\0" + b"x" * 100])
def test_a_file_without_it_is_no_memory_of_a_guest(content: bytes, tmp_path: Path) -> None:
    core = tmp_path / "vmcore"
    core.write_bytes(content)
    with pytest.raises(InputError, match=str(core)):
        find_vmcoreinfo(core)


def test_a_folder_without_a_dump_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no memory of a guest") as caught:
        find_subject(tmp_path)
    assert "--keep-vmcore" in str(caught.value.hint)


def test_a_run_with_several_dumps_asks_which(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "trials" / name).mkdir(parents=True)
        (tmp_path / "trials" / name / "vmcore").write_bytes(b"x")
    with pytest.raises(InputError, match="has 2 of them"):
        find_subject(tmp_path)


def test_a_dump_alone_needs_to_be_told_whose_it_is(tmp_path: Path) -> None:
    core = tmp_path / "vmcore"
    core.write_bytes(b"x")
    with pytest.raises(InputError, match="whose memory"):
        find_subject(core)
    with pytest.raises(InputError, match="no such file"):
        find_subject(core, vmlinux=tmp_path / "vmlinux")
    (tmp_path / "vmlinux").touch()
    assert find_subject(core, vmlinux=tmp_path / "vmlinux").core == core
