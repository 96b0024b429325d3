"""What a case must hold to beyond its types."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from lpharness.base.architecture import ARCHITECTURES
from lpharness.base.errors import InputError
from lpharness.cases.model import Case, ModuleSource, Outcome, Probe, Text

SCHEMA = 1
LONGEST_STALL_S = 12.0
"""The kernel signals the tasks it waits for at its 15th retry, one retry a second
(``SIGNALS_TIMEOUT`` in kernel/livepatch/transition.c), which would end a stall by itself."""

_CASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SOURCES = {"source": "source", "patch": "patch", "delta": "delta", "edit": "edits",
            "prebuilt": "prebuilt"}  # fmt: skip
"""Keys of a module of which exactly one is given, and their fields."""
_FILES = ("source", "patch", "prebuilt")
_MODULE_NAME = re.compile(r"[A-Za-z0-9_]{1,55}")  # MODULE_NAME_LEN, include/linux/moduleparam.h
_NAMES_OF = {
    "programs": (_CASE_NAME, "letters, digits, . _ -"),
    "companions": (_MODULE_NAME, "letters, digits and _"),
}
_OF_A_MODULE = ("load", "transition", "steady")
_LONGEST_LOOK_S = 3600.0


def check(case: Case, file: Path) -> None:
    """Refuse a case whose parts do not fit together.

    Raises:
        InputError: the first thing that is wrong, by file and key.
    """
    for where, what, hint in _faults(case):
        raise InputError(f"{file}: {where}: {what}", hint=hint)


Fault = tuple[str, str, str | None]


def _faults(case: Case) -> Iterator[Fault]:
    if case.schema != SCHEMA:
        yield "schema", f"{case.schema} is not known", f"this lpharness reads schema {SCHEMA}"
    if not _CASE_NAME.fullmatch(case.name):
        yield "name", f"the folder's name {case.name!r} is no case name", "letters, digits, . _ -"
    yield from _few("kernels", case.kernels)
    yield from _architectures(case)
    yield from _few("workloads", case.workloads)
    yield from _c_files("programs", case.programs, case)
    yield from _c_files("companions", case.companions, case)
    yield from _modules(case)
    yield from _actions(case)
    yield from _pace(case)
    yield from _probes(case)
    yield from _flaw(case)
    yield from _variants(case)
    yield from _expectations(case)


def _few(where: str, values: Iterable[str]) -> Iterator[Fault]:
    if not list(values):
        yield where, "is empty", "leave it out for the default, or name at least one"


def _architectures(case: Case) -> Iterator[Fault]:
    for index, name in enumerate(case.architectures):
        if name not in ARCHITECTURES:
            hint = f"there are {', '.join(ARCHITECTURES)}"
            yield f"architectures[{index}]", f"{name!r} is none that guests have", hint


def _c_files(key: str, names: Sequence[str], case: Case) -> Iterator[Fault]:
    """Yield what is wrong with C files that something for the guest is made of."""
    pattern, allowed = _NAMES_OF[key]
    yield from _unique(key, (PurePosixPath(name).stem for name in names))
    for index, name in enumerate(names):
        where = f"{key}[{index}]"
        yield from _file_inside(case, where, name)
        if not name.endswith(".c"):
            yield where, f"{name!r} does not end in .c", None
        elif not pattern.fullmatch(PurePosixPath(name).stem):
            yield where, f"{name!r} cannot name one of the {key}", allowed


def _actions(case: Case) -> Iterator[Fault]:
    names = {module.name for module in case.modules}
    for index, action in enumerate(case.actions):
        where = f"action[{index}]"
        if not action.run.strip():
            yield f"{where}.run", "is empty", None
        if action.module and action.module not in names:
            yield f"{where}.module", f"the case has no module {action.module!r}", None
        elif action.module and action.phase not in _OF_A_MODULE:
            yield (
                f"{where}.module",
                f"is given, but `{action.phase}` is no phase of one module",
                f"such are {', '.join(_OF_A_MODULE)}",
            )
        if action.exit is not None and not 0 <= action.exit <= 255:
            yield f"{where}.exit", f"{action.exit} is no exit status", '0 to 255, or "any"'
        if action.timeout_s <= 0:
            yield f"{where}.timeout_s", "must be more than 0", None


def _pace(case: Case) -> Iterator[Fault]:
    for key in ("baseline_s", "steady_s", "after_s"):
        if not 0 <= getattr(case.pace, key) <= _LONGEST_LOOK_S:
            yield f"pace.{key}", f"must be from 0 to {_LONGEST_LOOK_S:g}", None


def _modules(case: Case) -> Iterator[Fault]:
    yield from _few("module", (module.name for module in case.modules))
    yield from _unique("module", (module.name for module in case.modules))
    yield from _base(case)
    for index, module in enumerate(case.modules):
        where = f"module[{index}]"
        if not _MODULE_NAME.fullmatch(module.name):
            yield f"{where}.name", f"{module.name!r} is no module name", "letters, digits and _"
        given = [key for key, field in _SOURCES.items() if getattr(module, field)]
        if len(given) != 1:
            named = ", ".join(f"`{key}`" for key in _SOURCES)
            yield where, f"needs exactly one of {named}", None
        if module.delta is not None:
            yield from _few(f"{where}.delta.files", module.delta.files)
        yield from _edits(where, module)
        yield from _timed(where, module)
        for key in [key for key in given if key in _FILES]:
            yield from _file_inside(case, f"{where}.{key}", getattr(module, key))
        yield from _source_kind(where, module)


def _base(case: Case) -> Iterator[Fault]:
    """Yield what is wrong with modules that only prepare the kernel."""
    rest = case.modules[len(case.base) :]
    if not case.base:
        return
    if any(module.base for module in rest):
        yield "module", "a `base` comes after one that is none", "put the base's modules first"
    elif not rest:
        yield "module", "all are `base`", "name the module that replaces them"
    elif not rest[0].replaces:
        yield (
            f"module[{len(case.base)}].replaces",
            "is not set, but it comes after a `base`",
            "what a base has patched is changed by replacing it",
        )


def _timed(where: str, module: ModuleSource) -> Iterator[Fault]:
    for index, function in enumerate(module.functions):
        if function.timed and not function.timed.startswith("/"):
            at = f"{where}.function[{index}].timed"
            yield at, f"{function.timed!r} is no absolute path", "it is a file of the guest"


def _edits(where: str, module: ModuleSource) -> Iterator[Fault]:
    for index, edit in enumerate(module.edits):
        at = f"{where}.edit[{index}]"
        if not edit.old.strip():
            yield f"{at}.old", "is empty", "name a text that is there; an insertion repeats it"
        if edit.old.split() == edit.new.split():
            yield f"{at}.new", "is the same as `old`", None
        if edit.count < 1:
            yield f"{at}.count", "must be at least 1", None


def _source_kind(where: str, module: ModuleSource) -> Iterator[Fault]:
    for key, suffix in (("source", ".c"), ("prebuilt", ".ko")):
        value = getattr(module, key)
        if value and not value.endswith(suffix):
            yield f"{where}.{key}", f"{value!r} does not end in {suffix}", None
    if module.builder != "engine" and (module.source or module.prebuilt):
        yield f"{where}.builder", f"{module.builder} makes modules of source diffs only", None


def _file_inside(case: Case, where: str, name: str) -> Iterator[Fault]:
    """Check that a file lies in the case's folder, links followed."""
    assert case.folder is not None
    folder = case.folder.resolve()
    if "\0" in name or not (folder / name).resolve().is_relative_to(folder):
        yield where, f"{name!r} climbs out of the case's folder", "copy the file into the folder"
    elif not (folder / name).is_file():
        yield where, f"there is no file {name!r} in the case's folder", None


