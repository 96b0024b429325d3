"""The architecture seams, held by one that isn't x86: kernel, image, module and guest of ppc64el.

The kernel takes minutes to build: `make test-ppc64el` does so, and asks for these tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from asked_for import PROFILES_ONLY
from emit_support import kernel
from emit_trials import expect_pass, tried
from typer.testing import CliRunner

from lpharness.base.errors import InputError
from lpharness.cases import load
from lpharness.cli.main import app
from lpharness.elf.livepatch import read_livepatch
from lpharness.engine.build import build_module
from lpharness.guests.qemu_command import program
from lpharness.results.model import Verdict
from lpharness.run.prepare import Refused, plan_run
from lpharness.run.request import Request

KERNEL = "built:6.1-small-ppc64el"
FAULTS = Path(__file__).parents[1] / "faults"
pytestmark = PROFILES_ONLY


@pytest.fixture(autouse=True)
def _what_it_takes() -> None:
    kernel(KERNEL)
    program("ppc64el")


def test_a_module_is_made_for_it() -> None:
    case = load("cmdline")
    module = build_module(case, case.modules[0], kernel(KERNEL))
    assert read_livepatch(module.path).machine == "EM_PPC64"
    assert module.inspection.problems == ()


@pytest.mark.parametrize("name", ["cmdline", "hot-syscall"])
def test_a_case_passes(name: str, tmp_path: Path) -> None:
    expect_pass(tried(name, KERNEL, tmp_path / "run"))


def test_a_case_that_names_what_only_x86_has_is_a_skip(tmp_path: Path) -> None:
    (trial,) = tried("stall", KERNEL, tmp_path / "run")
    assert (trial.verdict, trial.reason) == (
        Verdict.SKIP,
        "the case is for amd64, not for ppc64el",
    )


def test_an_oops_in_the_new_function_is_told(tmp_path: Path) -> None:
    (trial,) = tried(FAULTS / "crash/oops", KERNEL, tmp_path / "run")
    (healthy,) = [check for check in trial.checks if check.check == "healthy"]
    assert trial.verdict is Verdict.FAIL
    assert "page-fault: BUG: Kernel NULL pointer dereference" in healthy.summary


@pytest.mark.parametrize(
    "words",
    [
        ["run", "cmdline", "-k", KERNEL, "--backend", "libvirt"],
        ["build", "fix.diff", "-k", KERNEL],
        ["selftest", "-k", KERNEL],
    ],
)
def test_what_is_not_there_yet_says_so_in_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fix.diff").write_text("--- a/fs/open.c\n+++ b/fs/open.c\n@@ -1 +1 @@\n-a\n+b\n")
    done = CliRunner().invoke(app, [*words, "-o", "out"])
    assert isinstance(done.exception, InputError)
    assert "not yet on ppc64el" in done.exception.message


def test_another_consistency_model_is_a_skip(tmp_path: Path) -> None:
    request = Request(cases=(load("cmdline"),), kernels=(KERNEL,), models=("kgraft",))
    (entry,) = plan_run(request)
    assert isinstance(entry, Refused)
    assert entry.verdict is Verdict.SKIP
    assert entry.reason.startswith("the model kgraft: not yet on ppc64el")
