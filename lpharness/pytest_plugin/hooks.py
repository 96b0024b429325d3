"""What the plugin tells pytest: options, markers, kernels as parameters, what a failure shows."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lpharness.pytest_plugin.session import Session

SESSION: pytest.StashKey[Session] = pytest.StashKey()
"""The guest of a test, for what its report shows when it fails."""

DEFAULT_KERNEL = "debian:6.1-cloud"

_OURS = f"{Path(__file__).parent.parent}/"

_MARKERS = (
    "kernel(*specs): run the test on each of these kernels (debian:6.1-cloud, tree:PATH, …)",
    "image(recipe, modules=()): the guest's root file system, and kernel modules to carry along",
    "machine(cpus=2, memory_mb=512, accelerator='auto', backend='qemu', uri=None, fresh=False)",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--lp-kernel`` and its ini key."""
    group = parser.getgroup("lpharness", "live patches in guests")
    group.addoption(
        "--lp-kernel",
        action="append",
        metavar="SPEC",
        help="kernel for tests without a kernel marker; may be repeated "
        f"(default: ini key lp_kernels, else {DEFAULT_KERNEL})",
    )
    parser.addini("lp_kernels", "kernels for tests without a kernel marker", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each kernel that a test asks for."""
    if "kernel" not in metafunc.fixturenames or "kernel" in _given(metafunc):
        return
    marker = metafunc.definition.get_closest_marker("kernel")
    config = metafunc.config
    specs = (
        (list(marker.args) if marker else [])
        or config.getoption("--lp-kernel")
        or config.getini("lp_kernels")
        or [DEFAULT_KERNEL]
    )
    metafunc.parametrize("kernel", specs, indirect=True, ids=str)


def _given(metafunc: pytest.Metafunc) -> set[str]:
    """Return the names that the test parametrises itself."""
    names: set[str] = set()
    for mark in metafunc.definition.iter_markers("parametrize"):
        first: Any = mark.args[0]
        names.update(first.replace(",", " ").split() if isinstance(first, str) else first)
    return names


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Fail a test whose guest's console told of a fault, though its own assertions hold."""
    result = yield
    session = pyfuncitem.stash.get(SESSION, None)
    if session is not None and (faults := session.new_faults()):
        fail_by_console(faults)
    return result


def fail_by_console(faults: Sequence[str]) -> None:
    """Fail the running test for what its guest's console told."""
    pytest.fail("the guest's console told of:\n  " + "\n  ".join(faults), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the guest's console and timeline under a failing test, and leave our own code out."""
    if call.excinfo is not None:
        _leave_out_our_code(call.excinfo)
    report = yield
    session = item.stash.get(SESSION, None)
    if session is not None and report.failed:
        report.sections += session.sections()
    return report


def _leave_out_our_code(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """End the traceback in the test that called us, if the error was raised on purpose."""
    from lpharness.base.errors import LpharnessError

    if not isinstance(excinfo.value, LpharnessError | AssertionError):
        return
    theirs, last = None, excinfo.tb
    entry: TracebackType | None = excinfo.tb
    while entry is not None:
        last = entry
        if not entry.tb_frame.f_code.co_filename.startswith((_OURS, contextlib.__file__)):
            theirs = entry
        entry = entry.tb_next
    if theirs is not None and last.tb_frame.f_code.co_filename.startswith(_OURS):
        theirs.tb_next = None