def _probes(case: Case) -> Iterator[Fault]:
    visible = case.flaw is not None or bool(case.expect.refused)
    if not case.probes and not visible:
        yield "probe", "is missing", "a case must make its change visible: a [[probe]] or a [flaw]"
    yield from _unique("probe", (probe.name for probe in case.probes))
    modules = {module.name for module in case.modules}
    for index, probe in enumerate(case.probes):
        yield from _probe(f"probe[{index}]", probe, modules)
    if not visible and all(
        probe.states["original"] == probe.states["patched"] for probe in case.probes
    ):
        yield (
            "probe",
            "no probe tells `patched` from `original`",
            "a case must make its change visible: let one probe come out differently",
        )


def _probe(where: str, probe: Probe, modules: set[str]) -> Iterator[Fault]:
    if probe.timeout_s <= 0:
        yield f"{where}.timeout_s", "must be more than 0", None
    for state in ("original", "patched"):
        if state not in probe.states:
            yield f"{where}.state", f"`{state}` is missing", "each probe needs original and patched"
    for state, outcome in probe.states.items():
        if state not in modules | {"original", "patched"}:
            yield (
                f"{where}.state.{state}",
                "is neither original, patched nor a module of the case",
                None,
            )
        yield from _outcome(f"{where}.state.{state}", outcome)


