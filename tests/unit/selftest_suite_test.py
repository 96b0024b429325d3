"""The kernel's own tests are found in their own makefile and scripts; a kernel may lack theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpharness.base.errors import InputError
from lpharness.kernels.model import Kernel, KernelOrigin
from lpharness.results.folder import RunFolder
from lpharness.results.model import TrialId, Verdict
from lpharness.run import exit_status
from lpharness.selftest.run import Request, Skipped, execute, plan_selftests
from lpharness.selftest.source import SelftestSource, find_tests
from lpharness.selftest.suite import chosen, lacking, read_suite

MAKEFILE = """\
TEST_PROGS_EXTENDED := functions.sh
TEST_PROGS := \\
\ttest-livepatch.sh \\
\ttest-sysfs.sh

TEST_FILES := settings
"""
SCRIPT = """\
#!/bin/bash
start_test "first of {name}"
check_result "start_test is no test here"
  start_test "second of {name}"
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Write a tree that has tests of our own, laid out like the kernel's."""
    tests = tmp_path / "tools/testing/selftests/livepatch"
    (tests / "test_modules").mkdir(parents=True)
    (tests / "Makefile").write_text(MAKEFILE)
    (tests / "config").write_text(
        "CONFIG_LIVEPATCH=y\nCONFIG_DYNAMIC_DEBUG=y\nCONFIG_TEST_LIVEPATCH=m\n"
    )
    for name in ("test-livepatch", "test-sysfs"):
        (tests / f"{name}.sh").write_text(SCRIPT.format(name=name))
    runner = tests.parent / "kselftest/runner.sh"
    runner.parent.mkdir()
    runner.touch()
    return tmp_path


def kernel(spec: str) -> Kernel:
    return Kernel(
        release="6.99.1-own",
        flavour="own",
        arch="amd64",
        image=Path("none"),
        modules=Path("none"),
        config={},
        identity="x",
        origin=KernelOrigin(spec=spec),
    )


def source_of(tree: Path) -> SelftestSource:
    return find_tests(kernel(f"tree:{tree}"), "livepatch")


def test_programs_and_their_tests_are_read_in_order(tree: Path) -> None:
    source = source_of(tree)
    assert source.modules_beside
    found = read_suite(source)
    assert [program.name for program in found] == [
        "livepatch:test-livepatch.sh",
        "livepatch:test-sysfs.sh",
    ]
    assert found[1].tests == ("first of test-sysfs", "second of test-sysfs")


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ([], ["test-livepatch.sh", "test-sysfs.sh"]),
        (["sysfs"], ["test-sysfs.sh"]),
        (["test-sysfs.sh", "test-sysfs"], ["test-sysfs.sh"]),
        (["livepatch:*"], ["test-livepatch.sh", "test-sysfs.sh"]),
        (["second of test-l*"], ["test-livepatch.sh"]),
    ],
)
def test_patterns_name_programs_or_tests_in_them(
    tree: Path, patterns: list[str], wanted: list[str]
) -> None:
    found = chosen(read_suite(source_of(tree)), patterns)
    assert [program.program for program in found] == wanted


def test_a_pattern_that_fits_nothing_is_refused(tree: Path) -> None:
    with pytest.raises(InputError, match=r"no selftest fits 'test-sysf\.sh'") as error:
        chosen(read_suite(source_of(tree)), ["test-sysf.sh"])
    assert error.value.hint == "did you mean 'test-sysfs.sh'?"


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"CONFIG_LIVEPATCH": "y", "CONFIG_DYNAMIC_DEBUG": "y"}, ""),
        ({"CONFIG_LIVEPATCH": "y"}, "CONFIG_DYNAMIC_DEBUG=y"),
        ({}, "CONFIG_LIVEPATCH=y, CONFIG_DYNAMIC_DEBUG=y"),
    ],
)
def test_what_a_kernel_lacks_is_named(tree: Path, config: dict[str, str], wanted: str) -> None:
    assert lacking(source_of(tree), config) == wanted


def test_a_tree_without_tests_and_a_kernel_without_source_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no tools/testing/selftests"):
        find_tests(kernel(f"tree:{tmp_path}"), "livepatch")
    with pytest.raises(InputError, match=r"no source is known for 6\.99\.1-own"):
        find_tests(kernel("files:image=x"), "livepatch")


def test_a_backend_that_is_not_there_is_refused_before_anything_is_fetched() -> None:
    with pytest.raises(InputError, match="vbox"):
        plan_selftests(Request(kernels=("debian:6.1-cloud",), backend="vbox"))


class Listener:
    def __init__(self) -> None:
        self.finished_: list[Verdict] = []

    def planned(self, trials: object) -> None: ...

    def phase(self, trial: object, phase: object) -> None: ...

    def tested(self, trial: object, test: object, verdict: object) -> None: ...

    def finished(self, trial: object) -> None:
        self.finished_.append(trial.verdict)  # type: ignore[attr-defined]


def test_what_a_kernel_cannot_run_is_skipped_with_the_reason(tmp_path: Path) -> None:
    skipped = Skipped(
        id=TrialId(case="livepatch:test-x.sh", kernel="6.99", workload="selftest"),
        reason="6.99 was built without what the tests need: CONFIG_DYNAMIC_DEBUG=y",
    )
    listener = Listener()
    with RunFolder.create(tmp_path / "run") as run:
        trials = execute([skipped], Request(kernels=()), run, listener)
        (read,) = run.trials()
    assert listener.finished_ == [Verdict.SKIP]
    assert (read.verdict, read.reason, read.finished) == (Verdict.SKIP, skipped.reason, True)
    assert exit_status(trials) == 0
