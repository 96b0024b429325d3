"""Compiles a unit as kbuild does, with flags added and with files of the tree changed.

Objects are kept by what went into them: the command, the compiler, and the tree with the files that
the diff changes. Debug information is left out: gcc's code is the same with and without (its
``-fcompare-debug`` holds it to that), and it is half of the work.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from threading import Event

import msgspec
from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError, HostError
from lpharness.base.hashing import identity
from lpharness.engine.objects.makefiles import Makefiles
from lpharness.engine.objects.process import run
from lpharness.engine.objects.unit import Unit, left_by_a_build
from lpharness.sources.overlay import Overlay

_KIND = "objects"
_RECIPE = 2
"""Part of the cache's keys: raise it when a change here changes the bytes that come out."""
PLAIN = ("-g0",)
"""What is added to kbuild's own flags."""
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


class Made(Struct, frozen=True):
    """One object in the cache."""

    entry: Path
    record: Compiled
    fresh: bool
    """Whether it was made just now."""

    @property
    def object(self) -> Path:
        """The object file."""
        return self.entry / _OBJECT


def compile_unit(
    makefiles: Makefiles,
    unit: Unit,
    flags: Sequence[str],
    changes: Mapping[str, bytes | None],
    *,
    cache: Cache,
    stop: Event | None = None,
) -> Made:
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
    return Made(entry, record, found is None)


def dependencies_of(
    makefiles: Makefiles, unit: Unit, *, cache: Cache, stop: Event | None = None
) -> set[str]:
    """Return the files of the tree that a unit is made of, by the compiler's own account.

    Raises:
        HostError: the unit does not compile.
    """
    made = compile_unit(makefiles, unit, PLAIN, {}, cache=cache, stop=stop)
    return set(made.record.dependencies)


def _laid_out(
    makefiles: Makefiles, unit: Unit, changes: Mapping[str, bytes | None], folder: Path
) -> Overlay:
    overlay = makefiles.tree.overlay(folder)
    for at in {str(PurePosixPath(unit.object).parent), unit.folder}:
        overlay.open(at)
    for left in left_by_a_build(unit.object):
        overlay.remove(left)
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
    with cache.scratch(_KIND, "preprocess") as folder:
        overlay = _laid_out(makefiles, unit, changes, folder / "tree")
        done = run(
            ["sh", "-ec", unit.preprocessing("-g0", "-E")],
            folder=overlay.folder, environment=makefiles.environment(overlay),
            what=f"preprocess {unit.source}",
        )  # fmt: skip
    if done.status != 0:
        return "does not compile"  # as the compiler will say
    return identity(done.output)
