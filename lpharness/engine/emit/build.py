"""``lpharness build fix.patch``: from a source diff to a livepatch module that fits a kernel."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError, InputError
from lpharness.base.hashing import code_identity, identity, sha256_file
from lpharness.base.progress import SILENT, Progress
from lpharness.engine.differ import Answer
from lpharness.engine.differ.refusals import CAN_BE_LEFT_OUT, CAN_BE_RISKED
from lpharness.engine.differ.report import Refusal
from lpharness.engine.emit.model import ObjectBuild, PatchBuild, Timing
from lpharness.engine.emit.module import emit_module, require_name
from lpharness.engine.emit.prepare import Judged, Prepared, describe, judge_pair, prepare
from lpharness.engine.emit.readback import require_meant
from lpharness.engine.inspect import Inspection, inspect
from lpharness.engine.objects import DiffPlan, ObjectPair, compile_pairs, plan_diff
from lpharness.engine.objects.plan import MOST_UNITS
from lpharness.engine.target import Target
from lpharness.kernels import with_headers
from lpharness.kernels.model import Kernel
from lpharness.sources.prepare import prepare_tree

_KIND = "livepatches"
_MAKERS = ("lpharness.engine.differ", "lpharness.engine.emit", "lpharness.elf")
"""Whose code decides what a module holds."""
_FACTS = "build.json"


class Refused(InputError):
    """A diff that no livepatch can bring about.

    Attributes:
        objects: what was found of each source file, with its refusals.
    """

    def __init__(
        self, message: str, *, hint: str, kind: str, objects: tuple[ObjectBuild, ...]
    ) -> None:
        super().__init__(message, hint=hint, kind=kind)
        self.objects = objects


class NoChange(InputError):
    """A diff that changes nothing in the code."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint, kind="no-code")


def build_diff(
    diff: str,
    kernel: Kernel,
    *,
    name: str,
    base: str = "",
    replace: bool = False,
    force_base: bool = False,
    most_units: int = MOST_UNITS,
    allow: frozenset[str] = frozenset(),
    progress: Progress = SILENT,
    cache: Cache | None = None,
) -> tuple[Path, PatchBuild, Inspection]:
    """Return the module that a source diff comes to on a kernel, and the account of it.

    Args:
        diff: one unified diff or several.
        kernel: what it is for.
        name: the module's.
        base: the diff of a livepatch that is on before, and that this one replaces: ``diff`` is
            one of the tree after it.
        replace: whether it replaces all earlier livepatches.
        force_base: patch functions although they are not the kernel's byte for byte.
        most_units: refuse if a header is in more units than this.
        allow: kinds of refusals to go on in spite of: ``layout``, ``thread-function``, or one of
            which the change is then left out
            (`lpharness.engine.differ.refusals.CAN_BE_LEFT_OUT`).
        progress: told of each step.
        cache: where trees, objects and modules are kept.

    Raises:
        NoChange: nothing that the compiler sees, or nothing in what it makes of it, changes.
        Refused: no livepatch can bring it about; every reason is in it.
        InputError: the diff does not apply, or the base is not the kernel's.
        BuildError: it does not compile, or a reference cannot be resolved.
        HostError: tools or space are missing, or the module read back is not what was meant.
    """
    require_name(name)
    _require_allowable(allow)
    cache = cache or Cache()
    clock = _Clock()
    kernel = with_headers(kernel, progress=progress, cache=cache)
    with clock.step("source tree"):
        tree = prepare_tree(kernel, cache=cache, progress=progress)
    with clock.step("plan"):
        plan = plan_diff(
            tree,
            diff,
            base=base,
            most_units=most_units,
            allow=allow,
            progress=progress,
            cache=cache,
        )
        _require(plan)
    with clock.step("compile"):
        pairs = compile_pairs(plan, progress=progress, cache=cache)
    key = _key(name, plan, pairs, kernel, allow=allow, replace=replace, force_base=force_base)
    found = cache.find(_KIND, key, sealed=True)
    if found is None:
        with clock.step("prove and compare"):
            judged = [judge_pair(pair, kernel, allow=allow, cache=cache) for pair in pairs]
            _require_patchable(judged, plan)

        def build(folder: Path) -> None:
            with clock.step("resolve"):
                parts = _prepare(judged, kernel, force_base=force_base, cache=cache)
            with clock.step("link"), progress.step(f"link {name} for {kernel.release}"):
                _emit(folder, name, parts, judged, plan, kernel, replace=replace,
                      force_base=force_base)  # fmt: skip

        found = cache.get(_KIND, key, build, sealed=True)
        fresh = True
    else:
        fresh = False
    facts = msgspec.json.decode((found / _FACTS).read_bytes(), type=PatchBuild)
    path = found / f"{name}.ko"
    with clock.step("read back"):
        inspection = inspect(path, kernel)
    facts = msgspec.structs.replace(facts, timings=tuple(clock.timings), cached=not fresh)
    return path, facts, inspection


