"""Compilers that kernels are built with, found on this host by the names people give them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache

from msgspec import Struct

from lpharness.base.architecture import NATIVE, Architecture, architecture
from lpharness.base.errors import HostError, InputError

_NAME = re.compile(r"(?P<family>gcc|clang)(?:-(?P<major>\d+))?")
_REMARK = re.compile(r"\([^()]*\)")


class Toolchain(Struct, frozen=True, kw_only=True):
    """A C compiler on this host; assembler and linker are the compiler's, or binutils'."""

    name: str
    """With its major version: ``gcc-12``, ``clang-14``."""
    family: str
    """``gcc`` or ``clang``."""
    command: str
    """What to call."""
    version: str
    """First line of ``--version``, as Kconfig puts it into ``CONFIG_CC_VERSION_TEXT``."""
    arch: str = NATIVE
    """Debian's name of the architecture that it compiles for."""
    host: str = ""
    """What to call for programs of this host, where that is another compiler."""

    @property
    def target(self) -> Architecture:
        """The architecture that it compiles for."""
        return architecture(self.arch)


def parse_toolchain(name: str) -> tuple[str, str]:
    """Return family and major version; the latter is empty for any.

    Raises:
        InputError: it names no compiler that builds kernels.
    """
    found = _NAME.fullmatch(name)
    if not found:
        raise InputError(f"no toolchain {name!r}", hint="such as gcc-12, clang or clang-14")
    return found["family"], found["major"] or ""


def find_toolchain(name: str, arch: str = NATIVE) -> Toolchain:
    """Return the compiler of a name; ``clang`` alone is whichever clang the host has.

    Args:
        name: ``gcc-12``, ``clang``, …
        arch: Debian's name of what it is to compile for.

    Raises:
        InputError: it names no compiler that builds kernels, or not those of that architecture.
        HostError: this host does not have it.
    """
    family, major = parse_toolchain(name)
    target = architecture(arch)
    if not target.native:
        return _cross(name, family, major, target)
    for command in dict.fromkeys((name, family)):
        version = first_line(command)
        found = major_of(version) if version else None
        if version and found and major in ("", found):
            return Toolchain(
                name=f"{family}-{found}", family=family, command=command, version=version
            )
    raise HostError(f"no {name} on this host", hint=f"install it: apt install {name}")


def _cross(name: str, family: str, major: str, target: Architecture) -> Toolchain:
    """Return gcc for another architecture; programs of this host are built by this host's own."""
    if family != "gcc":
        raise InputError(f"{name}: not yet on {target.name}", hint="--toolchain gcc-12")
    for suffix in dict.fromkeys((name, family)):
        command = f"{target.cross}{suffix}"
        version = first_line(command)
        found = major_of(version) if version else None
        if version and found and major in ("", found):
            return Toolchain(
                name=f"{family}-{found}",
                family=family,
                command=command,
                version=version,
                arch=target.name,
                host=find_toolchain(family).command,
            )
    raise HostError(
        f"no {name} for {target.name} on this host",
        hint=f"install it: apt install gcc-{target.gnu.replace('_', '-')}",
    )


def first_line(command: str) -> str | None:
    """Return the first line of a compiler's ``--version``, or ``None`` if it is not there."""
    path = shutil.which(command)
    return _first_line(path, os.stat(path).st_mtime_ns) if path else None  # noqa: PTH116


@cache
def _first_line(path: str, _mtime: int) -> str | None:
    try:
        done = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "")},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    return lines[0] if done.returncode == 0 and lines else None


def major_of(version: str) -> str | None:
    """Return 13 for ``gcc (GCC) 13.2.1 20230801 (Red Hat 13.2.1-1)``, 14 for clang 14.0.6's."""
    match = re.search(r"\s(\d+)\.\d+", _REMARK.sub("", version))
    return match[1] if match else None
