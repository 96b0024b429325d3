"""The workloads by name, and the guest commands that run them."""

from __future__ import annotations

import difflib
import re
import shlex
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

from lpharness.base.architecture import NATIVE
from lpharness.base.errors import InputError
from lpharness.cases.model import Drive
from lpharness.workloads.syscalls import syscall_number

SUITE = "/run/lph-suite"
"""Where in the guest the files are that a workload brings along."""

_COUNT = re.compile(r"[1-9]\d{0,8}", re.ASCII)

_PARKS = ("futex", "nanosleep", "pause", "poll", "read", "select")
"""Where ``images/programs/workload/sleepers.c`` can park a task."""


class Workload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``catalog.toml``."""

    kind: str
    description: str
    needs: tuple[Literal["file", "syscall", "park"], ...] = ()
    """Keys of a case's ``[drive]`` without which it cannot run."""
    arguments: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    """Folders of the kernel's own source that the guest gets, in `SUITE`."""
    script: str = ""
    """A file beside the catalogue that the guest gets with them."""
    round_s: float = 0.0
    """How long it takes on a quick machine to get through its work once; a trial looks at each
    state for so long, and longer under emulation."""
    count: int = 0
    """Of tasks, where a name may tell it (``NAME-COUNT``) and does not."""
    most: int = 0
    """Of tasks; 0 where a name tells none."""
    image: str = "minimal"
    """The least recipe it runs in."""
    release: str = ""
    """Shell command for the guest that lets go of what the workload holds; empty: it holds none."""
    name: str = field(default="")
    """Set by `find`."""

    def command(self, drive: Drive, cpus: int, arch: str = NATIVE) -> str:
        """Return the guest's shell command that runs it, with one worker for each of ``cpus``.

        The numbers of system calls are those of the guest's architecture. Its standard output is
        described in ``images/programs/workload.c``. It ends on SIGTERM.

        Raises:
            InputError: the case's ``[drive]`` lacks what this workload needs, or names a system
                call that is not there.
        """
        for key in self.needs:
            if not getattr(drive, key):
                raise InputError(
                    f"workload {self.name} needs `{key}` in the case's [drive]",
                    hint="add it to case.toml, or choose another workload",
                )
        # exec: a shell in between would take the SIGTERM, and the exit status with it.
        words = ["exec", "/lph/workload", self.kind, "--workers", str(cpus)]
        for argument in self.arguments:
            words += [str(self.count)] if argument == "{count}" else _filled(argument, drive, arch)
        return shlex.join(words)


def _filled(argument: str, drive: Drive, arch: str) -> list[str]:
    match argument:
        case "{file}":
            return [drive.file]
        case "{syscall}":
            return [str(syscall_number(drive.syscall, arch))]
        case "{arguments}":
            return [str(number) for number in drive.arguments]
        case "{park}":
            return [_park(drive.park)]
        case _:
            return [argument]


def _park(name: str) -> str:
    if name in _PARKS:
        return name
    near = difflib.get_close_matches(name, _PARKS, n=1)
    raise InputError(
        f"tasks cannot be parked in {name!r}, but in {', '.join(_PARKS)}",
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def names() -> list[str]:
    """Return the names of all workloads, in the order of the catalogue."""
    return list(_catalogue())


def find(name: str) -> Workload:
    """Return a workload by name: an entry's, or ``NAME-COUNT`` where an entry counts tasks.

    Raises:
        InputError: there is none of that name.
    """
    if found := _catalogue().get(name):
        return found
    stem, _, count = name.rpartition("-")
    if (counted := _catalogue().get(stem)) and counted.most and _COUNT.fullmatch(count):
        return _with_count(counted, name, int(count))
    near = difflib.get_close_matches(name, names(), n=1, cutoff=0.4)
    raise InputError(
        f"no workload {name!r}; there are {', '.join(names())}",
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def _with_count(workload: Workload, name: str, count: int) -> Workload:
    if count > workload.most:
        raise InputError(f"workload {name}: at most {workload.most:,} tasks")
    return msgspec.structs.replace(workload, name=name, count=count)


@lru_cache
def _catalogue() -> dict[str, Workload]:
    raw = tomllib.loads(Path(__file__).with_name("catalog.toml").read_text())
    entries = msgspec.convert(raw, dict[str, Workload])
    return {
        name: msgspec.structs.replace(workload, name=name) for name, workload in entries.items()
    }
