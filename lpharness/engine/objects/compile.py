"""Compiles a unit as kbuild does: as it is shipped, and, taken apart, before and after a diff.

Three objects for each unit. The *plain* one is what kbuild compiled, for the proof that source,
configuration and compiler are the kernel's. The *original* and the *patched* one have a section
for each function and each datum, so that what the diff changes can be told and taken out.

They are kept by what went into them: the command, the compiler, and the tree with the files that
the diff changes. Debug information is left out: gcc's code is the same with and without (its
``-fcompare-debug`` holds it to that), and it is half of the work.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from threading import Event

import msgspec
from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError, HostError
from lpharness.base.hashing import identity
from lpharness.base.progress import SILENT, Progress
from lpharness.engine.objects.makefiles import Makefiles
from lpharness.engine.objects.plan import DiffPlan, Suspect
from lpharness.engine.objects.process import in_parallel, run
from lpharness.engine.objects.unit import Unit
from lpharness.sources.overlay import Overlay

_KIND = "objects"
_RECIPE = 2
"""Part of the cache's keys: raise it when a change here changes the bytes that come out."""
_PLAIN = ("-g0",)
_TAKEN_APART = ("-g0", "-ffunction-sections", "-fdata-sections")
_WITH_TYPES = ("-gbtf",)
"""Added where a layout is in question: half as much time again, and no other code."""
_OBJECT, _RECORD = "object.o", "object.json"
_ERROR = re.compile(
    r"^(?P<where>[^\s:]+:\d+)(?::\d+)?: (?:fatal )?error: (?P<what>.*)$", re.MULTILINE
)


class Compiled(Struct, frozen=True, kw_only=True):
    """What is known of one object."""

    dependencies: tuple[str, ...]
    """The files of the tree that went into it."""
    said: str
    """What compiler and objtool had to say though all went well."""
    seconds: float
    """How long it took when it was made."""


class ObjectPair(Struct, frozen=True, kw_only=True):
    """One unit, compiled before and after a diff."""

    unit: Unit
    original: Path
    """A section for each function and datum."""
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


class _Made(Struct, frozen=True):
    entry: Path
    record: Compiled
    fresh: bool

    @property
    def object(self) -> Path:
        return self.entry / _OBJECT


def _pair(plan: DiffPlan, unit: Unit, plain: _Made, original: _Made, patched: _Made) -> ObjectPair:
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
        command=unit.with_flags(*_PLAIN),
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

    def plain(self, unit: Unit, stop: Event) -> _Made:
        return compile_unit(self._makefiles, unit, _PLAIN, {}, cache=self._cache, stop=stop)

    def original(self, unit: Unit, stop: Event) -> _Made:
        return compile_unit(
            self._makefiles, unit, self._flags(unit), {}, cache=self._cache, stop=stop
        )

    def _flags(self, unit: Unit) -> Sequence[str]:
        typed = self._plan.suspects_in(unit) and self._plan.compiler.writes_btf
        return (*_TAKEN_APART, *_WITH_TYPES) if typed else _TAKEN_APART

    def patched(self, unit: Unit, stop: Event) -> _Made:
        # Another unit's code is of no concern here, unless it is included.
        foreign = {other.source for other in self._plan.units} - self._plan.included_by(unit)
        changes = {
            path: content
            for path, content in self._plan.contents.items()
            if path == unit.source or path not in foreign
        }
        return compile_unit(
            self._makefiles, unit, self._flags(unit), changes, cache=self._cache, stop=stop
        )


def compile_unit(
    makefiles: Makefiles,
    unit: Unit,
    flags: Sequence[str],
    changes: Mapping[str, bytes | None],
    *,
    cache: Cache,
    stop: Event | None = None,
) -> _Made:
    """Return a unit compiled with flags added, and with files changed; kept for the next time."""
    tree = makefiles.tree
    seen = _preprocessed(makefiles, unit, changes, cache) if tree.own else tree.key
    parts = [part for path in sorted(changes) for part in (path, changes[path])]
    key = identity(_RECIPE, seen, unit.command, *flags, makefiles.compiler.version, *parts)
    found = cache.find(_KIND, key)

    def build(folder: Path) -> None:
        overlay = _laid_out(makefiles, unit, changes, folder / "tree")
        began = time.monotonic()
        said = _run_command(makefiles, unit, flags, overlay, patched=bool(changes), stop=stop)
        seconds = time.monotonic() - began
        (overlay.folder / unit.object).rename(folder / _OBJECT)
        record = Compiled(
            dependencies=tuple(_dependencies(unit, overlay, makefiles, changes)),
            said=said,
            seconds=round(seconds, 3),
        )
        (folder / _RECORD).write_bytes(msgspec.json.encode(record))
        shutil.rmtree(overlay.folder)

    entry = found or cache.get(_KIND, key, build)
    record = msgspec.json.decode((entry / _RECORD).read_bytes(), type=Compiled)
    return _Made(entry, record, found is None)


