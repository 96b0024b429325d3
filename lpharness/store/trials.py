"""Trials as the store knows them: many by what they were of, one with all its evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from lpharness.base.errors import InputError
from lpharness.results.model import CheckResult, Trial, Verdict
from lpharness.store.database import Store
from lpharness.store.entry import unpacked
from lpharness.store.measures import Measure
from lpharness.store.runs import named
from lpharness.store.tables import (
    CveRow,
    DocumentRow,
    MeasureRow,
    ModuleRow,
    RunRow,
    TrialRow,
)

T = TypeVar("T")


class Which(Struct, frozen=True, kw_only=True):
    """Which trials are meant; what is left empty means all."""

    run: str | None = None
    """A tag, ``latest``, a run's name or the beginning of its key."""
    case: str | None = None
    kernel: str | None = None
    """As asked for (``debian:6.1-cloud``) or exact (``6.1.0-56-cloud-amd64``)."""
    workload: str | None = None
    cve: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    attempts: bool = False
    """Whether earlier attempts are meant as well."""
    newest: int | None = None
    """At most so many, the newest."""


EVERYTHING = Which()


class Line(Struct, frozen=True, kw_only=True, order=True):
    """What is tried again in each release: all trials of one line should come out alike."""

    case: str
    variant: str
    target: str
    """The kernel as it was asked for."""
    workload: str
    model: str
    backend: str

    def __str__(self) -> str:
        case = f"{self.case}.{self.variant}" if self.variant else self.case
        model = "" if self.model == "hybrid" else f" under {self.model}"
        backend = "" if self.backend == "qemu" else f" by {self.backend}"
        return f"{case} on {self.target} with {self.workload}{model}{backend}"


class Found(Struct, frozen=True, kw_only=True):
    """A trial in short: what a table or a heat map shows of it."""

    id: int
    """In this store, until the trial is renewed."""
    run: str
    """The run's key."""
    slug: str
    line: Line
    kernel: str
    """The exact release."""
    repeat: int
    attempt: int
    latest: bool
    verdict: Verdict
    reason: str
    finished: bool
    started_at: datetime
    seconds: float
    """Host seconds, the build's included."""
    subject: str
    """A checksum of what was tested."""
    kernel_version: str
    title: str
    accelerator: str
    machine: str = ""
    """The host and the guest's shape: times of two trials can be compared where it is the same."""


class Detail(Struct, frozen=True, kw_only=True):
    """A trial with everything that the store has of it."""

    found: Found
    trial: Trial
    """The document with all evidence."""
    measures: tuple[Measure, ...]
    cves: tuple[str, ...]
    folder: str
    """Where its timeline and console lay when it was added; they may be gone."""
    attempts: tuple[int, ...]
    """The ids of all attempts, this one among them, in order."""

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """The checks with their evidence."""
        return self.trial.checks


def find(store: Store, which: Which = EVERYTHING) -> list[Found]:
    """Return the trials that are meant, in the order in which they were started.

    Raises:
        InputError: ``which.run`` means no run.
        HostError: the store cannot be read.
    """
    with store.reading() as session:
        return list(found_in(session, which))


def found_in(session: Session, which: Which) -> Iterator[Found]:
    """Yield what `find` returns, in a transaction that is open already."""
    order = (TrialRow.started_at, TrialRow.id)
    chosen = _chosen().where(*conditions(session, which))
    if which.newest is not None:
        ids = (
            select(TrialRow.id)
            .where(*conditions(session, which))
            .order_by(*(column.desc() for column in order))
            .limit(which.newest)
        )
        chosen = chosen.where(TrialRow.id.in_(ids))
    for row in session.execute(chosen.order_by(*order)):
        yield _found(row)


def one(store: Store, id: int) -> Detail:  # noqa: A002
    """Return a trial with all that is known of it.

    Raises:
        InputError: there is none.
        HostError: the store cannot be read.
    """
    found = several(store, (id,))
    if id not in found:
        raise InputError(f"the store has no trial {id}")
    return found[id]


def several(store: Store, ids: Collection[int]) -> dict[int, Detail]:
    """Return trials with all that is known of them, by id; what there is not is left out.

    A few hundred at once are much quicker than one after the other.

    Raises:
        HostError: the store cannot be read.
    """
    meant = TrialRow.id.in_(ids)
    with store.reading() as session:
        folders = _pairs(session, select(TrialRow.id, TrialRow.folder).where(meant))
        documents = _pairs(
            session,
            select(DocumentRow.trial_id, DocumentRow.content).where(DocumentRow.trial_id.in_(ids)),
        )
        cves: dict[int, list[str]] = defaultdict(list)
        attempts: dict[int, list[int]] = defaultdict(list)
        for id_, cve in session.execute(
            select(CveRow.trial_id, CveRow.cve).where(CveRow.trial_id.in_(ids))
        ):
            cves[id_].append(cve)
        same = aliased(TrialRow)
        for id_, attempt in session.execute(
            select(TrialRow.id, same.id)
            .join(same, and_(same.run_id == TrialRow.run_id, same.slug == TrialRow.slug))
            .where(meant)
            .order_by(same.attempt)
        ):
            attempts[id_].append(attempt)
        measures = measures_of(session, meant)
        return {
            row.id: Detail(
                found=_found(row),
                trial=unpacked(documents[row.id]),
                measures=tuple(measures[row.id]),
                cves=tuple(cves[row.id]),
                folder=folders[row.id],
                attempts=tuple(attempts[row.id]),
            )
            for row in session.execute(_chosen().where(meant))
        }


