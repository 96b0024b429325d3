"""The compiler a kernel was built with, found on this host or refused by name."""

from __future__ import annotations

import re
import shutil

from msgspec import Struct

from lpharness.base.architecture import architecture
from lpharness.base.errors import BuildError, HostError
from lpharness.kernels.model import Kernel
from lpharness.kernels.toolchains import first_line, major_of

_GCC = re.compile(r"(?:\S*/)?(?P<command>\S*gcc(?:-[\d.]+)?)\s")
_CLANG = re.compile(r"\bclang version ")
_BTF_SINCE = 12


class Compiler(Struct, frozen=True, kw_only=True):
    """A C compiler on this host that fits a kernel."""

    command: str
    """What to call, for example ``gcc-12``."""
    version: str
    """First line of ``--version``."""
    differs: str = ""
    """The kernel's own ``CONFIG_CC_VERSION_TEXT`` where it is not ``version`` to the letter: a
    later update of the same major version, whose code may differ though its ABI does not."""

    make: tuple[str, ...] = ()
    """What kbuild has to be told besides, where it compiles for another architecture."""

    @property
    def writes_btf(self) -> bool:
        """Whether it can put types into an x86 object (``-gbtf``): gcc from version 12 on."""
        return "clang" not in self.version and int(major_of(self.version) or 0) >= _BTF_SINCE


def find_compiler(kernel: Kernel) -> Compiler:
    """Return the compiler to build modules for ``kernel`` with.

    The kernel's config names it (``CONFIG_CC_VERSION_TEXT``, written by Kconfig from the first
    line of ``$(CC) --version``). The same major version is asked for: a module from another
    one may lack a compiler flag that the kernel's makefiles pass, or lay out code differently.

    Raises:
        BuildError: it is not installed, or the kernel was built with neither gcc nor clang.
    """
    built_with = kernel.config.get("CONFIG_CC_VERSION_TEXT", "")
    target = architecture(kernel.arch)
    commands, major = _commands(built_with), major_of(built_with)
    if not commands or not major:
        raise BuildError(
            f"{kernel.release} was built with {built_with.strip() or 'an unknown compiler'}; "
            "modules can be built with gcc and clang only",
            hint="CONFIG_CC_VERSION_TEXT in the kernel's config says so",
            kind="compiler",
        )
    for command in commands:
        version = first_line(command)
        if version and major_of(version) == major:
            same = _without_command(version) == _without_command(built_with)
            return Compiler(
                command=command,
                version=version,
                differs="" if same else built_with,
                make=target.make,
            )
    package = f"{'clang' if _CLANG.search(built_with) else 'gcc'}-{major}"
    if not target.native:
        package += f"-{target.gnu.replace('_', '-')}"
    raise BuildError(
        f"{kernel.release} was built with {built_with}, and no {package.replace('-', ' ')} "
        "is on this host",
        hint=f"install it: apt install {package}",
        kind="compiler",
    )


def _commands(built_with: str) -> list[str]:
    """Return what the compiler of a ``CONFIG_CC_VERSION_TEXT`` may be called here."""
    major = major_of(built_with)
    if _CLANG.search(built_with):
        return [f"clang-{major}", "clang"]
    match = _GCC.match(built_with)
    return list(dict.fromkeys((match["command"], f"gcc-{major}"))) if match else []


def _without_command(version: str) -> str:
    """Drop the name that gcc was called by, which clang does not tell."""
    return version if _CLANG.search(version) else version.partition(" ")[2]


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