def dependencies_of(
    makefiles: Makefiles, unit: Unit, *, cache: Cache, stop: Event | None = None
) -> set[str]:
    """Return the files of the tree that a unit is made of, by the compiler's own account.

    Raises:
        HostError: the unit does not compile.
    """
    made = compile_unit(makefiles, unit, _PLAIN, {}, cache=cache, stop=stop)
    return set(made.record.dependencies)


def _laid_out(
    makefiles: Makefiles, unit: Unit, changes: Mapping[str, bytes | None], folder: Path
) -> Overlay:
    overlay = makefiles.tree.overlay(folder)
    for at in {str(PurePosixPath(unit.object).parent), unit.folder}:
        overlay.open(at)
    makefiles.lay_made(unit, overlay)
    for path, content in changes.items():
        if content is None:
            overlay.remove(path)
        else:
            overlay.write(path, content)
    return overlay


def _run_command(
    makefiles: Makefiles,
    unit: Unit,
    flags: Sequence[str],
    overlay: Overlay,
    *,
    patched: bool,
    stop: Event | None,
) -> str:
    what = f"compile {unit.source}"
    # The command is kbuild's own, with its quoting; nothing of a diff is in it.
    done = run(
        ["sh", "-ec", unit.with_flags(*flags)],
        folder=overlay.folder, environment=makefiles.environment(overlay), what=what, stop=stop,
    )  # fmt: skip
    if done.status == 0 and (overlay.folder / unit.object).is_file():
        return done.said.strip()
    if "No space left on device" in done.said:
        raise HostError(f"no space left to {what}", hint="free some space")
    errors = list(_ERROR.finditer(done.said))
    # Where a macro is at fault gcc's first line names its header; the user knows the file.
    match = next(
        (e for e in errors if e["where"].startswith(unit.source)), next(iter(errors), None)
    )
    message = f"{match['where']}: {match['what']}" if match else (
        f"cannot {what}: {(done.said.strip().splitlines() or [f'exit {done.status}'])[-1]}"
    )  # fmt: skip
    if patched:
        raise BuildError(
            f"{message}\n{done.said.strip()}",
            hint="does the diff need another change as well, made elsewhere?",
            kind="does-not-compile",
        )
    raise HostError(f"the unpatched source does not compile: {message}")


def _dependencies(
    unit: Unit, overlay: Overlay, makefiles: Makefiles, changes: Mapping[str, bytes | None]
) -> Iterator[str]:
    """Yield what the compiler read, and make sure that it was the changed files where they are."""
    target = PurePosixPath(unit.object)
    listing = overlay.folder / target.parent / f".{target.name}.d"
    words = listing.read_text(errors="replace").replace("\\\n", " ").split()
    bypassed = {
        layer.joinpath(path).resolve(): path for layer in makefiles.tree.layers for path in changes
    }
    for word in dict.fromkeys(words[1:]):
        path = PurePosixPath(word)
        if path.is_absolute():
            continue  # the compiler's own headers
        real = (overlay.folder / path).resolve()
        if real in bypassed:
            raise HostError(
                f"{unit.source} reads {bypassed[real]} past the change to it, as {word}",
                hint="this is a fault of lpharness; please report it",
            )
        yield os.path.normpath(word)


def _preprocessed(
    makefiles: Makefiles, unit: Unit, changes: Mapping[str, bytes | None], cache: Cache
) -> str:
    """Return the identity of what the compiler would compile, for a tree that may have changed."""
    import tempfile

    with (
        cache.lock(_KIND, "preprocess"),
        tempfile.TemporaryDirectory(
            prefix=f".tmp-preprocess-{os.getpid()}-", dir=cache.root / _KIND
        ) as folder,
    ):
        overlay = _laid_out(makefiles, unit, changes, Path(folder) / "tree")
        done = run(
            ["sh", "-ec", unit.preprocessing("-g0", "-E")],
            folder=overlay.folder, environment=makefiles.environment(overlay),
            what=f"preprocess {unit.source}",
        )  # fmt: skip
    if done.status != 0:
        return "does not compile"  # as the compiler will say
    return identity(done.output)


def _said(units: Sequence[Unit]) -> str:
    return units[0].source if len(units) == 1 else f"{len(units)} files"
