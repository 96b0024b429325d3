"""The schema: one for SQLite and PostgreSQL. ``docs/store.md`` draws it.

A change here is a new file in ``migrations/versions`` and a new `HEAD`; a test holds that both
come to the same tables.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column

from lpharness.store.columns import Instant, Words

HEAD = "0002"
"""The newest revision; kept here so that no start has to read the migrations."""


class Base(DeclarativeBase):
    """What all tables share: constraints with names that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Words, datetime: Instant, float: Double}  # noqa: RUF012 — SQLAlchemy's own way


def _trial() -> MappedColumn[int]:
    return mapped_column(ForeignKey("trials.id", ondelete="CASCADE"), primary_key=True)


class RunRow(Base):
    """Many trials in one folder."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    """The run's own, from ``run.json``: the same wherever its folder was copied."""
    created_at: Mapped[datetime]
    name: Mapped[str]
    """Of its folder."""
    folder: Mapped[str]
    """Where it lay when it was last added."""


class TagRow(Base):
    """A name for a run, or for several: ``v12``."""

    __tablename__ = "tags"

    name: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    tagged_at: Mapped[datetime]


class TrialRow(Base):
    """One case on one kernel with one workload under one model, once."""

    __tablename__ = "trials"
    __table_args__ = (
        UniqueConstraint("run_id", "slug", "again", "started_at"),
        Index(None, "case", "target"),
        Index(None, "run_id", "latest"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    slug: Mapped[str]
    """The trial's name, unique in a run but for its attempts."""
    case: Mapped[str]
    variant: Mapped[str]
    kernel: Mapped[str]
    """The exact release."""
    target: Mapped[str]
    """The kernel as it was asked for, ``debian:6.1-cloud``: the same from release to release. Where
    that is not known, the exact release."""
    workload: Mapped[str]
    model: Mapped[str]
    backend: Mapped[str]
    repeat: Mapped[int]
    again: Mapped[int]
    """Which attempt it is by its own name, from 0. A later run into the same folder begins anew."""
    attempt: Mapped[int]
    """Which it is of all that the store has, from 1: by `again`, then by time."""
    latest: Mapped[bool]
    """Whether it is the last attempt: the one that counts."""

    verdict: Mapped[str]
    reason: Mapped[str]
    finished: Mapped[bool]
    started_at: Mapped[datetime] = mapped_column(index=True)
    seconds: Mapped[float]
    build_verdict: Mapped[str]
    """Empty where nothing was to be built."""
    build_seconds: Mapped[float]

    title: Mapped[str]
    """The case's, if its folder has it."""
    subject: Mapped[str]
    """A checksum of what was tested: of the kernel, the livepatches and the guest's programs."""
    host: Mapped[str]
    lpharness: Mapped[str]
    kernel_package: Mapped[str]
    kernel_version: Mapped[str]
    kernel_sha256: Mapped[str]
    kernel_build: Mapped[str]
    """``uname -v``, as the guest said it."""
    image: Mapped[str]
    image_identity: Mapped[str]
    compiler: Mapped[str]
    backend_version: Mapped[str]
    accelerator: Mapped[str]
    started_by: Mapped[str]
    cpus: Mapped[int]
    memory_mb: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)

    folder: Mapped[str]
    """Where its timeline and console lay when it was last added."""
    digest: Mapped[str]
    """SHA-256 of its document: whether it has changed since it was added."""


class CheckRow(Base):
    """A check's verdict; its evidence is in the trial's document."""

    __tablename__ = "checks"

    trial_id: Mapped[int] = _trial()
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    verdict: Mapped[str]
    summary: Mapped[str]


class MeasureRow(Base):
    """Something that was measured; `lpharness.store.measures` has the names."""

    __tablename__ = "measures"
    __table_args__ = (Index(None, "name", "phase"),)

    trial_id: Mapped[int] = _trial()
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    phase: Mapped[str]
    of: Mapped[str]
    """Whose: the livepatch's name, where there may be several."""
    value: Mapped[float]
    unit: Mapped[str]


class ModuleRow(Base):
    """A livepatch module of a trial."""

    __tablename__ = "modules"

    trial_id: Mapped[int] = _trial()
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    source_sha256: Mapped[str]


class CveRow(Base):
    """A flaw that the trial's case heals, by its public name."""

    __tablename__ = "cves"

    trial_id: Mapped[int] = _trial()
    cve: Mapped[str] = mapped_column(primary_key=True, index=True)


class DocumentRow(Base):
    """A trial's whole document with all evidence: ``trial.json``, zstd-compressed."""

    __tablename__ = "documents"

    trial_id: Mapped[int] = _trial()
    content: Mapped[bytes] = mapped_column(LargeBinary)
