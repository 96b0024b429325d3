"""Whether a livepatch module can load into a kernel and patch it, told without a boot.

Each rule names the place in the kernel that would refuse, or the reason why the harness does
although the kernel would not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from lpharness.base.architecture import architecture
from lpharness.elf.livepatch import Import, KlpFunction, Livepatch, read_livepatch
from lpharness.kernels.model import Kernel

if TYPE_CHECKING:
    from lpharness.checks.contract import PatchedFunction
    from lpharness.engine.target import Found, Target

# include/linux/license.h, license_is_gpl_compatible()
_GPL_COMPATIBLE = frozenset(
    {
        "GPL",
        "GPL v2",
        "GPL and additional rights",
        "Dual BSD/GPL",
        "Dual MIT/GPL",
        "Dual MPL/GPL",
    }
)


class FunctionFit(Struct, frozen=True, kw_only=True):
    """How one patched function meets the kernel; ``None`` where only a running kernel can tell."""

    object: str
    old: str
    sympos: int
    new: str
    exists: bool | None = None
    candidates: tuple[int, ...] = ()
    """Addresses (vmlinux) or section offsets (modules) of all symbols of that name."""
    traceable: bool | None = None


class Inspection(Struct, frozen=True, kw_only=True):
    """What a module says about itself, and how it fits a kernel."""

    path: Path
    livepatch: Livepatch
    fits: tuple[FunctionFit, ...]
    """The patched functions, in the module's order."""
    kernel: str = ""
    """The release it was held against; empty if against none."""
    problems: tuple[str, ...] = ()
    """Why it cannot load or patch there: each one line, with what to do."""
    warnings: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """What could not be told, and what it would take."""

    @property
    def functions(self) -> tuple[PatchedFunction, ...]:
        """The patched functions as checks know them."""
        # The room of checks is slow to import, and `lpharness inspect` can do without.
        from lpharness.checks.contract import PatchedFunction

        return tuple(
            PatchedFunction(
                module=self.livepatch.name,
                object=fit.object,
                old=fit.old,
                sympos=fit.sympos,
                new=fit.new,
            )
            for fit in self.fits
        )


def inspect(
    path: Path | str,
    kernel: Kernel | None = None,
    *,
    traceable: Collection[str] | None = None,
    imports_known: bool = False,
    beside: Mapping[str, Path] | None = None,
) -> Inspection:
    """Read a livepatch module and hold it against a kernel.

    Args:
        path: the ``.ko``.
        kernel: what it is to be loaded into; without it only the module itself is judged.
        traceable: lines of a guest's ``available_filter_functions``; without them those are taken
            that a guest of the kernel told earlier, if one did.
        imports_known: do without Module.symvers where it is not at hand, since something else
            has held the module's imports against it.
        beside: modules that will be there besides the kernel's own, by name.

    Raises:
        InputError: the file is no livepatch module, or damaged.
    """
    path = Path(path)
    livepatch = read_livepatch(path)
    notes = _Notes()
    _judge_module(livepatch, notes)
    functions = [item for klp in livepatch.objects for item in klp.functions]
    fits = [FunctionFit(object=f.object, old=f.old, sympos=f.sympos, new=f.new) for f in functions]
    if kernel is not None:
        from lpharness.engine.target import Target
        from lpharness.kernels.traceable import load_traceable

        target = Target(kernel, beside)
        _judge_loading(livepatch, target, notes)
        if not (imports_known and target.exports is None):
            _judge_imports(livepatch, target, notes)
        told = load_traceable(kernel) if traceable is None else None
        fits = [_judge_function(f, target, traceable, told, notes) for f in functions]
        _judge_klp_symbols(livepatch, target, notes)
    return Inspection(
        path=path,
        livepatch=livepatch,
        fits=tuple(fits),
        kernel=kernel.release if kernel else "",
        problems=tuple(dict.fromkeys(notes.problems)),
        warnings=tuple(dict.fromkeys(notes.warnings)),
        unknown=tuple(dict.fromkeys(notes.unknown)),
    )


class _Notes:
    def __init__(self) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.unknown: list[str] = []


# --- the module alone ----------------------------------------------------------------------


def _judge_module(livepatch: Livepatch, notes: _Notes) -> None:
    notes.problems += _own_problems(livepatch)
    if livepatch.enables and livepatch.patch is None:
        notes.unknown.append(
            "what it patches: it calls klp_enable_patch, but no klp_patch stands in its data; a "
            "static variable could be read"
        )
    notes.problems += [f"{oddity}; link it without stripping" for oddity in livepatch.oddities]
    for item in livepatch.objects:
        if item.misnamed:
            # klp_is_module(), kernel/livepatch/core.c: any name is a module's
            notes.problems.append(
                "its object is called vmlinux, which the kernel takes for a module that never "
                "comes; leave the name NULL"
            )
        if not item.functions:
            notes.problems.append(
                f"object {item.name} has no functions: klp_enable_patch answers EINVAL; remove it"
            )
    seen: set[tuple[str, str, int]] = set()
    for function in livepatch.functions:
        key = (function.object, function.old, function.sympos)
        if key in seen:
            notes.warnings.append(f"{_full(function)} is replaced twice in one patch")
        seen.add(key)
        if not function.new:
            notes.problems.append(f"{_full(function)} has no new function; set new_func")


