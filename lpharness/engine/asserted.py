"""What a case asserts of its built module, held against what was read in it."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from lpharness.base.architecture import of_elf
from lpharness.base.errors import InputError
from lpharness.cases.model import Case, ModuleSource
from lpharness.elf.livepatch import Livepatch
from lpharness.engine.inspect import Inspection

_SYSCALL = "{syscall}"


class Fault(NamedTuple):
    """What is otherwise than the case says, and what to do about it."""

    what: str
    hint: str | None = None


class NotAsAsserted(InputError):
    """A module is not what its case says it is."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint, kind="not-as-asserted")


def hold_against_case(case: Case, module: ModuleSource, inspection: Inspection) -> None:
    """Refuse a module that is not what its case says: a trial of it would prove nothing.

    Raises:
        NotAsAsserted: the first thing that is otherwise.
    """
    for what, hint in _faults(module, inspection):
        raise NotAsAsserted(f"{case.name}: module {module.name}: {what}", hint=hint)


def _faults(module: ModuleSource, inspection: Inspection) -> Iterator[Fault]:
    livepatch = inspection.livepatch
    if livepatch.name != module.name:
        yield Fault(
            f"the built module calls itself {livepatch.name!r}",
            "name it so in case.toml; the kernel knows it by that name",
        )
    if module.replaces and livepatch.patch is not None and not livepatch.patch.replace:
        yield Fault(
            "case.toml says that it replaces all earlier ones, its klp_patch does not",
            "set .replace = true in the source",
        )
    yield from _functions(module, inspection)
    yield from _objects(module, livepatch)
    yield from _lacking(module, livepatch)
    yield from _links(module, livepatch)


def _functions(module: ModuleSource, inspection: Inspection) -> Iterator[Fault]:
    if not module.functions:
        return
    read = {(f.object, f.old): f for f in inspection.functions}
    wanted = {
        (f.object, in_kernel(f.old, inspection.livepatch.machine)): f for f in module.functions
    }
    for object_, old in sorted(wanted.keys() - read.keys()):
        yield Fault(f"case.toml says it replaces {old} of {object_}; it does not")
    for object_, old in sorted(read.keys() - wanted.keys()):
        yield Fault(
            f"it replaces {old} of {object_}, which case.toml does not say",
            "add a [[module.function]] or take the function out of the source",
        )
    for key, function in wanted.items():
        if function.sympos != read[key].sympos:
            yield Fault(
                f"{key[1]}: sympos is {read[key].sympos} in the module, "
                f"{function.sympos} in case.toml",
            )
        if function.new and function.new != read[key].new:
            yield Fault(
                f"{key[1]}: the new function is {read[key].new} in the module, "
                f"{function.new} in case.toml",
            )


def in_kernel(old: str, machine: str) -> str:
    """Return what a function of ``case.toml`` is called in kernels of an ELF machine."""
    target = of_elf(machine)
    return old.replace(_SYSCALL, target.syscall_prefix) if target else old


def _objects(module: ModuleSource, livepatch: Livepatch) -> Iterator[Fault]:
    wanted, read = set(module.built.objects), {one.name for one in livepatch.objects}
    if wanted and read != wanted:
        yield Fault(
            f"it patches {_listed(read)}, case.toml says {_listed(wanted)}",
            "built.objects is the whole list, vmlinux among it",
        )


def _lacking(module: ModuleSource, livepatch: Livepatch) -> Iterator[Fault]:
    for pattern in module.built.lacks:
        for function in livepatch.functions:
            if fnmatchcase(function.old, pattern):
                yield Fault(
                    f"it replaces {function.old} of {function.object}, "
                    f"which built.lacks says it must not ({pattern})",
                )


def _links(module: ModuleSource, livepatch: Livepatch) -> Iterator[Fault]:
    """Yield what should tie it to the kernel and does not."""
    built = module.built
    symbols = [f".klp.sym.{s.object}.{s.name},{s.sympos}" for s in livepatch.klp_symbols]
    sections = [f".klp.rela.{r.object}.{r.section}" for r in livepatch.klp_relocations]
    imports = [one.name for one in livepatch.imports]
    for key, what, patterns, read in (
        ("symbols", "livepatch symbol", built.symbols, symbols),
        ("relocations", "section of livepatch relocations", built.relocations, sections),
        ("imports", "import", built.imports, imports),
    ):
        for pattern in patterns:
            if not any(fnmatchcase(one, pattern) for one in read):
                yield Fault(f"it has no {what} {pattern} (built.{key})", f"it has {_listed(read)}")


def _listed(names: set[str] | list[str], most: int = 8) -> str:
    few = sorted(names)[:most]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(few) or "none") + more