def _flaw(case: Case) -> Iterator[Fault]:
    flaw = case.flaw
    if flaw is None:
        return
    if not flaw.run.strip():
        yield "flaw.run", "is empty", None
    if flaw.timeout_s <= 0:
        yield "flaw.timeout_s", "must be more than 0", None
    signs = flaw.unpatched
    if not signs.on_console and signs.outcome is None:
        yield (
            "flaw.unpatched",
            "says nothing",
            "give `console` or `functions` for what the kernel says, or an `outcome`",
        )
    if flaw.returns and (signs.on_console or signs.outcome is None):
        yield (
            "flaw.returns",
            "needs `unpatched.outcome` and nothing else",
            "the guest must live on to show it a second time",
        )
    if signs.outcome == flaw.patched and not signs.on_console:
        yield "flaw.unpatched.outcome", "is the same as `patched`", "how is the flaw seen?"
    yield from _pattern_names("flaw.unpatched.console", signs.console)
    yield from _outcome("flaw.patched", flaw.patched)
    if signs.outcome is not None:
        yield from _outcome("flaw.unpatched.outcome", signs.outcome)


def _pattern_names(where: str, names: Iterable[str]) -> Iterator[Fault]:
    from lpharness.console.patterns import bundled_patterns

    known = bundled_patterns().names
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            yield (
                where,
                f"there is no console pattern {name!r}",
                f"did you mean `{near[0]}`?" if near else "lpharness/console/patterns.toml has all",
            )


def _outcome(where: str, outcome: Outcome) -> Iterator[Fault]:
    if outcome.exit is not None and not 0 <= outcome.exit <= 255:
        yield f"{where}.exit", f"{outcome.exit} is no exit status", '0 to 255, or "any"'
    streams: tuple[tuple[str, Text], ...] = (
        ("stdout", outcome.stdout),
        ("stderr", outcome.stderr),
    )
    for stream, text in streams:
        if text.matches is None:
            continue
        try:
            re.compile(text.matches, re.MULTILINE)
        except (re.error, RecursionError, OverflowError) as error:
            yield f"{where}.{stream}.matches", f"not a regular expression: {error}", None


def _variants(case: Case) -> Iterator[Fault]:
    yield from _unique("variant", (variant.name for variant in case.variants))
    for index, variant in enumerate(case.variants):
        if not _CASE_NAME.fullmatch(variant.name):
            yield f"variant[{index}].name", f"{variant.name!r} is no name", "letters, digits, . _ -"
        if variant.target == "after" and case.target is None:
            yield f"variant[{index}].target", "is `after`, but the case has no [target]", None
    if case.target is not None:
        yield from _few("target.modules", case.target.modules)


def _expectations(case: Case) -> Iterator[Fault]:
    if case.expect.transition_s <= 0:
        yield "expect.transition_s", "must be more than 0", None
    if case.expect.slowdown < 1:
        yield "expect.slowdown", "must be 1 or more", "how many times slower the workload may be"
    stall = case.expect.stall
    if stall is not None and not 0 < stall.seconds <= LONGEST_STALL_S:
        yield (
            "expect.stall.seconds",
            f"must be more than 0 and at most {LONGEST_STALL_S:g}",
            "after about 15 s the kernel itself signals the tasks that it waits for",
        )


def _unique(where: str, names: Iterable[str]) -> Iterator[Fault]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield where, f"the name {name!r} is used twice", None
        seen.add(name)