def _key(
    name: str,
    plan: DiffPlan,
    pairs: list[ObjectPair],
    kernel: Kernel,
    *,
    allow: Collection[str],
    replace: bool,
    force_base: bool,
) -> str:
    objects = [
        part
        for pair in pairs
        for part in (pair.source, *map(sha256_file, (pair.plain_original, pair.original,
                                                     pair.patched)))
    ]  # fmt: skip
    return identity(
        code_identity(*_MAKERS), name, plan.sha256, kernel.identity, plan.compiler.version,
        int(replace), int(force_base), *sorted(allow), *objects,
    )  # fmt: skip


def _require_allowable(kinds: Collection[str]) -> None:
    known = ("layout", *CAN_BE_RISKED, *CAN_BE_LEFT_OUT)
    if unknown := sorted(set(kinds) - set(known)):
        raise InputError(
            f"a refusal of the kind {unknown[0]!r} cannot be allowed",
            hint=f"of these it can: {', '.join(known)}",
        )


def _require(plan: DiffPlan) -> None:
    """Go on only with a plan that was not refused; tell a diff without code from a refusal."""
    for refusal in plan.refusals:
        if refusal.kind == "no-code":
            raise NoChange(str(refusal), hint=refusal.hint)
    plan.require()


def _require_patchable(judged: list[Judged], plan: DiffPlan) -> None:
    refused = [(one, refusal) for one in judged for refusal in one.report.refusals]
    if refused:
        one, first = refused[0]
        where = _where(plan, one, first)
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise Refused(
            f"{where}: {first.subject}: {first.reason}{more}",
            hint=first.hint,
            kind=first.kind,
            objects=tuple(describe(one) for one in judged),
        )
    if all(one.report.answer is Answer.UNCHANGED for one in judged):
        raise NoChange(
            f"no change in code: what the compiler makes of "
            f"{', '.join(one.pair.source for one in judged)} means the same before and after",
            hint="there is nothing to patch",
        )


def _where(plan: DiffPlan, judged: Judged, refusal: Refusal) -> str:
    """Return the place in the patched source that a refusal is about, as far as it can be told."""
    for suspect in judged.pair.suspects:
        if refusal.kind == "layout" and suspect.name == refusal.subject:
            return f"{suspect.path}:{suspect.line}"
    line = plan.line_of(judged.pair.source, refusal.subject)
    return f"{judged.pair.source}:{line}" if line else judged.pair.source


def _prepare(
    judged: list[Judged], kernel: Kernel, *, force_base: bool, cache: Cache
) -> list[Prepared]:
    taken = [one for one in judged if one.extracted is not None]
    parts = [
        prepare(
            one, kernel,
            {name for other in taken if other is not one for name in other.fresh},
            force_base=force_base, cache=cache,
        )
        for one in taken
    ]  # fmt: skip
    if not any(part.redirects for part in parts):
        raise BuildError(
            "the diff adds code, but nothing that the kernel runs leads to it",
            hint="does it need another change as well?",
            kind="not-reached",
        )
    return parts


def _emit(
    folder: Path,
    name: str,
    parts: list[Prepared],
    judged: list[Judged],
    plan: DiffPlan,
    kernel: Kernel,
    *,
    replace: bool,
    force_base: bool,
) -> None:
    """Make the module and its account in a folder of the cache, and read the module back."""
    assert kernel.headers is not None
    work = folder / "make"
    work.mkdir()
    made = emit_module(
        name=name, parts=parts, diff_sha256=plan.sha256, replace=replace, headers=kernel.headers,
        compiler=plan.compiler, folder=work,
    )  # fmt: skip
    path = made.rename(folder / made.name)
    shutil.rmtree(work)
    described = {one.build.source: one.build for one in parts}
    callbacks: dict[str, dict[str, str]] = {}
    for one in parts:
        for kind, symbol in one.callbacks.items():
            callbacks.setdefault(one.part.object_name, {})[kind] = symbol.name
    facts = PatchBuild(
        name=name,
        release=kernel.release,
        diff_sha256=plan.sha256,
        compiler=plan.compiler.version,
        replace=replace,
        forced=force_base,
        redirects=tuple(redirect for one in parts for redirect, _ in one.redirects),
        callbacks=callbacks,
        objects=tuple(described.get(one.pair.source) or describe(one) for one in judged),
        notes=plan.notes,
    )
    require_meant(inspect(path, kernel), facts, Target(kernel).vermagic)
    (folder / _FACTS).write_bytes(msgspec.json.encode(facts))


class _Clock:
    """Says how long each step took."""

    def __init__(self) -> None:
        self.timings: list[Timing] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.timings.append(Timing(step=name, seconds=round(time.monotonic() - began, 3)))
