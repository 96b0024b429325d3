"""Which runs there are, and the names that releases give them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct, field
from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from lpharness.base.errors import InputError
from lpharness.results.model import Verdict
from lpharness.store.database import Store
from lpharness.store.tables import RunRow, TagRow, TrialRow

LATEST = "latest"
_TAG = re.compile(r"[A-Za-z0-9][\w.+~-]{0,99}", re.ASCII)


class Run(Struct, frozen=True, kw_only=True):
    """A run, and what came of it."""

    key: str
    name: str
    created_at: datetime
    folder: str
    tags: tuple[str, ...] = ()
    verdicts: dict[Verdict, int] = field(default_factory=dict)
    """How many trials came to each; of a trial that was tried again only the last attempt."""
    attempts: int = 0
    """How many attempts there were in all."""

    @property
    def trials(self) -> int:
        """How many trials there are, each counted once."""
        return sum(self.verdicts.values())


def runs(store: Store, name: str | None = None) -> list[Run]:
    """Return all runs, or those that a name means (see `named`), the newest first.

    Raises:
        InputError: the name means nothing.
    """
    with store.reading() as session:
        chosen = select(RunRow).order_by(RunRow.created_at.desc(), RunRow.id.desc())
        if name is not None:
            chosen = chosen.where(RunRow.id.in_(named(session, name)))
        rows = session.scalars(chosen).all()
        tags: dict[int, list[str]] = defaultdict(list)
        for run_id, tag in session.execute(
            select(TagRow.run_id, TagRow.name).order_by(TagRow.name)
        ):
            tags[run_id].append(tag)
        verdicts: dict[int, dict[Verdict, int]] = defaultdict(dict)
        attempts: dict[int, int] = defaultdict(int)
        counts = select(TrialRow.run_id, TrialRow.latest, TrialRow.verdict, func.count()).group_by(
            TrialRow.run_id, TrialRow.latest, TrialRow.verdict
        )
        for run_id, latest, verdict, count in session.execute(counts):
            attempts[run_id] += count
            if latest:
                verdicts[run_id][Verdict(verdict)] = count
        return [
            Run(
                key=run.key,
                name=run.name,
                created_at=run.created_at,
                folder=run.folder,
                tags=tuple(tags[run.id]),
                verdicts=verdicts[run.id],
                attempts=attempts[run.id],
            )
            for run in rows
        ]


def state_of(store: Store) -> str:
    """Return what is another text whenever a run, a trial or a tag has come, gone or changed.

    Raises:
        HostError: the store cannot be read.
    """
    trials = select(
        func.count(), func.max(TrialRow.id), func.max(TrialRow.started_at),
        func.sum(TrialRow.seconds), func.count().filter(TrialRow.finished),
    )  # fmt: skip
    tags = select(func.count(), func.max(TagRow.tagged_at))
    others = select(func.count(), func.max(RunRow.id))
    with store.reading() as session:
        return str([tuple(session.execute(asked).one()) for asked in (trials, tags, others)])


def named(session: Session, name: str) -> Sequence[int]:
    """Return the rows of the runs that a name means.

    It may be a tag (all its runs), ``latest``, a run's name or the beginning of its key.

    Raises:
        InputError: it means no run, or it is not clear which.
    """
    tagged = session.scalars(select(TagRow.run_id).where(TagRow.name == name)).all()
    if tagged:
        return tagged
    if name == LATEST:
        newest = select(RunRow.id).order_by(RunRow.created_at.desc(), RunRow.id.desc()).limit(1)
        if found := session.scalars(newest).all():
            return found
        raise InputError("the store holds no run yet", hint="`lpharness store add RESULTS`")
    found = session.scalars(select(RunRow.id).where(_called(name))).all()
    if len(found) > 1:
        raise InputError(
            f"{len(found)} runs are called {name!r}", hint="name one by the beginning of its key"
        )
    if not found:
        tags = session.scalars(select(TagRow.name).distinct().order_by(TagRow.name)).all()
        raise InputError(
            f"the store knows no release and no run {name!r}",
            hint=f"releases: {', '.join(tags) or 'none'}; `lpharness store info` shows the runs",
        )
    return found


def _called(name: str) -> ColumnElement[bool]:
    if re.fullmatch(r"[0-9a-f]{6,64}", name):
        return or_(RunRow.name == name, RunRow.key.startswith(name))
    return RunRow.name == name


def tag(store: Store, name: str, run: str) -> int:
    """Give the runs that ``run`` means one more name; return how many they are.

    Raises:
        InputError: it is no name for a release, or means no run.
        HostError: the store cannot be written.
    """
    if not _TAG.fullmatch(name) or name == LATEST:
        raise InputError(
            f"{name!r} is no name for a release", hint="letters, digits and . _ + ~ -, like v12"
        )
    now = datetime.now(UTC)
    with store.writing() as session:
        if session.scalar(select(RunRow.id).where(RunRow.name == name)) is not None:
            raise InputError(f"a run is called {name!r} already", hint="take another name")
        ids = named(session, run)
        known = session.scalars(select(TagRow.run_id).where(TagRow.name == name)).all()
        session.add_all(
            TagRow(name=name, run_id=id_, tagged_at=now) for id_ in ids if id_ not in known
        )
        return len(ids)


def untag(store: Store, name: str) -> int:
    """Take a release's name away; the runs stay. Return how many bore it.

    Raises:
        InputError: no run bears it.
        HostError: the store cannot be written.
    """
    with store.writing() as session:
        ids = session.scalars(select(TagRow.run_id).where(TagRow.name == name)).all()
        if not ids:
            raise InputError(f"no run is tagged {name!r}")
        session.execute(delete(TagRow).where(TagRow.name == name))
        return len(ids)
