"""A case's own C programs: compiled once, and put where its commands call them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lpharness.base.deadline import Deadline
from lpharness.cases.model import Case
from lpharness.guests.contract import Transport
from lpharness.images.programs import compile_source

FOLDER = "/case"
"""Where a guest has them: ``trigger.c`` is called as ``/case/trigger``."""


def build_programs(case: Case) -> tuple[Path, ...]:
    """Return the static executables of a case's programs.

    Raises:
        BuildError: one does not compile.
        HostError: there is no compiler that can link statically.
    """
    if case.folder is None:
        return ()
    return tuple(compile_source(case.folder / source) for source in case.programs)


def put_programs(programs: Sequence[Path], transport: Transport, deadline: Deadline) -> None:
    """Put executables into a guest.

    Raises:
        GuestError: the guest refused.
    """
    if not programs:
        return
    transport.run(["mkdir", "-p", FOLDER], deadline=deadline)
    for program in programs:
        transport.put(program, f"{FOLDER}/{program.name}", mode=0o755, deadline=deadline)
