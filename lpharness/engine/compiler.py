"""The compiler a kernel was built with, found on this host or refused by name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache

from msgspec import Struct

from lpharness.base.errors import BuildError, HostError
from lpharness.kernels.model import Kernel

_COMMAND = re.compile(r"(?:\S*/)?(?P<command>\S*gcc(?:-[\d.]+)?)\s")
_BTF_SINCE = 12
_REMARK = re.compile(r"\([^()]*\)")


class Compiler(Struct, frozen=True, kw_only=True):
    """A C compiler on this host that fits a kernel."""

    command: str
    """What to call, for example ``gcc-12``."""
    version: str
    """First line of ``--version``."""
    differs: str = ""
    """The kernel's own ``CONFIG_CC_VERSION_TEXT`` where it is not ``version`` to the letter: a
    later update of the same major version, whose code may differ though its ABI does not."""

    @property
    def writes_btf(self) -> bool:
        """Whether it can put types into an x86 object (``-gbtf``): gcc from version 12 on."""
        return "clang" not in self.version and int(_major(self.version) or 0) >= _BTF_SINCE


def find_compiler(kernel: Kernel) -> Compiler:
    """Return the compiler to build modules for ``kernel`` with.

    The kernel's config names it (``CONFIG_CC_VERSION_TEXT``, written by Kconfig from the first
    line of ``$(CC) --version``). The same major version is asked for: a module from another
    one may lack a compiler flag that the kernel's makefiles pass, or lay out code differently.

    Raises:
        BuildError: it is not installed, or the kernel was built with something other than gcc.
    """
    built_with = kernel.config.get("CONFIG_CC_VERSION_TEXT", "")
    match, major = _COMMAND.match(built_with), _major(built_with)
    if not match or not major:
        raise BuildError(
            f"{kernel.release} was built with {built_with.strip() or 'an unknown compiler'}; "
            "modules can be built with gcc only",
            hint="CONFIG_CC_VERSION_TEXT in the kernel's config says so",
        )
    for command in dict.fromkeys((match["command"], f"gcc-{major}")):
        version = _version(command)
        if version and _major(version) == major:
            same = version.split(" ", 1)[1:] == built_with.split(" ", 1)[1:]
            return Compiler(command=command, version=version, differs="" if same else built_with)
    raise BuildError(
        f"{kernel.release} was built with {built_with}, and no gcc {major} is on this host",
        hint=f"install it: apt install gcc-{major}",
    )


def require_tools() -> None:
    """Refuse early, by name, when a program that kbuild runs is missing.

    Raises:
        HostError: naming what is missing and the packages that have it.
    """
    packages = {"make": "make", "ld": "binutils", "objcopy": "binutils", "sed": "sed"}
    missing = [tool for tool in packages if shutil.which(tool) is None]
    if missing:
        wanted = sorted({packages[tool] for tool in missing})
        raise HostError(
            f"cannot build a module: {', '.join(missing)} not found on PATH",
            hint=f"install it: apt install {' '.join(wanted)}",
        )


def _version(command: str) -> str | None:
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


def _major(version: str) -> str | None:
    """Return 13 for ``gcc (GCC) 13.2.1 20230801 (Red Hat 13.2.1-1)``."""
    match = re.search(r"\s(\d+)\.\d+", _REMARK.sub("", version))
    return match[1] if match else None
