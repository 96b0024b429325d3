"""What a run refuses before anything is fetched, built or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpharness.base.errors import HostError, InputError
from lpharness.cases import load
from lpharness.results.folder import RunFolder
from lpharness.run import Request, plan_run

NOWHERE = "tree:/nowhere"  # resolving it is refused, too, but later


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"workloads": ("nosuch",)}, "no workload 'nosuch'"),
        ({"workloads": ("sleepers",)}, "sleepers needs `park`"),
        ({"variants": ("nosuch",)}, "no variant 'nosuch' of cmdline"),
        ({"backend": "nosuch"}, "no backend named 'nosuch'"),
        ({"uri": "qemu:///session"}, "the qemu backend takes no URI"),
    ],
)
def test_what_does_not_exist_is_refused_first(asked: dict[str, object], says: str) -> None:
    request = Request(cases=(load("cmdline"),), kernels=(NOWHERE,), **asked)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=says):
        plan_run(request)


def test_no_qemu_is_told_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HostError, match="qemu-system-x86_64 is not installed"):
        plan_run(Request(cases=(load("cmdline"),), kernels=(NOWHERE,)))


def test_a_variant_of_one_case_is_no_fault_of_another() -> None:
    cases = (load("cmdline"), load("module-function"))
    request = Request(cases=cases, kernels=(NOWHERE,), variants=("patch-first",))
    with pytest.raises(InputError, match="not a kernel tree"):  # it comes as far as the kernel
        plan_run(request)


@pytest.mark.parametrize("below", ["", "deeper", "deeper/still"])
def test_an_output_below_a_file_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is not a folder"):
        RunFolder.check(tmp_path / "file" / below)
    with pytest.raises(InputError, match="file is not a folder"):
        RunFolder.create(tmp_path / "file" / below)


def test_checking_an_output_makes_nothing(tmp_path: Path) -> None:
    RunFolder.check(tmp_path / "new" / "run")
    assert list(tmp_path.iterdir()) == []
