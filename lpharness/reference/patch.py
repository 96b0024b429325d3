"""Patches, objects and functions as the kernel holds them while a patch is installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lpharness.reference.spec import VMLINUX, ObjectSpec, PatchSpec


@dataclass(eq=False, slots=True)
class Func:
    """`struct klp_func`: one replacement of one function."""

    object: str
    name: str
    version: str
    """Who brought the code that runs when this one is chosen: the patch's name."""
    nop: bool = False
    """Stands in a replacing patch for a function that the patch does not bring along."""
    patched: bool = False
    transition: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """The function that is replaced."""
        return self.object, self.name


@dataclass(eq=False, slots=True)
class Obj:
    """`struct klp_object`: a patch's functions in vmlinux or in one module."""

    name: str
    funcs: list[Func]
    callbacks: bool = False
    relocations: bool = False
    dynamic: bool = False
    """Has nothing but nops."""
    loaded: bool = False
    patched: bool = False
    post_unpatch_due: bool = False
    """`post_unpatch_enabled`: the last ``pre_patch`` succeeded."""
    relocated: bool = False
    """Relocations were written and never cleared; see `Release.clears_relocations`."""

    @property
    def is_module(self) -> bool:
        """Whether it can come and go (`klp_is_module`)."""
        return self.name != VMLINUX


@dataclass(eq=False, slots=True)
class Patch:
    """`struct klp_patch`, from its module's load to its end."""

    spec: PatchSpec
    objects: list[Obj] = field(default_factory=list)
    enabled: bool = False
    forced: bool = False

    @classmethod
    def of(cls, spec: PatchSpec) -> Patch:
        """Return the structures as they are before anything is looked up."""
        return cls(spec, [_object(spec, each) for each in spec.objects])

    @property
    def name(self) -> str:
        """The module's name."""
        return self.spec.name

    def funcs(self) -> Iterator[Func]:
        """Yield all functions, nops too, in order."""
        for each in self.objects:
            yield from each.funcs

    def object(self, name: str) -> Obj | None:
        """Return its object of a name (`klp_find_object`)."""
        return next((each for each in self.objects if each.name == name), None)

    def add_nops(self, older: list[Patch]) -> None:
        """Stand in for each function of older patches that this one lacks (core.c klp_add_nops)."""
        for patch in older:
            for old in patch.objects:
                mine = self.object(old.name)
                if mine is None:
                    mine = Obj(old.name, [], dynamic=True)
                    self.objects.append(mine)
                have = {func.name for func in mine.funcs}
                mine.funcs += [
                    Func(old.name, func.name, "", nop=True)
                    for func in old.funcs
                    if func.name not in have
                ]

    def drop_nops(self) -> None:
        """Forget them (core.c klp_free_objects_dynamic)."""
        for each in self.objects:
            each.funcs = [func for func in each.funcs if not func.nop]
        self.objects = [each for each in self.objects if not each.dynamic]


def _object(patch: PatchSpec, spec: ObjectSpec) -> Obj:
    return Obj(
        spec.name,
        [Func(spec.name, name, patch.name) for name in spec.functions],
        callbacks=spec.callbacks,
        relocations=spec.relocations,
    )
