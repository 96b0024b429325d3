"""A case's own C programs and kernel modules: built once, and put where its commands find them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lpharness.base.architecture import NATIVE
from lpharness.base.deadline import Deadline
from lpharness.base.progress import SILENT, Progress
from lpharness.cases.model import Case
from lpharness.engine.build import build_plain
from lpharness.guests.contract import Transport
from lpharness.images.programs import compile_source
from lpharness.kernels.model import Kernel

FOLDER = "/case"
"""Where a guest has them: ``trigger.c`` is called as ``/case/trigger``."""


def build_programs(case: Case, arch: str = NATIVE) -> tuple[Path, ...]:
    """Return the static executables of a case's programs, for guests of an architecture.

    Raises:
        BuildError: one does not compile.
        HostError: there is no compiler that can link statically.
    """
    if case.folder is None:
        return ()
    return tuple(compile_source(case.folder / source, arch=arch) for source in case.programs)


def build_companions(case: Case, kernel: Kernel, progress: Progress = SILENT) -> tuple[Path, ...]:
    """Return the kernel modules that a case brings along besides its livepatches.

    Raises:
        BuildError: one does not compile, or the fitting compiler is not installed.
        HostError: tools or space are missing.
    """
    if case.folder is None:
        return ()
    return tuple(build_plain(case.folder / file, kernel, progress) for file in case.companions)


def put_programs(programs: Sequence[Path], transport: Transport, deadline: Deadline) -> None:
    """Put executables and modules into a guest.

    Raises:
        GuestError: the guest refused.
    """
    if not programs:
        return
    transport.run(["mkdir", "-p", FOLDER], deadline=deadline)
    for program in programs:
        transport.put(program, f"{FOLDER}/{program.name}", mode=0o755, deadline=deadline)


def put_boot_files(image: Path, initramfs: Path, transport: Transport, deadline: Deadline) -> None:
    """Put a guest's own kernel and initramfs into it.

    Raises:
        GuestError: the guest refused.
    """
    transport.run(["mkdir", "-p", FOLDER], deadline=deadline)
    transport.put(image, f"{FOLDER}/vmlinuz", deadline=deadline)
    transport.put(initramfs, f"{FOLDER}/initrd", deadline=deadline)
