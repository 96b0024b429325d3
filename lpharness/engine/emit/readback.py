"""Reads the finished module back: it must say exactly what the engine meant."""

from __future__ import annotations

from collections.abc import Sequence

from lpharness.base.errors import HostError
from lpharness.engine.emit.model import PatchBuild
from lpharness.engine.emit.resolve import How, Resolved
from lpharness.engine.inspect import Inspection


def require_meant(inspection: Inspection, meant: PatchBuild, vermagic: str | None) -> None:
    """Hold what `inspect` read in the module against what was put in.

    Args:
        inspection: of the module, against its kernel.
        meant: what the engine put in.
        vermagic: the version magic of the kernel's own modules, if it has any.

    Raises:
        HostError: it says something else; a fault of lpharness, and the module is not given out.
    """
    wrong = [*_differences(inspection, meant), *inspection.problems]
    if vermagic is not None and inspection.livepatch.vermagic != vermagic:
        wrong.append(f"vermagic is {inspection.livepatch.vermagic!r}, not {vermagic!r}")
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise HostError(
            f"the module does not say what was put in: {wrong[0]}{more}",
            hint="this is a fault of lpharness; please report it with the diff",
        )


def _differences(inspection: Inspection, meant: PatchBuild) -> list[str]:
    livepatch = inspection.livepatch
    patch = livepatch.patch
    if patch is None:
        return ["no klp_patch can be read in it"]
    functions = sorted((f.object, f.old, f.sympos, f.new) for f in livepatch.functions)
    redirects = sorted((r.object, r.old, r.sympos, r.new) for r in meant.redirects)
    symbols = sorted({(s.object, s.name, s.sympos) for s in livepatch.klp_symbols})
    references = [reference for one in meant.objects for reference in one.references]
    resolved = sorted({(r.object, r.name, r.sympos) for r in references if r.how is How.LIVEPATCH})
    imports = {item.name for item in livepatch.imports}
    callbacks = {one.name: one.callbacks for one in patch.objects if one.callbacks}
    return [
        *_unequal("name", livepatch.name, meant.name),
        *_unequal("functions", functions, redirects),
        *_unequal("replace", patch.replace, meant.replace),
        *_unequal("callbacks", callbacks, meant.callbacks),
        *_unequal("livepatch symbols", symbols, _used(symbols, resolved)),
        *(f"{name} is not imported" for name in _missing(references, imports)),
        *livepatch.oddities,
    ]


def _used(
    symbols: Sequence[tuple[str, str, int]], resolved: list[tuple[str, str, int]]
) -> list[tuple[str, str, int]]:
    """Return the resolved symbols that are in the module; more must not be in it.

    Fewer may: what was referred to only by an entry that was left out.
    """
    return [one for one in resolved if one in symbols]


def _missing(references: Sequence[Resolved], imports: set[str]) -> list[str]:
    return [one.name for one in references if one.how is How.IMPORT and one.name not in imports]


def _unequal(what: str, read: object, meant: object) -> list[str]:
    return [] if read == meant else [f"{what}: {read} was read, {meant} was meant"]
