"""Which files of a kernel's module folder a guest needs, and the order to load them in.

``modules.dep`` is described in modules.dep(5), ``modules.softdep`` in modprobe.d(5), and
``modules.builtin`` in the kernel's ``Documentation/kbuild/kbuild.rst``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lpharness.base.errors import InputError
from lpharness.kernels.model import Kernel

_SUFFIXES = (".ko", ".ko.xz", ".ko.gz", ".ko.zst", ".ko.bz2")


def normal_name(name: str) -> str:
    """Return a module's name as the kernel tells it: ``virtio-rng.ko`` is ``virtio_rng``."""
    name = PurePosixPath(name).name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name.replace("-", "_")


@dataclass(frozen=True, slots=True)
class ModuleTable:
    """What depmod wrote about a kernel's modules; names are `normal_name`."""

    release: str
    paths: dict[str, str]
    """Name to the path below the module folder."""
    needs: dict[str, tuple[str, ...]]
    """Name to the names it links against, all of them, not only the nearest."""
    soft: dict[str, tuple[str, ...]]
    """Name to the names that should be loaded before or after it, if they exist."""
    builtin: frozenset[str]

    def load_order(self, wanted: Iterable[str]) -> list[str]:
        """Return ``wanted`` and what they need, each after all it needs; built-in ones left out.

        Raises:
            InputError: the kernel has no such module.
        """
        order: list[str] = []
        for name in wanted:
            self._visit(self._known(name), order, set())
        return order

    def closure(self, wanted: Iterable[str]) -> list[str]:
        """Return `load_order` of ``wanted`` and of their soft dependencies, if they exist."""
        order = self.load_order(wanted)
        for name in order:  # grows while it is walked
            for extra in self.load_order(n for n in self.soft.get(name, ()) if n in self):
                if extra not in order:
                    order.append(extra)
        return order

    def __contains__(self, name: object) -> bool:
        return name in self.paths or name in self.builtin

    def _visit(self, name: str, order: list[str], above: set[str]) -> None:
        if name in order or name in self.builtin or name in above:
            return
        for needed in self.needs.get(name, ()):
            self._visit(needed, order, above | {name})
        order.append(name)

    def _known(self, name: str) -> str:
        normal = normal_name(name)
        if normal in self:
            return normal
        near = difflib.get_close_matches(normal, [*self.paths, *self.builtin], n=1, cutoff=0.5)
        raise InputError(
            f"kernel {self.release} has no module {name!r}",
            hint=f"did you mean {near[0]!r}?" if near else "see its modules.dep for those it has",
        )


def read_table(kernel: Kernel) -> ModuleTable:
    """Read the tables of a kernel's module folder.

    Raises:
        InputError: there is no ``modules.dep``.
    """
    paths: dict[str, str] = {}
    needs: dict[str, tuple[str, ...]] = {}
    for line in _lines(kernel.modules / "modules.dep", required=True):
        path, _, rest = line.partition(":")
        name = normal_name(path)
        paths[name] = path
        # depmod writes the nearest first, so what is needed most lies at the end
        needs[name] = tuple(normal_name(other) for other in reversed(rest.split()))
    return ModuleTable(
        release=kernel.release,
        paths=paths,
        needs=needs,
        soft=_soft_dependencies(_lines(kernel.modules / "modules.softdep")),
        builtin=built_in(kernel),
    )


def built_in(kernel: Kernel) -> frozenset[str]:
    """Return the names of what could be a module and is part of this kernel's image."""
    return frozenset(map(normal_name, _lines(kernel.modules / "modules.builtin")))


def _lines(path: Path, *, required: bool = False) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        if not required:
            return []
        raise InputError(
            f"{path} is missing",
            hint=f"run `depmod -b {path.parents[3]} {path.parent.name}`, or fetch the kernel again",
        ) from None
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _soft_dependencies(lines: list[str]) -> dict[str, tuple[str, ...]]:
    soft: dict[str, tuple[str, ...]] = {}
    for line in lines:
        keyword, *words = line.split()
        if keyword == "softdep" and words:
            others = (normal_name(word) for word in words[1:] if word not in ("pre:", "post:"))
            name = normal_name(words[0])
            soft[name] = (*soft.get(name, ()), *others)
    return soft
