"""The fixtures: ``kernel``, ``guest``, ``livepatch``, ``workload``."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lpharness.pytest_plugin.hooks import DEFAULT_KERNEL, SESSION, fail_by_console

if TYPE_CHECKING:
    from lpharness.kernels.model import Kernel
    from lpharness.pytest_plugin.session import Load, Patch, Session

_START_S = 180.0
_MACHINE = ("cpus", "memory_mb", "accelerator", "backend", "uri", "fresh")


@pytest.fixture
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """The kernel under test: one of the ``kernel`` marker's, fetched if it is not here yet."""
    from lpharness.kernels import resolve

    with _plainly():
        return resolve(getattr(request, "param", DEFAULT_KERNEL))


@pytest.fixture
def lpharness_machine(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the ``machine`` marker asks for; skips the test where QEMU is missing.

    A fixture of its own, so that it comes before ``kernel`` fetches anything.
    """
    marker = request.node.get_closest_marker("machine")
    machine = dict(marker.kwargs) if marker else {}
    for key in machine:
        if key not in _MACHINE:
            near = difflib.get_close_matches(key, _MACHINE, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_MACHINE)}"
            pytest.fail(f"the machine marker knows no {key!r}\n  hint: {hint}", pytrace=False)
    if machine.get("backend", "qemu") == "qemu" and not shutil.which("qemu-system-x86_64"):
        pytest.skip("QEMU is not installed: apt install qemu-system-x86")
    return machine


@pytest.fixture
def guest(
    request: pytest.FixtureRequest, lpharness_machine: dict[str, Any], kernel: Kernel
) -> Iterator[Session]:
    """A fresh guest of the kernel, restored from a snapshot; gone after the test.

    The test fails if the kernel's console told of an oops, a warning or the like, unless the test
    puts the pattern's name into ``guest.expected``.
    """
    from lpharness.base.deadline import Deadline
    from lpharness.engine.guest_image import guest_image
    from lpharness.guests import backend
    from lpharness.guests.contract import GuestSpec
    from lpharness.pytest_plugin.session import Session

    machine = lpharness_machine
    recipe, modules = _image(request)
    with _plainly():
        spec = GuestSpec(
            kernel=kernel,
            image=guest_image(recipe, kernel, guest_modules=modules),
            cpus=machine.get("cpus", 2),
            memory_mb=machine.get("memory_mb", 512),
            accelerator=machine.get("accelerator", "auto"),
        )
        maker = backend(machine.get("backend", "qemu"), uri=machine.get("uri"))
        started = maker.start(
            spec, fresh=machine.get("fresh", False), deadline=Deadline.after(_START_S)
        )
    with started:
        session = Session(started)
        request.node.stash[SESSION] = session
        yield session
        session.close()
        if faults := session.new_faults():
            fail_by_console(faults)


@pytest.fixture
def livepatch(guest: Session) -> Callable[..., AbstractContextManager[Patch]]:
    """Put a livepatch on for a ``with`` block: a case's name or folder, a ``.c`` or a ``.ko``.

    Example: ``with livepatch("fix.c") as patch: ...``
    """

    def load(source: str | Path, **options: Any) -> AbstractContextManager[Patch]:
        return guest.livepatch(source, **options)

    return load


@pytest.fixture
def workload(guest: Session) -> Callable[..., AbstractContextManager[Load]]:
    """Keep the guest busy for a ``with`` block.

    Example: ``with workload("proc-reader", file="/proc/cmdline") as load: ...``
    """

    def start(name: str, **drive: Any) -> AbstractContextManager[Load]:
        return guest.workload(name, **drive)

    return start


@contextmanager
def _plainly() -> Iterator[None]:
    """Let what is wrong with a test's wishes be read without a traceback."""
    from lpharness.base.errors import LpharnessError

    wrong: LpharnessError | None = None
    try:
        yield
    except LpharnessError as error:
        wrong = error
    if wrong is not None:  # told out here, where it is not the context of what is raised
        hint = f"\n  hint: {wrong.hint}" if wrong.hint else ""
        pytest.fail(f"{wrong.message}{hint}", pytrace=False)


def _image(request: pytest.FixtureRequest) -> tuple[str, tuple[str, ...]]:
    marker = request.node.get_closest_marker("image")
    if marker is None:
        return "minimal", ()
    return (marker.args[0] if marker.args else "minimal"), tuple(marker.kwargs.get("modules", ()))
