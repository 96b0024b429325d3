"""From a diff to the translation units that compile it, or to the reasons why it cannot be done."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from threading import Event

from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.engine.compiler import Compiler, find_compiler
from lpharness.engine.objects.compile import dependencies_of
from lpharness.engine.objects.makefiles import Makefiles
from lpharness.engine.objects.process import in_parallel
from lpharness.engine.objects.unit import Unit
from lpharness.sources.additions import added_names, mentioned
from lpharness.sources.ctext import changed_layouts, code_of, definition_line
from lpharness.sources.diffed import Diffed
from lpharness.sources.includes import load_includers
from lpharness.sources.tree import SourceTree

MOST_UNITS = 20
"""So many units are compiled without asking; a header may be in thousands."""
_KNOWN_LIMIT = 400
"""Files that include a header are counted up to this many."""


class What(StrEnum):
    """What a diff does to a file."""

    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"


class TouchedFile(Struct, frozen=True, kw_only=True):
    """One file that a diff touches."""

    path: str
    what: What
    code: bool
    """Whether what the compiler sees of it changes: not if only comments do."""
    units: tuple[str, ...] = ()
    """The units that are compiled anew on its account."""
    note: str = ""
    """What is worth knowing: at which offset it applied, why it is of no account."""


class PlanRefusal(Struct, frozen=True, kw_only=True):
    """Something in a diff that no livepatch can bring about."""

    kind: str
    """A stable word; ``docs/engine.md`` lists them."""
    path: str
    line: int = 0
    """In the file after the diff; 0 where it is about the whole file."""
    reason: str
    hint: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where}: {self.reason}" if where else self.reason


class Suspect(Struct, frozen=True, kw_only=True):
    """A struct or union whose definition reads otherwise after a diff.

    Whether it lies in memory otherwise, the compiler is asked: ``unsigned long`` may have become
    ``u64``.
    """

    path: str
    line: int
    """In the file after the diff."""
    name: str
    """``struct page``; for one without a tag, what it is the type of."""
    tagged: bool
    """Whether ``name`` is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffPlan:
    """What a diff comes to on one kernel."""

    tree: SourceTree
    makefiles: Makefiles
    sha256: str
    """Of the diff's text."""
    files: tuple[TouchedFile, ...]
    contents: dict[str, bytes | None]
    """Each touched file after the diff; ``None`` if it is gone."""
    base: dict[str, bytes | None]
    """Files that the kernel was first given another content of, by a livepatch before this one."""
    units: tuple[Unit, ...]
    refusals: tuple[PlanRefusal, ...]
    suspects: tuple[Suspect, ...] = ()
    notes: tuple[str, ...] = ()
    _dependencies: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def compiler(self) -> Compiler:
        """What the units are compiled with."""
        return self.makefiles.compiler

    def included_by(self, unit: Unit) -> frozenset[str]:
        """Return the touched files that a unit is known to include."""
        return self._dependencies.get(unit.source, frozenset())

    def suspects_in(self, unit: Unit) -> tuple[Suspect, ...]:
        """Return the structures of a unit whose layouts have to be compared."""
        files = self.included_by(unit) | {unit.source}
        return tuple(one for one in self.suspects if one.path in files)

    def line_of(self, path: str, symbol: str) -> int | None:
        """Return the line, from 1, in which the patched source defines a function or variable.

        Args:
            path: a file of the tree.
            symbol: as an object has it; what the compiler added (``.isra.0``) is passed over.
        """
        content = self.contents.get(path) or self.base.get(path) or self.tree.read(path)
        return definition_line(_text(content), symbol)

    def require(self) -> None:
        """Go on only with a plan that was not refused.

        Raises:
            InputError: it was; the first reason, and how many there are.
        """
        if self.refusals:
            first, more = self.refusals[0], len(self.refusals) - 1
            raise InputError(
                f"{first}" + (f" (and {more} more)" if more else ""),
                hint=first.hint, kind=first.kind,
            )  # fmt: skip


