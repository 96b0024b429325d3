"""Takes fixes one by one, several at a time; what is through is written down and not done again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from threading import Event
from typing import NamedTuple

import msgspec
from msgspec import Struct

from lpharness.archive import Archive
from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.bench.fixes.attempt import attempt
from lpharness.bench.fixes.model import Fix, Outcome, Settings
from lpharness.bench.fixes.sample import below, changed_files, draw
from lpharness.bench.settings import require_same
from lpharness.bench.together import attempts
from lpharness.engine.compiler import find_compiler
from lpharness.engine.guest_image import guest_image
from lpharness.engine.objects.makefiles import Makefiles
from lpharness.engine.objects.process import in_parallel
from lpharness.engine.objects.unit import Unit
from lpharness.executor.contract import Site, Task
from lpharness.kernels import resolve, with_headers
from lpharness.kernels.symbols import VMLINUX
from lpharness.results.folder import RunFolder
from lpharness.sources.package import unpack_source
from lpharness.sources.prepare import prepare_tree
from lpharness.sources.tree import SourceTree

FOUND, ASKED = "fixes.jsonl", "fixes-settings.json"
FREE = ("jobs", "together")
"""May differ when a measurement goes on: how many at a time, and whether with others."""


class Found(NamedTuple):
    """What a measurement found."""

    fixes: list[Fix]
    """By file."""
    drawn: list[str]
    """The files of the sample."""


def measure(settings: Settings, folder: RunFolder, progress: Progress = SILENT) -> Found:
    """Take every fix that the settings name, and return what came of each, by file.

    What an earlier run into the same folder found is kept.

    Raises:
        InputError: the folder holds a measurement with other settings, a version is not in the
            archive, or the kernel is not built from ``settings.old``.
        HostError: a worker was killed, or the archive or a tool fails.
    """
    require_same(settings, folder.path / ASKED, FREE)
    tree = _tree(settings, progress)
    archive = Archive(progress=progress)
    old, new = (
        unpack_source(version, archive, progress=progress)
        for version in (settings.old, settings.new)
    )
    makefiles = Makefiles(tree, find_compiler(tree.kernel))
    with progress.step("which changed files the kernel is built from"):
        built = makefiles.built(changed_files(old, new))
    drawn = draw(built, sample=settings.sample, seed=settings.seed)
    names = sorted({*drawn, *below(built, settings.whole)})
    known = {fix.path: fix for fix in read_found(folder.path / FOUND)}
    waiting = [name for name in names if _is_open(known.get(name), settings)]
    with (folder.path / FOUND).open("ab") as file, progress.step("fixes", unit="fixes") as step:
        modules = _image_modules(settings, tree, makefiles, names, progress) if waiting else ()
        for fix in _attempts(settings, waiting, modules, folder.path):
            file.write(msgspec.json.encode(fix) + b"\n")
            file.flush()
            known[fix.path] = fix
            step.update(len(known), len(names))
            step.note(f"{fix.outcome} {fix.path}")
    return Found([known[name] for name in names], drawn)


def read_found(path: Path) -> Iterator[Fix]:
    """Read what is known so far; a line that a kill cut short is passed over."""
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            yield msgspec.json.decode(line, type=Fix)
        except msgspec.MsgspecError:
            continue


def _is_open(known: Fix | None, settings: Settings) -> bool:
    """Say whether a fix is still to be taken, or taken again together with what it needs."""
    if known is None:
        return True
    alone = known.outcome is Outcome.NEEDS_OTHERS and not known.together
    return settings.together and alone


def _tree(settings: Settings, progress: Progress) -> SourceTree:
    kernel = with_headers(resolve(settings.kernel, progress=progress), progress=progress)
    if kernel.origin.version != settings.old:
        raise InputError(
            f"{settings.kernel} is built from {kernel.origin.version or 'an unknown source'}, "
            f"not from {settings.old}",
            hint=f"name the kernel of {settings.old}, or --from {kernel.origin.version}",
        )
    return prepare_tree(kernel, progress=progress)


def _image_modules(
    settings: Settings,
    tree: SourceTree,
    makefiles: Makefiles,
    names: Iterable[str],
    progress: Progress,
) -> tuple[str, ...]:
    """Return the modules that any fix patches; one image with all of them is made beforehand."""
    if not settings.guests:
        return ()
    with progress.step("which modules they are in", unit="files") as step:
        asked = [partial(_unit, makefiles, name) for name in names]
        units = in_parallel(asked, tell=lambda done: step.update(done, len(asked)))
    modules = tuple(sorted({unit.object_name for unit in units if unit} - {VMLINUX}))
    guest_image("minimal", tree.kernel, guest_modules=modules, progress=progress)
    return modules


def _unit(makefiles: Makefiles, name: str, stop: Event) -> Unit | None:  # noqa: ARG001
    return makefiles.unit(name)


class _Attempt(Struct, frozen=True):
    """The call that takes the fix of one file."""

    settings: Settings
    name: str
    modules: tuple[str, ...]
    run: Path

    def __call__(self, site: Site) -> Fix:  # noqa: ARG002
        return attempt(self.settings, self.name, self.modules, self.run)


def _attempts(
    settings: Settings, names: list[str], modules: tuple[str, ...], run: Path
) -> Iterator[Fix]:
    """Yield what comes of each file's fix, in the order in which they get through."""
    tasks = (
        Task(key=name, call=_Attempt(settings, name, modules, run), folder=run) for name in names
    )
    for ended in attempts(tasks, settings.jobs):
        yield ended.result if ended.error is None else _crashed(ended.key, ended.error)


def _crashed(name: str, error: Exception) -> Fix:
    """Return what a crash of the engine comes to: it is what this benchmark is to find."""
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return Fix(path=name, files=(name,), outcome=Outcome.BROKEN, kind="crash", reason=reason)
