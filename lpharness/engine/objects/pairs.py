"""Compiles the units of a plan before and after its diff.

Three objects for each unit. The *plain* one is what kbuild compiled, for the proof that source,
configuration and compiler are the kernel's. The *original* and the *patched* one have a section
for each function and each datum, so that what the diff changes can be told and taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Event

from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.progress import SILENT, Progress
from lpharness.engine.compiler import Compiler
from lpharness.engine.objects.compile import PLAIN, Made, compile_unit
from lpharness.engine.objects.plan import DiffPlan, Suspect
from lpharness.engine.objects.process import in_parallel
from lpharness.engine.objects.unit import Unit

_TAKEN_APART = ("-g0", "-ffunction-sections", "-fdata-sections")
_WITH_TYPES = ("-gbtf",)
"""Added where a layout is in question: half as much time again, and no other code."""
_KASAN = "-fsanitize=kernel-address"
_BARE_VARIABLES = ("--param", "asan-globals=0")
"""Added where gcc instruments for KASAN: no zones around variables, and no function that tells
KASAN of them at boot, which another string would change. Other code is the same."""


class ObjectPair(Struct, frozen=True, kw_only=True):
    """One unit, compiled before and after a diff."""

    unit: Unit
    original: Path
    """A section for each function and datum; after the base's diff, if there is one."""
    patched: Path
    """Likewise, after the diff."""
    plain_original: Path
    """Exactly as kbuild compiles it."""
    object_name: str
    """The object as livepatch names it: ``vmlinux`` or a module's name."""
    source: str
    """Path in the tree."""
    command: str
    """kbuild's own, as for `plain_original` but for the debug information."""
    dependencies: tuple[str, ...]
    """The files of the tree that went into the original."""
    warnings: str
    """What compiler and objtool said of the patched one and not of the original."""
    cached: bool
    """Whether all three had been made before."""
    seconds: float
    """Spent in compilers this time, added up over all processors."""
    suspects: tuple[Suspect, ...] = ()
    """The structures whose layouts have to be compared."""


def compile_pairs(
    plan: DiffPlan,
    *,
    progress: Progress = SILENT,
    jobs: int | None = None,
    cache: Cache | None = None,
) -> list[ObjectPair]:
    """Return each unit of a plan compiled, in the plan's order.

    Args:
        plan: as `plan_diff` made it.
        progress: told of each unit.
        jobs: how many compilers at a time; as many as there are processors unless given.
        cache: where objects are kept.

    Raises:
        InputError: the plan was refused.
        BuildError: the patched source does not compile; the message has the compiler's words.
        HostError: the original does not compile, a tool is missing, or no space is left.
    """
    plan.require()
    bench = _Bench(plan, cache or Cache())
    tasks = [
        partial(variant, unit)
        for unit in plan.units
        for variant in (bench.plain, bench.original, bench.patched)
    ]
    with progress.step(f"compile {_said(plan.units)}", unit="objects") as step:
        made = in_parallel(tasks, jobs=jobs, tell=lambda done: step.update(done, len(tasks)))
    return [
        _pair(plan, unit, *made[3 * number : 3 * number + 3])
        for number, unit in enumerate(plan.units)
    ]


def _pair(plan: DiffPlan, unit: Unit, plain: Made, original: Made, patched: Made) -> ObjectPair:
    known = set(original.record.said.splitlines())
    news = [line for line in patched.record.said.splitlines() if line not in known]
    all_three = (patched, original, plain)
    return ObjectPair(
        unit=unit,
        original=original.object,
        patched=patched.object,
        plain_original=plain.object,
        object_name=unit.object_name,
        source=unit.source,
        command=unit.with_flags(*PLAIN),
        dependencies=plain.record.dependencies,
        warnings="\n".join(news),
        cached=not any(made.fresh for made in all_three),
        seconds=sum(made.record.seconds for made in all_three if made.fresh),
        suspects=plan.suspects_in(unit),
    )


class _Bench:
    """Makes the three variants of a unit, each once for the same content."""

    def __init__(self, plan: DiffPlan, cache: Cache) -> None:
        self._plan = plan
        self._makefiles = plan.makefiles
        self._cache = cache

    def plain(self, unit: Unit, stop: Event) -> Made:
        return compile_unit(self._makefiles, unit, PLAIN, {}, cache=self._cache, stop=stop)

    def original(self, unit: Unit, stop: Event) -> Made:
        return self._taken_apart(unit, self._plan.base, stop)

    def patched(self, unit: Unit, stop: Event) -> Made:
        return self._taken_apart(unit, self._plan.base | self._plan.contents, stop)

    def _taken_apart(self, unit: Unit, contents: dict[str, bytes | None], stop: Event) -> Made:
        # Another unit's code is of no concern here, unless it is included.
        foreign = {other.source for other in self._plan.units} - self._plan.included_by(unit)
        changes = {
            path: content
            for path, content in contents.items()
            if path == unit.source or path not in foreign
        }
        return compile_unit(
            self._makefiles, unit, self._flags(unit), changes, cache=self._cache, stop=stop
        )

    def _flags(self, unit: Unit) -> tuple[str, ...]:
        return comparing_flags(unit, self._plan.compiler, typed=bool(self._plan.suspects_in(unit)))


def comparing_flags(unit: Unit, compiler: Compiler, *, typed: bool) -> tuple[str, ...]:
    """Return what is added to kbuild's command for objects that are to be compared.

    Args:
        unit: what is compiled.
        compiler: by what.
        typed: whether the layouts of structures have to be compared, too.
    """
    flags: tuple[str, ...] = _TAKEN_APART
    if typed and compiler.writes_btf:
        flags += _WITH_TYPES
    if _KASAN in unit.command and "clang" not in compiler.version:
        flags += _BARE_VARIABLES
    return flags


def _said(units: Sequence[Unit]) -> str:
    return units[0].source if len(units) == 1 else f"{len(units)} files"