def _pairs(session: Session, chosen: Select[int, T]) -> dict[int, T]:
    return {id_: value for id_, value in session.execute(chosen)}  # noqa: C416 — rows are no pairs


def measured(store: Store, which: Which, *names: str) -> dict[int, list[Measure]]:
    """Return the measures of the trials that are meant by the trials' ids.

    Args:
        store: where to look.
        which: which trials.
        names: which measures; none for all.
    """
    with store.reading() as session:
        return measures_of(session, *conditions(session, which), names=names)


def measures_of(
    session: Session, *where: ColumnElement[bool], names: tuple[str, ...] = ()
) -> dict[int, list[Measure]]:
    """Return the measures of the trials for which ``where`` holds by the trials' ids."""
    chosen = (
        select(
            MeasureRow.trial_id,
            MeasureRow.name,
            MeasureRow.phase,
            MeasureRow.of,
            MeasureRow.value,
            MeasureRow.unit,
        )
        .join(TrialRow, TrialRow.id == MeasureRow.trial_id)
        .where(*where)
        .order_by(MeasureRow.trial_id, MeasureRow.position)
    )
    if names:
        chosen = chosen.where(MeasureRow.name.in_(names))
    found: dict[int, list[Measure]] = defaultdict(list)
    for trial_id, name, phase, of, value, unit in session.execute(chosen):
        found[trial_id].append(Measure(name=name, phase=phase, of=of, value=value, unit=unit))
    return found


def modules_of(session: Session, *where: ColumnElement[bool]) -> dict[int, dict[str, str]]:
    """Return the livepatches' checksums of the trials for which ``where`` holds."""
    chosen = (
        select(ModuleRow.trial_id, ModuleRow.name, ModuleRow.sha256)
        .join(TrialRow, TrialRow.id == ModuleRow.trial_id)
        .where(*where)
    )
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for trial_id, name, sha256 in session.execute(chosen):
        found[trial_id][name] = sha256
    return found


def conditions(session: Session, which: Which) -> list[ColumnElement[bool]]:
    """Return what must hold of a trial's row.

    Raises:
        InputError: ``which.run`` means no run.
    """
    where: list[ColumnElement[bool]] = []
    if which.run is not None:
        where.append(TrialRow.run_id.in_(named(session, which.run)))
    if which.case is not None:
        where.append(TrialRow.case == which.case)
    if which.kernel is not None:
        where.append(or_(TrialRow.target == which.kernel, TrialRow.kernel == which.kernel))
    if which.workload is not None:
        where.append(TrialRow.workload == which.workload)
    if which.cve is not None:
        where.append(TrialRow.id.in_(select(CveRow.trial_id).where(CveRow.cve == which.cve)))
    if which.verdicts:
        where.append(TrialRow.verdict.in_([verdict.value for verdict in which.verdicts]))
    if not which.attempts:
        where.append(TrialRow.latest.is_(True))
    return where


_COLUMNS = (
    TrialRow.id, RunRow.key, TrialRow.slug, TrialRow.kernel, TrialRow.repeat, TrialRow.attempt,
    TrialRow.latest, TrialRow.verdict, TrialRow.reason, TrialRow.finished, TrialRow.started_at,
    TrialRow.seconds, TrialRow.build_seconds, TrialRow.subject, TrialRow.kernel_version,
    TrialRow.title, TrialRow.accelerator, TrialRow.case, TrialRow.variant, TrialRow.target,
    TrialRow.workload, TrialRow.model, TrialRow.backend, TrialRow.host, TrialRow.cpus,
    TrialRow.memory_mb,
)  # fmt: skip


def _chosen() -> Select[*tuple[Any, ...]]:
    return select(*_COLUMNS).join(RunRow, RunRow.id == TrialRow.run_id)


def _found(row: Row[Any]) -> Found:
    return Found(
        id=row.id,
        run=row.key,
        slug=row.slug,
        line=Line(
            case=row.case,
            variant=row.variant,
            target=row.target,
            workload=row.workload,
            model=row.model,
            backend=row.backend,
        ),
        kernel=row.kernel,
        repeat=row.repeat,
        attempt=row.attempt,
        latest=row.latest,
        verdict=Verdict(row.verdict),
        reason=row.reason,
        finished=row.finished,
        started_at=row.started_at,
        seconds=row.seconds + row.build_seconds,
        subject=row.subject,
        kernel_version=row.kernel_version,
        title=row.title,
        accelerator=row.accelerator,
        machine=f"{row.accelerator}, {row.cpus} CPUs, {row.memory_mb} MB, {row.host}",
    )