def plan_diff(
    tree: SourceTree,
    diff: str,
    *,
    base: str = "",
    most_units: int = MOST_UNITS,
    allow: frozenset[str] | set[str] = frozenset(),
    progress: Progress = SILENT,
    cache: Cache | None = None,
) -> DiffPlan:
    """Return which units a diff changes on a kernel, and what speaks against it.

    Args:
        tree: the kernel's source.
        diff: one unified diff or several, with mails' heads or without.
        base: the diff of a livepatch that is on before: ``diff`` is one of the tree after it.
        most_units: refuse if a header is in more units than this.
        allow: kinds of refusals to go on with: ``layout``.
        progress: told of searches that take long.
        cache: where what is learnt is kept.

    Raises:
        InputError: the text is no diff, names paths outside the tree, or does not apply.
        BuildError: the kernel's compiler is not on this host.
        HostError: kbuild cannot be asked.
    """
    before = Diffed(tree.read)
    if base:
        before.apply(base)
    after = Diffed(before.read).apply(diff)
    makefiles = Makefiles(tree, find_compiler(tree.kernel), cache=cache)
    planner = _Planner(
        makefiles, before, after, most_units, frozenset(allow), progress, cache or Cache()
    )
    return planner.plan(hashlib.sha256(diff.encode("utf-8", "surrogateescape")).hexdigest())


# What a path tells, first match first: kind of refusal, reason, hint. No kind: of no account.
_NAMED = (
    (r"(Documentation|LICENSES)/.*|.*\.(rst|txt|md|yaml)|MAINTAINERS|CREDITS", "", "documents", ""),
    (r"(tools|samples|usr)/.*|scripts/(?!.*(Makefile|Kbuild)).*", "", "no code of the kernel", ""),
    (r"(.*/)?(Makefile|Kbuild)([.-].*)?", "makefile", "changes how the kernel is built",
     "leave the makefile out of the diff; the kernel's own is used"),
    (r"(.*/)?Kconfig.*|.*/configs/.*|.*_defconfig", "kconfig",
     "changes the configuration, which is fixed once a kernel is built", "leave it out"),
    (r".*\.lds(\.S|\.h)?", "linker-script", "a linker script lays out the whole kernel",
     "this change needs a reboot"),
    (r".*\.S", "assembly", "assembly cannot be patched live: no ftrace site, no reliable unwinding",
     "change the C code that calls it, if there is any"),
    (r"\.config|(.*/)?include/(config|generated)/.*", "kconfig",
     "is generated, from the configuration", "leave it out"),
    (r".*\.(dts|dtsi|dtso)", "device-tree", "device trees are read at boot",
     "this change needs a reboot"),
    (r"arch/x86/(boot|realmode/rm|purgatory)/.*", "not-kernel",
     "runs before the kernel or after it", "this change needs a reboot"),
    (r"lib/vdso/.*|arch/x86/entry/vdso/(?!(vma|extable)\.).*", "not-kernel",
     "is the vdso, which runs in user space", "this change needs a reboot"),
    (r".*\.rs", "rust", "Rust code cannot be patched", "this change needs a reboot"),
)  # fmt: skip


