"""Putting runs and trials into the store; the same twice is there once."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from lpharness.base.errors import InputError
from lpharness.results.folder import RunFolder, RunMark, TrialFolder
from lpharness.store.database import Store
from lpharness.store.entry import Entry, name_of, read_entry, row
from lpharness.store.tables import (
    CheckRow,
    CveRow,
    DocumentRow,
    MeasureRow,
    ModuleRow,
    RunRow,
    TrialRow,
)

T = TypeVar("T")

_AT_ONCE = 500
"""Rows per statement: enough to be quick, few enough for any database's limits."""


class Source(Struct, frozen=True, kw_only=True):
    """The run that trials belong to."""

    key: str
    created_at: datetime
    name: str
    folder: str = ""


class Added(Struct, frozen=True, kw_only=True):
    """What came of adding a run."""

    run: str
    """The run's name."""
    added: int = 0
    renewed: int = 0
    """Were there already, and have gone on since."""
    unchanged: int = 0
    going_on: int = 0
    """Trials that were left out since they are not finished and the run goes on."""


def add_run(store: Store, path: Path) -> Added:
    """Add all trials of a run's folder, or none.

    Everything is read before anything is written, so a damaged folder costs the store nothing.

    Raises:
        InputError: it is no run's folder, or a file in it is damaged; names the file.
        HostError: the store cannot be written.
    """
    run = RunFolder.open(path)
    alive = run.going_on()
    entries = [read_entry(folder) for folder in run.folders()]
    kept = [entry for entry in entries if entry.trial.finished or not alive]
    _refuse_twins(kept, path)
    added = put(store, source_of(run), kept)
    return replace(added, going_on=len(entries) - len(kept))


def add_trial(store: Store, run: RunFolder, folder: TrialFolder) -> Added:
    """Add one trial of a run, as it has come.

    Raises:
        InputError: a file of it is damaged.
        HostError: the store cannot be written.
    """
    return put(store, source_of(run), [read_entry(folder)])


def put(store: Store, source: Source, entries: Sequence[Entry]) -> Added:
    """Put entries of a run into the store, in one transaction."""
    with store.writing() as session:
        run_id = _run(session, source)
        known = _known(session, run_id)
        new, stale = [], []
        for entry in entries:
            old = known.get(_key_of(entry))
            if old is None:
                new.append(entry)
            elif old.digest != entry.digest and (entry.trial.finished or not old.finished):
                stale.append(old.id)
                new.append(entry)
        _drop(session, stale)
        _insert(session, run_id, new)
        _number_attempts(session, run_id, {name_of(entry.trial.id) for entry in new})
    return Added(
        run=source.name,
        added=len(new) - len(stale),
        renewed=len(stale),
        unchanged=len(entries) - len(new),
    )


def source_of(run: RunFolder) -> Source:
    """Return the run that a folder is of."""
    mark, path = run.mark(), run.path.resolve()
    try:
        created_at = datetime.fromisoformat(mark.created_at)
    except ValueError:
        created_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if created_at.tzinfo is None:
        created_at = created_at.replace(tzinfo=UTC)
    return Source(key=_key(mark, path), created_at=created_at, name=path.name, folder=str(path))


def _key(mark: RunMark, path: Path) -> str:
    """Return the run's own id; a run of before there were any is known by its time and name."""
    return mark.id or hashlib.sha256(f"{mark.created_at} {path.name}".encode()).hexdigest()[:32]


def _refuse_twins(entries: Iterable[Entry], path: Path) -> None:
    seen: set[_Key] = set()
    for entry in entries:
        key = _key_of(entry)
        if key in seen:
            raise InputError(f"{path} holds the trial {entry.trial.id.slug} twice")
        seen.add(key)


_Key = tuple[str, int, datetime]


def _key_of(entry: Entry) -> _Key:
    """Return what tells an attempt from all others of its run."""
    return name_of(entry.trial.id), entry.trial.id.attempt, entry.started_at


class _Known(Struct, frozen=True):
    id: int
    digest: str
    finished: bool


def _run(session: Session, source: Source) -> int:
    """Return the run's row, made or brought up to date."""
    run = session.scalar(select(RunRow).where(RunRow.key == source.key))
    if run is None:
        run = RunRow(key=source.key, created_at=source.created_at)
        session.add(run)
    run.name, run.folder = source.name, source.folder
    session.flush()
    return run.id


def _known(session: Session, run_id: int) -> dict[_Key, _Known]:
    rows = session.execute(
        select(
            TrialRow.slug,
            TrialRow.again,
            TrialRow.started_at,
            TrialRow.id,
            TrialRow.digest,
            TrialRow.finished,
        ).where(TrialRow.run_id == run_id)
    )
    return {
        (slug, again, started): _Known(id_, digest, done)
        for slug, again, started, id_, digest, done in rows
    }


def _drop(session: Session, ids: Sequence[int]) -> None:
    for some in _batches(ids):
        session.execute(delete(TrialRow).where(TrialRow.id.in_(some)))


def _insert(session: Session, run_id: int, entries: Sequence[Entry]) -> None:
    for some in _batches(entries):
        ids = session.scalars(
            insert(TrialRow).returning(TrialRow.id, sort_by_parameter_order=True),
            [{**row(entry), "run_id": run_id, "attempt": 1, "latest": True} for entry in some],
        ).all()
        for table, rows_of in _CHILDREN.items():
            rows = [
                {"trial_id": id_, **values}
                for id_, entry in zip(ids, some, strict=True)
                for values in rows_of(entry)
            ]
            if rows:
                session.execute(insert(table), rows)


def _checks(entry: Entry) -> Iterator[dict[str, Any]]:
    for position, check in enumerate(entry.trial.checks):
        yield {
            "position": position,
            "name": check.check,
            "verdict": check.verdict.value,
            "summary": check.summary,
        }


def _measures(entry: Entry) -> Iterator[dict[str, Any]]:
    for position, measure in enumerate(entry.measures):
        yield {
            "position": position,
            "name": measure.name,
            "phase": measure.phase,
            "of": measure.of,
            "value": measure.value,
            "unit": measure.unit,
        }


def _modules(entry: Entry) -> Iterator[dict[str, Any]]:
    made = entry.trial.provenance
    for name, sha256 in made.modules.items():
        source = made.module_sources.get(name, "")
        yield {"name": name, "sha256": sha256, "source_sha256": source}


def _cves(entry: Entry) -> Iterator[dict[str, Any]]:
    for cve in entry.cves:
        yield {"cve": cve}


def _documents(entry: Entry) -> Iterator[dict[str, Any]]:
    yield {"content": entry.document}


_CHILDREN = {
    CheckRow: _checks,
    MeasureRow: _measures,
    ModuleRow: _modules,
    CveRow: _cves,
    DocumentRow: _documents,
}


def _number_attempts(session: Session, run_id: int, slugs: Iterable[str]) -> None:
    """Number each trial's attempts; only the last counts, all are kept."""
    for some in _batches(sorted(slugs)):
        rows = session.execute(
            select(TrialRow.id, TrialRow.slug)
            .where(TrialRow.run_id == run_id, TrialRow.slug.in_(some))
            .order_by(TrialRow.slug, TrialRow.again, TrialRow.started_at, TrialRow.id)
        ).all()
        for _, group in itertools.groupby(rows, key=lambda found: found.slug):
            ids = [found.id for found in group]
            if len(ids) == 1:
                continue  # as it was inserted
            for attempt, id_ in enumerate(ids, 1):
                session.execute(
                    update(TrialRow)
                    .where(TrialRow.id == id_)
                    .values(attempt=attempt, latest=attempt == len(ids))
                )


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