def _own_problems(livepatch: Livepatch) -> Iterator[str]:
    if not livepatch.marked:
        # is_livepatch_module() in klp_enable_patch(), kernel/livepatch/core.c
        yield (
            "not marked as a livepatch: klp_enable_patch refuses it; "
            'add MODULE_INFO(livepatch, "Y")'
        )
    if not livepatch.enables:
        yield "never calls klp_enable_patch, so nothing would be patched; call it in module_init"
    if livepatch.license not in _GPL_COMPATIBLE:
        yield (
            f"licence {livepatch.license or 'not given'!r}: klp_enable_patch is exported to GPL "
            'modules only; add MODULE_LICENSE("GPL")'
        )


# --- loading it ----------------------------------------------------------------------------


def _judge_loading(livepatch: Livepatch, target: Target, notes: _Notes) -> None:
    kernel = target.kernel
    if livepatch.machine != architecture(kernel.arch).elf:
        notes.problems.append(
            f"built for {livepatch.machine}, the kernel is {kernel.arch}; build it for that"
        )
    if "CONFIG_LIVEPATCH" not in kernel.config:
        notes.problems.append(
            f"{kernel.release} is built without CONFIG_LIVEPATCH; choose another kernel"
        )
    if kernel.config.get("CONFIG_MODULE_SIG_FORCE") == "y" and not livepatch.signed:
        notes.problems.append(
            "not signed, and CONFIG_MODULE_SIG_FORCE refuses such modules; sign it with the "
            "kernel's key"
        )
    _judge_vermagic(livepatch, target, notes)
    _judge_relocations(livepatch, target, notes)


def _judge_vermagic(livepatch: Livepatch, target: Target, notes: _Notes) -> None:
    """Ask for the same version magic, release and all.

    With MODVERSIONS the kernel itself compares only what follows the release (same_magic() in
    kernel/module/version.c), and so loads a patch written for another kernel's functions.
    """
    release = target.kernel.release
    built_for = livepatch.vermagic.split(" ", 1)[0]
    if built_for != release:
        notes.problems.append(
            f"built for {built_for or 'no release'}, the kernel is {release}; build it against "
            f"the headers of {release}"
        )
    elif target.vermagic is None:
        notes.unknown.append(
            "vermagic beyond the release: the kernel has no module to compare with"
        )
    elif livepatch.vermagic != target.vermagic:
        notes.problems.append(
            f"vermagic is {livepatch.vermagic!r}, the kernel's is {target.vermagic!r}; build it "
            f"against the headers of {release}"
        )


def _judge_imports(livepatch: Livepatch, target: Target, notes: _Notes) -> None:
    exports = target.exports
    if exports is None:
        notes.unknown.append(
            f"imports: the headers of {target.kernel.release} (Module.symvers) are not at hand; "
            "`lpharness kernels fetch` gets them"
        )
        return
    versions = target.kernel.config.get("CONFIG_MODVERSIONS") == "y"
    made = architecture(target.kernel.arch).loader_symbols
    for item in livepatch.imports:
        if item.name in made:
            continue
        export = exports.get(item.name)
        if export is None:
            if not item.weak:
                notes.problems.append(
                    f"needs {item.name}, which the kernel does not export to modules; reach it "
                    "another way or through a klp relocation"
                )
        elif versions:
            notes.problems += _version_problems(item, export.crc)


def _version_problems(item: Import, crc: int) -> Iterator[str]:
    if item.crc is None:
        yield (
            f"carries no version of {item.name}, which CONFIG_MODVERSIONS asks for; "
            "build it with kbuild"
        )
    elif item.crc != crc:
        yield (
            f"disagrees about the version of {item.name} ({item.crc:#010x}, the kernel has "
            f"{crc:#010x}); build it against this kernel's headers"
        )


def _judge_relocations(livepatch: Livepatch, target: Target, notes: _Notes) -> None:
    major, minor = _series(target.kernel.release)
    patched = {item.name for item in livepatch.objects}
    for relocations in livepatch.klp_relocations:
        if relocations.object not in patched and relocations.object != "vmlinux":
            notes.warnings.append(
                f"has klp relocations for {relocations.object}, which it does not patch: they are "
                "never applied"
            )
        if relocations.object != "vmlinux" and (major, minor) < (6, 3):
            # "Skipping invalid relocation target", fixed in 6.3
            notes.warnings.append(
                f"has klp relocations for {relocations.object}: before 6.3 that module cannot be "
                "loaded again once it was unloaded under the patch"
            )