class _Planner:
    def __init__(
        self,
        makefiles: Makefiles,
        before: Diffed,
        after: Diffed,
        most_units: int,
        allow: frozenset[str],
        progress: Progress,
        cache: Cache,
    ) -> None:
        self.makefiles = makefiles
        self.tree = makefiles.tree
        self.most_units = most_units
        self.allow = allow
        self.progress = progress
        self.cache = cache
        self.before = before
        self.after = after
        self.contents = after.contents
        self.refusals: list[PlanRefusal] = []
        self.suspects: list[Suspect] = []
        self.additive: set[str] = set()
        self.units: dict[str, Unit] = {}
        self.dependencies: dict[str, frozenset[str]] = {}

    def plan(self, digest: str) -> DiffPlan:
        touched = [self._touched(path) for path in sorted(self.contents)]
        self._refuse_nothing(touched)
        # Nothing else is laid into the tree, least of all what runs there: tools, makefiles.
        counted = {t.path: self.contents[t.path] for t in touched if t.code}
        return DiffPlan(
            tree=self.tree,
            makefiles=self.makefiles,
            sha256=digest,
            files=tuple(touched),
            contents=counted,
            base=self.before.contents,
            units=tuple(self.units[source] for source in sorted(self.units)),
            refusals=tuple(self.refusals),
            suspects=tuple(self.suspects),
            notes=(
                *(f"{t.path}: {t.note}" for t in touched if t.note),
                *_remarks(self.makefiles.compiler),
            ),
            _dependencies=self.dependencies,
        )

    # -- what becomes of each

    def _touched(self, path: str) -> TouchedFile:
        after = self.contents[path]
        before = self.before.read(path)
        what = What.NEW if before is None else What.GONE if after is None else What.CHANGED
        moved = [offset for offset in self.after.offsets.get(path, ()) if offset]
        note = f"applied at an offset of {_listed(moved)} lines" if moved else ""
        for pattern, kind, reason, hint in _NAMED:
            if re.fullmatch(pattern, path):
                if kind:
                    self._refuse(kind, path, reason, hint)
                return TouchedFile(
                    path=path, what=what, code=False, note=reason if not kind else ""
                )
        if re.match(r"arch/(?!x86/)", path):
            return TouchedFile(path=path, what=what, code=False, note="another architecture's")
        code = what is not What.CHANGED or code_of(_text(before)) != code_of(_text(after))
        if not code:
            return TouchedFile(
                path=path,
                what=what,
                code=False,
                note="no change in code, only in comments or spacing",
            )
        found, why_none = self._units_of(path, what)
        if not why_none:  # in code that this kernel does not have, layouts don't matter
            self._suspect_layouts(path, _text(before), _text(after))
        return TouchedFile(
            path=path, what=what, code=True, units=tuple(found),
            note="; ".join(filter(None, (note, why_none))),
        )  # fmt: skip

    def _refuse(self, kind: str, path: str, reason: str, hint: str, line: int = 0) -> None:
        if kind not in self.allow:
            self.refusals.append(
                PlanRefusal(kind=kind, path=path, line=line, reason=reason, hint=hint)
            )

    def _suspect_layouts(self, path: str, before: str, after: str) -> None:
        if "layout" not in self.allow:
            self.suspects += [
                Suspect(path=path, line=one.line, name=one.name, tagged=one.tagged)
                for one in changed_layouts(before, after)
            ]

    def _units_of(self, path: str, what: What) -> tuple[list[str], str]:
        """Return the units that a file is in, and if there is none, why."""
        found = []
        if path.endswith(".c") and what is What.NEW:
            if not self._is_included(path):
                self._refuse(
                    "unit-set", path, "is a new file, which no makefile of the kernel builds",
                    "put the code into a file that is built already",
                )  # fmt: skip
        elif path.endswith(".c") and (unit := self.makefiles.unit(path)) is not None:
            if what is What.GONE:
                self._refuse(
                    "unit-set", path, "is removed or renamed, and the kernel is linked from it",
                    "leave the file where it is, and change what is in it",
                )  # fmt: skip
                return [], ""
            if ":" in unit.name:
                self._refuse(
                    "shared-object", path,
                    f"is part of several modules ({unit.name.replace(':', ', ')})",
                    "a livepatch of it would have to patch each of them",
                )  # fmt: skip
                return [], ""
            self.units[path] = unit
            found.append(path)
        if what is What.CHANGED and path.endswith(".h") and (names := self._only_adds(path)):
            self.additive.add(path)
            return [], f"only adds {', '.join(names)}, of which nothing else in the tree speaks"
        if what is not What.NEW:
            found += self._including(path)
        if found or what is What.NEW or any(refusal.path == path for refusal in self.refusals):
            return found, ""
        return [], "not part of this kernel's configuration"

    def _only_adds(self, path: str) -> list[str]:
        """Return what a header defines anew, if it does no more and only the diff speaks of it."""
        names = added_names(_text(self.tree.read(path)), _text(self.contents[path]))
        if not names:
            return []
        with self.progress.step(f"search what speaks of the additions to {path}"):
            others = mentioned(self.tree, names, self.contents, cache=self.cache)
        return [] if others else sorted(names)

    def _is_included(self, path: str) -> bool:
        """Say whether a file that the diff makes is included by another one it touches."""
        wanted = re.compile(
            rf'^\s*#\s*include\s*["<](?:[^">]*/)?{re.escape(Path(path).name)}[">]', re.M
        )
        return any(wanted.search(_text(content)) for content in self.contents.values())

    def _including(self, path: str) -> list[str]:
        """Return the units, other than itself, that include a file."""
        with self.progress.step(f"search what includes {path}"):
            includers = load_includers(
                self.tree, cache=self.cache,
                below={PurePosixPath(path).parts[0]} if path.endswith(".c") else (),
            )  # fmt: skip
            most = max(_KNOWN_LIMIT, self.most_units)
            candidates, all_of_them = includers.units(path, most=most)
            built = self.makefiles.built(sorted(candidates)) if all_of_them else []
        number = f"{len(built)}" if all_of_them else f"more than {most}"
        if not all_of_them or len(built) > self.most_units:
            self._refuse(
                "too-many-units", path,
                f"is included by {number} files that would have to be compiled",
                "raise the limit to go on, or move the change into a .c file",
            )  # fmt: skip
            return []
        return list(self._that_include(path, built))

    def _that_include(self, path: str, built: list[str]) -> Iterator[str]:
        """Yield those of ``built`` that do include a file, as the compiler says."""

        def task(source: str) -> Callable[[Event], tuple[Unit, set[str]] | None]:
            def look(stop: Event) -> tuple[Unit, set[str]] | None:
                unit = self.makefiles.unit(source)
                if unit is None:
                    return None
                return unit, dependencies_of(self.makefiles, unit, cache=self.cache, stop=stop)

            return look

        tasks = [task(source) for source in built]
        if not tasks:
            return
        with self.progress.step(f"compile what may include {path}", unit="objects") as step:
            found = in_parallel(tasks, tell=lambda done: step.update(done, len(tasks)))
        for unit, dependencies in filter(None, found):
            if path in dependencies:
                self.units[unit.source] = unit
                known = self.dependencies.get(unit.source, frozenset())
                self.dependencies[unit.source] = known | {path}
                yield unit.source

    def _refuse_nothing(self, touched: list[TouchedFile]) -> None:
        """Refuse a diff that leaves nothing to compile."""
        if self.refusals or self.units:
            return
        if not any(file.code and file.path not in self.additive for file in touched):
            self._refuse(
                "no-code", "", "no change in code: " + "; ".join(
                    f"{file.path} ({file.note})" if file.note else file.path for file in touched),
                "there is nothing to patch",
            )  # fmt: skip
        else:
            names = ", ".join(file.path for file in touched if file.code)
            self._refuse(
                "not-built", "", f"{self.tree.kernel.release} is built without {names}",
                "another flavour or version may have it",
            )  # fmt: skip


def _remarks(compiler: Compiler) -> Iterator[str]:
    if compiler.differs:
        yield (
            f"compiled with {compiler.version}, the kernel with {compiler.differs}: "
            "the proof of the base tells whether the code is the same"
        )


def _text(content: bytes | None) -> str:
    return "" if content is None else content.decode("utf-8", "surrogateescape")


def _listed(numbers: list[int]) -> str:
    return ", ".join(f"{number:+}" for number in dict.fromkeys(numbers))
