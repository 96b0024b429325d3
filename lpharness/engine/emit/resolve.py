"""Which symbol of the running kernel each reference of the patch means, and how it gets there.

What the kernel exports is imported as any module does. For all else there is the livepatch symbol
``.klp.sym.OBJECT.NAME,SYMPOS`` (Documentation/livepatch/module-elf-format.rst), which the kernel
looks up in its own symbol table when the module is loaded, or when the patched module is there.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError, HostError
from lpharness.elf.object import Object
from lpharness.engine.differ.extracted import Origin
from lpharness.engine.emit.places import Candidate, Place, Places, Shipped, shipped_object
from lpharness.engine.objects import BaseProof
from lpharness.engine.target import Export, Target
from lpharness.kernels.model import Kernel
from lpharness.kernels.symbols import VMLINUX


class How(StrEnum):
    """How a reference is filled in."""

    IMPORT = "import"
    """An exported symbol of vmlinux, by the module loader."""
    LIVEPATCH = "livepatch"
    """A livepatch symbol, by the livepatch core."""
    PATCH = "patch"
    """By another object of the same patch."""


class Resolved(Struct, frozen=True, kw_only=True):
    """What a name in the patch stands for."""

    name: str
    how: How
    object: str = VMLINUX
    """Where it is: ``vmlinux`` or a module."""
    sympos: int = 0
    """Its position among its namesakes in that object; 0 if it has none."""
    evidence: str = ""
    """How it was told."""

    @property
    def symbol(self) -> str:
        """The name of the symbol in the module."""
        if self.how is How.LIVEPATCH:
            return f".klp.sym.{self.object}.{self.name},{self.sympos}"
        return self.name

    @property
    def late(self) -> bool:
        """Whether it is filled in only when a patched module is there."""
        return self.how is How.LIVEPATCH and self.object != VMLINUX


class Resolver:
    """Resolves the references of what was cut out of one object."""

    def __init__(
        self,
        kernel: Kernel,
        plain: Object,
        proof: BaseProof,
        *,
        cache: Cache | None = None,
    ) -> None:
        """Take a kernel with its headers, and an object that was proved to be part of it."""
        self.object_name = proof.object_name
        self._proof = proof
        self._kernel = kernel
        self._cache = cache
        self._target = Target(kernel)
        self._shipped: dict[str, Shipped] = {}
        self._places = Places(plain, proof, self._object(proof.object_name))

    def resolve(self, name: str, origin: Origin | None) -> Resolved:
        """Return what an undefined symbol stands for.

        Args:
            name: the symbol's.
            origin: what it is in the original object; ``None`` if that takes it from elsewhere.

        Raises:
            BuildError: the kernel has no such symbol, or several that cannot be told apart.
        """
        if origin is None:
            return self._from_elsewhere(name)
        if not origin.local and self.object_name == VMLINUX and self._import(name):
            return Resolved(name=name, how=How.IMPORT, evidence="exported")
        place = self._places.of(origin.name, origin.nth)
        return self._in(self.object_name, origin.name, place, local=origin.local)

    # -- what other objects define

    def _from_elsewhere(self, name: str) -> Resolved:
        if self.object_name == VMLINUX:
            if self._import(name):
                return Resolved(name=name, how=How.IMPORT, evidence="exported")
            return self._in(VMLINUX, name, self._places.of(name), local=False)
        if self._object(self.object_name).candidates(name):
            # Of the same module, another file's.
            return self._in(self.object_name, name, self._places.of(name), local=False)
        export = self._exports.get(name)
        if export is not None and export.object != VMLINUX:
            return self._of_another_module(name, export)
        if self._import(name):
            return Resolved(name=name, how=How.IMPORT, evidence="exported")
        return self._in(VMLINUX, name, None, local=False)

    def _of_another_module(self, name: str, export: Export) -> Resolved:
        """Reach what another module exports only once the patched one, which needs it, is there."""
        owner = export.object.rpartition("/")[2].replace("-", "_")
        if owner not in self._needs:
            raise BuildError(
                f"{name} is exported by the module {owner}, which {self.object_name} does not need:"
                " it may not be there when the patch is",
                hint=f"do without {name}",
                kind="foreign-export",
            )
        return Resolved(
            name=name, how=How.LIVEPATCH, object=owner, evidence="exported by that module"
        )

    def _import(self, name: str) -> bool:
        """Whether any module may import a name from vmlinux.

        One in a namespace is reached by a livepatch symbol: importing the namespace would be a
        claim that is not the patch's to make.
        """
        export = self._exports.get(name)
        return export is not None and export.object == VMLINUX and not export.namespace

    # -- what an object has

    def _in(self, owner: str, name: str, place: Place | None, *, local: bool) -> Resolved:
        candidates = self._object(owner).candidates(name)
        if not candidates:
            raise BuildError(
                f"the patch needs {name}, which {self._kernel.release} does not have in {owner}",
                hint="kallsyms does not list it; do without it, or give the patch its own",
                kind="symbol-missing",
            )
        position, evidence = self._position(owner, name, candidates, place, local=local)
        return Resolved(
            name=name,
            how=How.LIVEPATCH,
            object=owner,
            sympos=position if len(candidates) > 1 else 0,
            evidence=evidence,
        )

    def _position(
        self,
        owner: str,
        name: str,
        candidates: list[Candidate],
        place: Place | None,
        *,
        local: bool,
    ) -> tuple[int, str]:
        """Return the position from 1, and how it was told."""
        if place is not None:
            found = [n for n, one in enumerate(candidates, 1) if one.place == place]
            if not found:
                raise BuildError(
                    f"{owner}'s code refers to {name} at {_said(place)}, where its symbol table "
                    "has none of that name",
                    hint="report this; the patch would reach another symbol than its source means",
                    kind="symbol-missing",
                )
            return found[0], "the shipped code refers to it"
        if len(candidates) == 1:
            return 1, "the only one of that name"
        seen = [n for n, one in enumerate(candidates, 1) if one.exported_name is not local]
        if not local and len(seen) == 1:
            return seen[0], "the only global one of that name"
        raise BuildError(
            f"{owner} has {len(candidates)} symbols {name}, and nothing tells which one is meant",
            hint="no function that the kernel was shipped with refers to it",
            kind="symbol-ambiguous",
        )

    def _object(self, name: str) -> Shipped:
        if name not in self._shipped:
            self._shipped[name] = shipped_object(self._kernel, name, cache=self._cache)
        return self._shipped[name]

    @property
    def _exports(self) -> dict[str, Export]:
        exports = self._target.exports
        if exports is None:
            raise HostError(
                f"{self._kernel.release}: no Module.symvers at hand",
                hint="name a kernel whose headers are in the archive",
            )
        return exports

    @property
    def _needs(self) -> frozenset[str]:
        """The modules that the patched one needs, as its own file says."""
        elf = self._target.elf(self.object_name)
        section = elf.section(".modinfo") if elf else None
        entries = bytes(elf.content(section)).split(b"\0") if elf and section else []
        listed = (entry[8:].decode() for entry in entries if entry.startswith(b"depends="))
        return frozenset(name.replace("-", "_") for line in listed for name in line.split(","))


def _said(place: Place) -> str:
    section, at = place
    return f"{section}+{at:#x}" if section else f"{at:#x}"
