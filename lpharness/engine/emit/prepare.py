"""From one object pair to a part of the livepatch: cut out, resolved, and fit for the loader."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError, InputError
from lpharness.elf.object import RelocationSection, Symbol
from lpharness.elf.object_reader import read_object
from lpharness.engine.differ import Answer, DiffReport, Judgement, judge_files, report
from lpharness.engine.differ.extract import extract
from lpharness.engine.differ.extracted import Extracted
from lpharness.engine.emit.callbacks import declared_callbacks
from lpharness.engine.emit.late import settle_entries
from lpharness.engine.emit.link import Part
from lpharness.engine.emit.model import ObjectBuild, Redirect, SectionOrigin
from lpharness.engine.emit.pointers import handed_out
from lpharness.engine.emit.resolve import How, Resolved, Resolver
from lpharness.engine.objects import BaseProof, Match, ObjectPair, prove_base
from lpharness.kernels.model import Kernel


@dataclass(slots=True, kw_only=True)
class Judged:
    """A pair after the proof and the comparison."""

    pair: ObjectPair
    proof: BaseProof
    judgement: Judgement
    report: DiffReport
    extracted: Extracted | None = None
    """`None` if nothing changed, or the change is refused."""

    @property
    def fresh(self) -> set[str]:
        """The new global symbols that other objects of the patch may refer to."""
        if self.extracted is None:
            return set()
        return {s.name for s in self.extracted.object.symbols if not s.local and not s.undefined}


@dataclass(slots=True, kw_only=True)
class Prepared:
    """A part of the module, and what is to be said of it."""

    part: Part
    build: ObjectBuild
    redirects: list[tuple[Redirect, Symbol]] = field(default_factory=list)
    callbacks: dict[str, Symbol] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def judge_pair(
    pair: ObjectPair, kernel: Kernel, *, allow: Collection[str] = (), cache: Cache | None = None
) -> Judged:
    """Hold a pair against the kernel and its two sides against each other, and cut out the change.

    Args:
        pair: one unit before and after.
        kernel: what it is to be part of.
        allow: kinds of refusals to go on in spite of.
        cache: where the unpacked image and its symbols are kept.

    Raises:
        InputError: the kernel's image or module cannot be read.
        BuildError: a function cannot be cut out of its section.
    """
    proof = prove_base(pair, kernel, cache=cache)
    judgement = judge_files(pair.original, pair.patched, suspects=pair.suspects)
    judgement.allow(allow)
    found = report(judgement, pair.original, pair.patched)
    judged = Judged(pair=pair, proof=proof, judgement=judgement, report=found)
    if found.answer is Answer.PATCHABLE:
        judged.extracted = extract(judgement)
    return judged


def prepare(
    judged: Judged,
    kernel: Kernel,
    others: Collection[str],
    *,
    force_base: bool,
    cache: Cache | None = None,
) -> Prepared:
    """Make a part of what was cut out.

    Args:
        judged: with something cut out.
        kernel: with its headers.
        others: what other objects of the patch define anew.
        force_base: patch functions although they are not the kernel's byte for byte.
        cache: where the unpacked image and its symbols are kept.

    Raises:
        InputError: a function to be replaced is not the kernel's own.
        BuildError: a reference cannot be resolved, or cannot be used in a livepatch.
    """
    extracted = judged.extracted
    assert extracted is not None
    if extracted.needs_objtool:
        raise BuildError(
            f"{judged.pair.source}: objtool has made no unwind table for it",
            hint="a kernel with another unwinder cannot be patched yet",
            kind="no-unwind-table",
        )
    redirects = _redirects(judged, force_base=force_base)
    resolver = Resolver(kernel, read_object(judged.pair.plain_original), judged.proof, cache=cache)
    resolved = {
        id(wanted.symbol): Resolved(name=wanted.symbol.name, how=How.PATCH, evidence="new in it")
        if wanted.origin is None and wanted.symbol.name in others
        else resolver.resolve(wanted.symbol.name, wanted.origin)
        for wanted in extracted.wanted
    }
    late = {number for number, one in resolved.items() if one.late}
    notes = settle_entries(extracted.object, late)
    notes += [
        f"the address of the new function {name} is handed out; it must not be used after the "
        "patch is gone"
        for name in handed_out(extracted)
    ]
    part = Part(
        source=judged.pair.source,
        object_name=judged.pair.object_name,
        object=extracted.object,
        livepatch={n: one.symbol for n, one in resolved.items() if one.how is How.LIVEPATCH},
        late=late,
    )
    return Prepared(
        part=part,
        build=describe(judged, tuple(resolved.values()), tuple(notes)),
        redirects=redirects,
        callbacks=_callbacks(judged, extracted),
        imports={one.name for one in resolved.values() if one.how is How.IMPORT},
        notes=notes,
    )


def describe(
    judged: Judged, references: tuple[Resolved, ...] = (), notes: tuple[str, ...] = ()
) -> ObjectBuild:
    """Return what is to be said of one source file."""
    sections = judged.extracted.object.sections if judged.extracted else []
    return ObjectBuild(
        source=judged.pair.source,
        object=judged.pair.object_name,
        command=judged.pair.command,
        proved=judged.proof.matching,
        functions=len(judged.proof.functions),
        unproved=judged.proof.failures,
        report=judged.report,
        sections=tuple(
            SectionOrigin(name=section.name, size=section.size)
            for section in sections
            if not isinstance(section, RelocationSection) and section.size
        ),
        references=references,
        notes=notes,
        warnings=judged.pair.warnings,
    )


def _redirects(judged: Judged, *, force_base: bool) -> list[tuple[Redirect, Symbol]]:
    """Return what is replaced, each function where the proof found it."""
    assert judged.extracted is not None
    found = []
    for one in judged.extracted.redirected:
        proof = judged.proof.named(one.old.name)
        if proof is None or proof.state is Match.ABSENT or proof.sympos is None:
            raise InputError(
                f"{judged.pair.source}: {one.old.name} is not in {judged.proof.image}",
                hint="the kernel was linked without it, or from another source",
                kind="base-absent",
            )
        if proof.state is Match.DIFFERS and not force_base:
            raise InputError(
                f"{judged.pair.source}: {one.old.name} is not what {judged.pair.object_name} has: "
                f"at +{proof.first_difference:#x} the kernel has {proof.expected}, "
                f"the compiler made {proof.found}",
                hint="is it the right source and compiler? --force-base patches it all the same",
                kind="base-differs",
            )
        strays = [stray for stray in judged.proof.strays if stray.function == one.old.name]
        if strays and not force_base:
            raise InputError(
                f"{judged.pair.source}: {one.old.name} at +{strays[0].offset:#x} refers to "
                f"{strays[0].symbol}, in the kernel to {strays[0].found}",
                hint="is it the right source? --force-base patches it all the same",
                kind="base-differs",
            )
        redirect = Redirect(
            object=judged.pair.object_name,
            old=one.old.name,
            sympos=0 if proof.unique else proof.sympos,
            new=one.new.name,
            source=judged.pair.source,
        )
        found.append((redirect, one.new))
    return found


def _callbacks(judged: Judged, extracted: Extracted) -> dict[str, Symbol]:
    found = {}
    for kind, name in declared_callbacks(judged.pair.patched).items():
        symbol = extracted.object.symbol(name)
        if symbol is None or symbol.undefined:
            raise BuildError(
                f"{judged.pair.source}: the {kind} callback {name} is no new function",
                hint="a callback has to be a function that the diff adds",
            )
        found[kind] = symbol
    return found