# --- what it patches -----------------------------------------------------------------------


def _judge_function(
    function: KlpFunction,
    target: Target,
    traceable: Collection[str] | None,
    told: Collection[str] | None,
    notes: _Notes,
) -> FunctionFit:
    if not _object_exists(function.object, target, notes):
        return FunctionFit(
            object=function.object,
            old=function.old,
            sympos=function.sympos,
            new=function.new,
            exists=False,
        )
    found = target.find(function.object, function.old)
    exists = traced = None
    if found is None:
        notes.unknown.append(
            f"whether {_full(function)} exists and is unique: no symbols of "
            f"{target.kernel.release} are cached; they are, once a guest of it has been booted"
        )
    else:
        exists, traced = _judge_found(function, found, target, notes)
    if traceable is not None and exists is not False:
        traced = _traced_in_guest(function, traceable)
    elif told is not None and traced is None and function.object == "vmlinux" and found:
        # ftrace lists an address by the first of its names.
        traced = any(item.shown_as in told or function.old in told for item in found)
    if exists is not False and traced is False:
        # klp_get_ftrace_location() finds nothing: klp_patch_func() answers EINVAL
        notes.problems.append(
            f"{_full(function)} cannot be traced by ftrace, so it cannot be patched; "
            "patch its callers instead"
        )
    return FunctionFit(
        object=function.object,
        old=function.old,
        sympos=function.sympos,
        new=function.new,
        exists=exists,
        candidates=tuple(item.address for item in found or ()),
        traceable=traced,
    )


def _object_exists(name: str, target: Target, notes: _Notes) -> bool:
    if name == "vmlinux" or target.module_file(name) is not None:
        return True
    if target.is_builtin(name):
        notes.problems.append(
            f"object {name} is built into {target.kernel.release}; "
            "patch it as vmlinux (name = NULL)"
        )
    else:
        notes.problems.append(
            f"{target.kernel.release} has no module {name}; take a kernel that has it"
        )
    return False


def _judge_found(
    function: KlpFunction, found: list[Found], target: Target, notes: _Notes
) -> tuple[bool, bool | None]:
    """Judge as klp_find_object_symbol() does, kernel/livepatch/core.c."""
    full, many = _full(function), len(found)
    if not found:
        near = target.near(function.object, function.old)
        meant = f"did you mean {near}?" if near else "look for it in the kernel's kallsyms"
        notes.problems.append(f"{full} does not exist in {target.kernel.release}; {meant}")
        return False, None
    if function.sympos == 0 and many > 1:
        places = ", ".join(f"{i} at {item.address:#x}" for i, item in enumerate(found, 1))
        notes.problems.append(f"{full} is ambiguous; set old_sympos to one of: {places}")
        return True, None
    if function.sympos > many:
        notes.problems.append(f"{full}: sympos is {function.sympos}, but there are only {many}")
        return False, None
    chosen = found[max(function.sympos, 1) - 1]
    if chosen.shown_as != function.old:
        notes.warnings.append(
            f"{full} is one of several names of the same code; stacks and enabled_functions show "
            f"it as {chosen.shown_as}: patch it by that name"
        )
    return True, chosen.traceable


def _traced_in_guest(function: KlpFunction, lines: Collection[str]) -> bool:
    """Look in ``available_filter_functions``, whose lines are ``NAME`` or ``NAME [MODULE]``."""
    suffix = "" if function.object == "vmlinux" else f" [{function.object}]"
    return f"{function.old}{suffix}" in lines


def _judge_klp_symbols(livepatch: Livepatch, target: Target, notes: _Notes) -> None:
    for symbol in livepatch.klp_symbols:
        found = target.find(symbol.object, symbol.name)
        if found is None:
            continue
        full = f"klp symbol {symbol.object}:{symbol.name}"
        if not found:
            notes.problems.append(
                f"{full} does not exist in {target.kernel.release}; build it anew"
            )
        elif symbol.sympos == 0 and len(found) > 1:
            notes.problems.append(f"{full} is ambiguous ({len(found)} of them); give it a sympos")
        elif symbol.sympos > len(found):
            notes.problems.append(f"{full}: sympos {symbol.sympos} of {len(found)}; build it anew")


def _full(function: KlpFunction) -> str:
    position = f",{function.sympos}" if function.sympos else ""
    return f"{function.object}:{function.old}{position}"


def _series(release: str) -> tuple[int, int]:
    """Return (6, 1) for ``6.1.0-56-cloud-amd64``; a release without numbers counts as newest."""
    parts = release.split(".")
    digits = "".join(c for c in (parts[1] if len(parts) > 1 else "")[:3] if c.isdigit())
    return (int(parts[0]), int(digits)) if parts[0].isdigit() and digits else (999, 0)
