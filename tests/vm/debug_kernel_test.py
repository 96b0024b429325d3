"""What a kernel with its own checkers tells of patches that only it can catch."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from asked_for import PROFILES_ONLY
from faulty_cases import LINE, console_of, try_faulty

from lpharness.base.errors import InputError
from lpharness.kernels import resolve
from lpharness.results.model import Trial, Verdict

KERNEL = "built:6.1-debug"

pytestmark = PROFILES_ONLY


@pytest.fixture(autouse=True)
def built() -> None:
    if hint := _missing():
        pytest.skip(hint)


@cache
def _missing() -> str:
    try:
        resolve(KERNEL)
    except InputError as error:
        return str(error)
    return ""


def why_unhealthy(trial: Trial) -> str:
    return next(check.summary for check in trial.checks if check.check == "healthy")


def test_memory_that_the_patch_loses_is_a_fault(tmp_path: Path) -> None:
    """The patch is gone when the kernel is asked; its function is named all the same."""
    body = "	char *lost = kmalloc(333, GFP_KERNEL);\n\n	OPTIMIZER_HIDE_VAR(lost);"
    trial, _ = try_faulty(body, KERNEL, tmp_path)
    assert trial.verdict is Verdict.FAIL
    assert "memory leak: " in why_unhealthy(trial)
    assert "512 bytes allocated in lph_show+" in why_unhealthy(trial)
    assert f"lph_faulty.c:{LINE}" in why_unhealthy(trial)


@pytest.mark.parametrize(
    ("body", "report", "offset"),
    [
        (
            "	volatile char *gone = kmalloc(64, GFP_KERNEL);\n\n	kfree((void *)gone);\n"
            "	gone[8] = 1;",
            "kasan: BUG: KASAN: use-after-free in lph_show+",
            3,
        ),
        (
            "	static DEFINE_SPINLOCK(lock);\n\n	spin_lock(&lock);\n	msleep(1);\n"
            "	spin_unlock(&lock);",
            "atomic-sleep: BUG: ",
            3,
        ),
    ],
    ids=["use after free", "sleeping under a spinlock"],
)
def test_the_kernels_own_report_is_the_evidence(
    body: str, report: str, offset: int, tmp_path: Path
) -> None:
    trial, folder = try_faulty(body, KERNEL, tmp_path)
    assert trial.verdict is Verdict.FAIL
    assert report in why_unhealthy(trial), console_of(folder)
    assert f"lph_faulty.c:{LINE + offset}" in why_unhealthy(trial)
