"""The kept memory of guests that died, or whose transition does not end, read by drgn."""

from __future__ import annotations

from pathlib import Path

import pytest
from faulty_cases import LINE, console_of, try_faulty
from guest_support import KERNEL, spec

from lpharness.base.errors import InputError
from lpharness.kernels.debug_info import debug_vmlinux
from lpharness.results.model import Verdict
from lpharness.vmcore import MemoryReport, find_subject, open_core, read_memory
from lpharness.vmcore.read import Task


@pytest.fixture(autouse=True)
def symbols() -> None:
    pytest.importorskip("drgn", reason="pip install 'lpharness[drgn]'")
    if debug_vmlinux(spec().kernel) is None:
        pytest.skip(f"lpharness kernels fetch {KERNEL} --debug")


def read(folder: Path) -> MemoryReport:
    subject = find_subject(folder)
    return read_memory(open_core(subject.core, subject.vmlinux, subject.modules), lines=500)


def places(task: Task) -> list[str]:
    return [f"{frame.function} {frame.place}" for frame in task.stack]


def test_a_panic_is_told_with_its_stack_and_the_livepatches(tmp_path: Path) -> None:
    trial, folder = try_faulty('	panic("lph gives up");', KERNEL, tmp_path, keep=True)
    assert trial.verdict is Verdict.FAIL
    report = read(folder)
    assert report.release == spec().kernel.release
    assert report.crashed is not None
    assert report.crashed.comm == "cat"
    assert f"lph_show lph_faulty.c:{LINE}" in places(report.crashed)
    assert any(place.startswith("seq_read_iter fs/seq_file.c:") for place in places(report.crashed))
    (patch,) = report.patches
    assert (patch.module, patch.enabled, patch.in_transition) == ("lph_faulty", True, False)
    assert patch.functions == ("vmlinux:cmdline_proc_show -> lph_show",)
    assert any("lph gives up" in line for line in report.messages)
    subject = find_subject(folder)
    with pytest.raises(InputError, match="is not the kernel in"):
        open_core(subject.core, subject.modules[0])


def test_an_oops_is_kept_though_the_guest_lives_on(tmp_path: Path) -> None:
    trial, folder = try_faulty("	*(volatile int *)8 = 1;", KERNEL, tmp_path, keep=True)
    assert trial.verdict is Verdict.FAIL
    assert f"at lph_faulty.c:{LINE}" in trial.reason
    assert "NULL pointer dereference" in console_of(folder)
    report = read(folder)
    assert report.crashed is None
    assert any("NULL pointer dereference" in line for line in report.messages)
    assert [patch.module for patch in report.patches] == ["lph_faulty"]
