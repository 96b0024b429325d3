"""A kernel tree's configuration: made of fragments, and held to every line of them."""

from __future__ import annotations

import re
from pathlib import Path

from lpharness.base.errors import InputError
from lpharness.kernels.configurations import Configuration
from lpharness.sources.kernel_make import KernelMake

_SOURCE = re.compile(r'^\s*source\s+"(?P<path>[^"$]+)"', re.MULTILINE)
_WANTED = "lpharness.config"


def complete_kconfig(tree: Path) -> None:
    """Put empty files in the place of the ``Kconfig`` that were left out when it was unpacked.

    Those of other architectures' cryptography, for example, are asked for without need.
    """
    for file in tree.rglob("Kconfig*"):
        if not file.is_file():
            continue
        for name in _SOURCE.findall(file.read_text(errors="replace")):
            path = tree / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()


def configure(make: KernelMake, wanted: Configuration, *, local_version: str) -> None:
    """Write a tree's ``.config``: what is wanted, and nothing else that can be left out.

    Args:
        make: of the tree.
        wanted: the configuration.
        local_version: becomes the end of the kernel's release.

    Raises:
        InputError: this kernel cannot be configured so.
        HostError: make fails.
    """
    fragment = make.tree / _WANTED
    fragment.write_text(f'{wanted.text}CONFIG_LOCALVERSION="{local_version}"\n')
    make.run("allnoconfig", f"KCONFIG_ALLCONFIG={_WANTED}")
    missing = wanted.missing_from((make.tree / ".config").read_text())
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"this kernel cannot have {missing[0]}{more} (configuration {wanted.name}, built by "
            f"{make.toolchain.name})",
            hint="Kconfig knows no such option for it, or one that it depends on is off",
        )
