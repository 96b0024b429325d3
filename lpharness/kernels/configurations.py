"""Configurations of kernels of our own: fragments in ``kernels/``, put together and held to.

A configuration NAME is ``base.config`` and ``NAME.config``, each followed by the files for one
series and one family of compilers where there are any (``base-6.1.config``,
``base-6.1-gcc.config``). A ``.patch`` of any of these names mends what keeps such a kernel from
working. Those of other architectures than this host's lie in a folder of its name,
with a base of their own. Each line of them is a promise: a kernel whose ``.config`` lacks one is
not built.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct

from lpharness.base.architecture import NATIVE, architecture
from lpharness.base.errors import InputError
from lpharness.base.resources import data_dir

_BASE = "base"
_SUFFIX = ".config"
_PATCH = ".patch"


class Configuration(Struct, frozen=True, kw_only=True):
    """What a kernel of our own is to be."""

    name: str
    """``small``, ``debug``."""
    text: str
    """Its fragments, one after another, without comments."""
    diffs: tuple[str, ...] = ()
    """What is changed in the kernel's source first."""

    def missing_from(self, config: str) -> list[str]:
        """Return the lines that a ``.config`` does not have."""
        there = set(config.splitlines())
        return [line for line in self.text.splitlines() if line not in there]


def configuration_names(arch: str = NATIVE) -> list[str]:
    """Return the names of the configurations there are for an architecture."""
    names = {path.name.removesuffix(_SUFFIX) for path in _folder(arch).glob(f"*{_SUFFIX}")}
    return sorted(name for name in names - {_BASE} if re.fullmatch(r"[a-z]+", name))


def configuration(name: str, series: str, compiler: str, arch: str = NATIVE) -> Configuration:
    """Return a configuration for one series (``6.1``) and family of compilers (``gcc``).

    Raises:
        InputError: there is none of that name, or no such architecture.
    """
    names = configuration_names(arch)
    if name not in names:
        near = get_close_matches(name, names, 1)
        whose = "" if architecture(arch).native else f" of {arch}"
        raise InputError(
            f"no configuration {name!r} of a kernel{whose}",
            hint=f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}",
        )
    lines: list[str] = []
    diffs: list[str] = []
    for part in (_BASE, name):
        for file in (part, f"{part}-{compiler}", f"{part}-{series}", f"{part}-{series}-{compiler}"):
            path = _folder(arch) / f"{file}{_SUFFIX}"
            if path.is_file():
                lines += [
                    line for line in path.read_text().splitlines() if line[:1] not in ("#", "")
                ]
            if (patch := path.with_suffix(_PATCH)).is_file():
                diffs.append(patch.read_text())
    text = "".join(f"{line}\n" for line in lines)
    return Configuration(name=name, text=text, diffs=tuple(diffs))


def _folder(arch: str) -> Path:
    return data_dir("kernels") if architecture(arch).native else data_dir("kernels") / arch
