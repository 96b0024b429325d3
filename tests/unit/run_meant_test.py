"""Which kernels a case is tried on, and why not on the others."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from kernels_support import kernel_at

from lpharness.cases import load
from lpharness.kernels.model import Kernel
from lpharness.run import not_meant_for


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    modules = tmp_path / "6.1.192-small"
    modules.mkdir()
    return kernel_at(modules)


def test_any_kernel_will_do_where_a_case_names_none(kernel: Kernel) -> None:
    case = msgspec.structs.replace(load("cmdline"), kernels=("*",))
    assert not not_meant_for(case, kernel)


@pytest.mark.parametrize(
    ("asks", "says"),
    [
        ({"kernels": ("debian:*-rt",)}, "the case is for debian:*-rt, not for 6.1.192-small"),
        ({"architectures": ("s390x",)}, "the case is for s390x, not for amd64"),
    ],
)
def test_a_case_says_what_it_is_for(kernel: Kernel, asks: dict[str, object], says: str) -> None:
    case = msgspec.structs.replace(load("cmdline"), **asks)
    assert not_meant_for(case, kernel) == says


def test_what_is_built_in_is_no_module_to_patch(kernel: Kernel) -> None:
    case = msgspec.structs.replace(load("module-function"), kernels=("*",))
    assert not not_meant_for(case, kernel)  # zram is a module here
    (kernel.modules / "modules.builtin").write_text("kernel/drivers/block/zram/zram.ko\n")
    assert not_meant_for(case, kernel) == (
        "6.1.192-small has zram built in; the case patches a module"
    )
