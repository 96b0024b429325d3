"""Where a run and its trials are kept: ``docs/results.md`` shows the tree.

A run's folder belongs to one writer at a time, held by an ``flock`` that the kernel drops with the
process, however it ends. Documents are replaced atomically, so that readers need no lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from lpharness.base.closing import Closing
from lpharness.base.errors import HostError, InputError
from lpharness.results.files import ASIDE, write_atomically
from lpharness.results.model import SCHEMA, Build, Provenance, Trial, TrialId, Verdict
from lpharness.timeline.events import Event
from lpharness.timeline.recorder import read_timeline

RESULTS = "results"
LATEST = "latest"
_MARK = "run.json"
_LOCK = ".lpharness-lock"
_TRIALS = "trials"
_STAMPED = re.compile(r"run-\d{8}-\d{6}(-\d+)?")
_LONGEST_NAME = 200  # bytes; NAME_MAX is 255, and reports add suffixes


class RunMark(msgspec.Struct, kw_only=True):
    """``run.json``: tells a run's folder from any other folder, and the run from any other run."""

    schema: int = SCHEMA
    created_at: str = ""
    id: str = ""
    """The same wherever the folder is copied; empty in folders of before there were any."""


class _SchemaOnly(msgspec.Struct):
    """What is read first of a document, to tell a newer schema from a broken file."""

    schema: int = 0


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a document where all of it, ten thousand times, would fill the memory."""

    id: TrialId
    verdict: Verdict
    started_at: str = ""
    schema: int = 0


class TrialFolder:
    """One trial's folder: ``trial.json``, ``timeline.jsonl``, ``console.log``, ``control/``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def document_path(self) -> Path:
        """Where ``trial.json`` is."""
        return self.path / "trial.json"

    @property
    def timeline_path(self) -> Path:
        """Where the trial's events are written, one JSON line each."""
        return self.path / "timeline.jsonl"

    @property
    def console_path(self) -> Path:
        """Where the kernel's console is written, byte for byte."""
        return self.path / "console.log"

    @property
    def vmcore_path(self) -> Path:
        """Where the guest's memory is kept, if it was asked for and something went wrong."""
        return self.path / "vmcore"

    @property
    def modules_path(self) -> Path:
        """Where the files of the livepatches in that memory are."""
        return self.path / "modules"

    @property
    def control(self) -> TrialFolder:
        """Where the control guest's timeline and console are; it has no document of its own."""
        return TrialFolder(self.path / "control")

    def begin(
        self,
        id: TrialId,  # noqa: A002
        phase: str,
        provenance: Provenance | None = None,
        build: Build | None = None,
        *,
        prepare: Callable[[Path], None] = lambda _: None,
    ) -> Trial:
        """Start afresh: drop what an earlier trial left here, write and return the first document.

        That document already says ``error`` and not finished, so that it is true if the harness
        is killed before it writes the next. ``prepare`` puts into the folder what must lie beside
        it: where a document is, a trial can be judged.
        """
        if self.path.is_dir():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)
        prepare(self.path)
        trial = Trial(
            id=id,
            verdict=Verdict.ERROR,
            reason="",
            build=build,
            provenance=provenance or Provenance(),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self.enter(trial, phase)
        return trial

    def enter(self, trial: Trial, phase: str) -> None:
        """Write that the trial is in ``phase``: all that a reader will know after a kill."""
        trial.verdict = Verdict.ERROR
        trial.finished = False
        trial.reason = f"interrupted in phase {phase}"
        self.write(trial)

    def write(self, trial: Trial) -> None:
        """Replace ``trial.json``, atomically.

        Raises:
            HostError: no space left, or the folder cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self.document_path, _encoded(trial) + b"\n")

    def load(self) -> Trial:
        """Read ``trial.json``.

        Raises:
            InputError: it is missing, broken, of a newer schema, or names a file that is not in
                this folder.
        """
        path = self.document_path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        try:
            schema = msgspec.json.decode(data, type=_SchemaOnly).schema
            if schema > SCHEMA:
                raise InputError(
                    f"{path}: schema {schema} is newer than this lpharness knows ({SCHEMA})",
                    hint="read it with the lpharness that wrote it, or a newer one",
                )
            trial = msgspec.json.decode(data, type=Trial)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not a trial's document: {error}") from error
        for name in (trial.timeline, trial.console):
            if name in ("", ".", "..") or "/" in name or "\0" in name:
                raise InputError(f"{path}: {name!r} climbs out of the trial's folder")
        return trial

    def heading(self) -> Heading:
        """Read as much of ``trial.json`` as says what it was and came to.

        Raises:
            InputError: as `load`.
        """
        try:
            heading = msgspec.json.decode(self.document_path.read_bytes(), type=Heading)
            if heading.schema <= SCHEMA:
                return heading
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            pass  # `load` says what is wrong with it
        trial = self.load()
        return Heading(id=trial.id, verdict=trial.verdict, started_at=trial.started_at)

    def events(self) -> list[Event]:
        """Read the timeline; empty if the trial never wrote one."""
        return read_timeline(self.timeline_path) if self.timeline_path.is_file() else []

    def console(self) -> Sequence[str]:
        """Read the console's lines, undecodable bytes replaced; empty if there is none."""
        if not self.console_path.is_file():
            return []
        # Not splitlines(): only a line feed ends a line for whoever numbered the findings.
        lines = self.console_path.read_bytes().decode(errors="replace").split("\n")
        return [line.rstrip("\r") for line in (lines if lines[-1] else lines[:-1])]


T = TypeVar("T", Trial, Heading)


class RunFolder(Closing):
    """The trials of a run, kept together; a context manager that lets go of the lock."""

    def __init__(self, path: Path, lock: int | None = None) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def create(cls, path: Path | None = None) -> RunFolder:
        """Make a run's folder, or go on with one, and hold its lock until `close`.

        Without a path it is `default_run_path`; a folder named so is also ``results/latest``.

        Raises:
            InputError: another run writes there now, or the folder holds other things.
            HostError: it cannot be written.
        """
        path = default_run_path() if path is None else path
        cls.check(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = _take_lock(path)
        except OSError as error:
            raise HostError(f"cannot write {path}: {error.strerror}") from error
        run = cls(path, lock)
        try:
            run._prepare()
        except BaseException:
            run.close()
            raise
        return run

    @staticmethod
    def check(path: Path) -> None:
        """Refuse a path that cannot become a run's folder; touches nothing.

        Raises:
            InputError: it leads through a file, or holds other things than a run.
            HostError: it cannot be read.
        """
        try:
            if path.is_dir():
                _refuse_foreign(path)
                return
            nearest = next(p for p in (path, *path.absolute().parents) if os.path.lexists(p))
        except OSError as error:
            raise HostError(f"cannot read {path}: {error.strerror}") from error
        if not nearest.is_dir():
            raise InputError(f"{nearest} is not a folder", hint="name another output folder")

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open a run's folder for reading; takes no lock, works while the run goes on.

        Raises:
            InputError: it is not a run's folder.
        """
        if not (path / _MARK).is_file():
            raise InputError(
                f"{path} is not a run's folder: it has no {_MARK}",
                hint=f"name one that `lpharness run` wrote, for example {RESULTS}/{LATEST}",
            )
        return cls(path)

    def mark(self) -> RunMark:
        """Read ``run.json``.

        Raises:
            InputError: it is missing or broken.
        """
        path = self.path / _MARK
        try:
            return msgspec.json.decode(path.read_bytes(), type=RunMark)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not a run's mark: {error}") from error

    def going_on(self) -> bool:
        """Say whether a run writes here now."""
        try:
            handle = os.open(self.path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def trial(self, id: TrialId) -> TrialFolder:  # noqa: A002
        """Return the folder of a trial, whether it exists or not.

        Raises:
            InputError: the trial's names would lead out of the run's folder.
        """
        path = self.path / _TRIALS / _folder_name(id.slug)
        if path.is_symlink():
            raise InputError(f"{path} is a symbolic link", hint="trials stay in their run's folder")
        return TrialFolder(path)

    def folders(self) -> list[TrialFolder]:
        """Return the folders of all trials that wrote a document, by name."""
        return [
            TrialFolder(path.parent) for path in sorted(self.path.glob(f"{_TRIALS}/*/trial.json"))
        ]

    def trials(self) -> list[Trial]:
        """Read all trials' documents, in the order in which they were started.

        Raises:
            InputError: a document cannot be read; says which and why.
        """
        return [trial for _, trial in self.loaded()]

    def loaded(self) -> list[tuple[TrialFolder, Trial]]:
        """Like `trials`, each with its folder."""
        return _in_order((folder, folder.load()) for folder in self.folders())

    def headings(self) -> list[tuple[TrialFolder, Heading]]:
        """Like `loaded`, but of each trial only what it was and came to."""
        return _in_order((folder, folder.heading()) for folder in self.folders())

    def close(self) -> None:
        """Let go of the lock; idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _prepare(self) -> None:
        (self.path / _TRIALS).mkdir(exist_ok=True)
        for leftover in (*self.path.glob(f"{ASIDE}*"), *self.path.glob(f"{_TRIALS}/*/{ASIDE}*")):
            leftover.unlink(missing_ok=True)
        if not (self.path / _MARK).is_file():
            now = datetime.now(UTC).isoformat(timespec="seconds")
            mark = RunMark(created_at=now, id=uuid.uuid4().hex)
            write_atomically(self.path / _MARK, msgspec.json.encode(mark) + b"\n")
        if self.path.parent.name == RESULTS and _STAMPED.fullmatch(self.path.name):
            _point_latest(self.path)


def _encoded(trial: Trial) -> bytes:
    try:
        return msgspec.json.format(msgspec.json.encode(trial), indent=2)
    except UnicodeEncodeError:
        # A path that is no UTF-8 carries surrogates; a document with a "?" beats none at all.
        text = json.dumps(msgspec.to_builtins(trial), indent=2, ensure_ascii=False)
        return text.encode(errors="replace")


def default_run_path(base: Path | None = None) -> Path:
    """Return a new ``results/run-YYYYMMDD-HHMMSS`` below ``base`` or the current folder."""
    folder = (base or Path.cwd()) / RESULTS
    stamp = time.strftime("run-%Y%m%d-%H%M%S")
    path, number = folder / stamp, 2
    while path.exists():
        path, number = folder / f"{stamp}-{number}", number + 1
    return path


def _folder_name(slug: str) -> str:
    """Return ``slug`` as one safe path component; what had to be changed is told by a hash."""
    name = re.sub(r"[^\w.+~@=,:-]", "_", slug, flags=re.ASCII)
    if not name.strip("."):
        raise InputError(f"{slug!r} is no name for a trial's folder")
    if name != slug or len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}-{hashlib.sha256(slug.encode()).hexdigest()[:8]}"
    return name


def _refuse_foreign(path: Path) -> None:
    """Refuse a folder that holds anything but a run, before anything is written into it."""
    if (path / _MARK).is_file():
        return
    # A run that is just being made has its lock, and perhaps its mark still aside.
    ours = (_LOCK, _TRIALS)
    for entry in path.iterdir():
        if entry.name not in ours and not entry.name.startswith(ASIDE):
            raise InputError(
                f"{path} is not empty and no run's folder: it holds {entry.name!r}",
                hint="name a new or empty folder",
            )


def _take_lock(path: Path) -> int:
    handle = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError as error:
        holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise InputError(
            f"another run writes to {path} now (pid {holder})",
            hint="wait for it, or name another output folder",
        ) from error
    except BaseException:
        os.close(handle)
        raise
    return handle


def _point_latest(path: Path) -> None:
    """Point ``results/latest`` at the run; a convenience, so nothing fails for want of it."""
    link = path.parent / LATEST
    if link.exists() and not link.is_symlink():
        return
    aside = link.with_name(f"{ASIDE}{LATEST}-{os.getpid()}")
    with suppress(OSError):
        aside.unlink(missing_ok=True)
        aside.symlink_to(path.name)
        aside.replace(link)


def _in_order(found: Iterable[tuple[TrialFolder, T]]) -> list[tuple[TrialFolder, T]]:
    """Return trials in the order in which they were started."""
    return sorted(found, key=lambda pair: (pair[1].started_at, pair[0].path.name))
