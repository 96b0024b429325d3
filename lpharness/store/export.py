"""Everything in the store as one file: Parquet for tables, JSON lines for scripts.

A row is a trial (each attempt one), with its run, tags, checks, measures and livepatches in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from lpharness.base.errors import InputError
from lpharness.results.files import written_aside
from lpharness.store.database import Store
from lpharness.store.tables import (
    CheckRow,
    CveRow,
    MeasureRow,
    ModuleRow,
    RunRow,
    TagRow,
    TrialRow,
)
from lpharness.store.trials import EVERYTHING, Which, conditions

_AT_ONCE = 1000
_LEFT_OUT = ("id", "run_id", "digest")
"""Columns that mean something in one store only."""


class Format(StrEnum):
    """What can be written."""

    PARQUET = "parquet"
    JSONL = "jsonl"


Rows = Iterator[list[dict[str, Any]]]


def export(store: Store, path: Path, format: Format, which: Which = EVERYTHING) -> int:  # noqa: A002
    """Write the trials that are meant, whole or not at all; return how many they are.

    Raises:
        InputError: Parquet is asked for and pyarrow is not installed.
        HostError: the store cannot be read, or the file not written.
    """
    write = _parquet() if format is Format.PARQUET else _jsonl
    with store.reading() as session, written_aside(path) as file:
        return write(_rows(session, replace(which, attempts=True)), file)


def _rows(session: Session, which: Which) -> Rows:
    """Yield the trials' rows, a thousand at a time: a store may be larger than the memory."""
    tags: dict[int, list[str]] = defaultdict(list)
    for run_id, tag in session.execute(select(TagRow.run_id, TagRow.name).order_by(TagRow.name)):
        tags[run_id].append(tag)
    where = conditions(session, which)
    last = 0
    while True:
        found = session.execute(
            select(TrialRow, RunRow)
            .join(RunRow, RunRow.id == TrialRow.run_id)
            .where(*where, TrialRow.id > last)
            .order_by(TrialRow.id)
            .limit(_AT_ONCE)
        ).all()
        if not found:
            return
        ids = [trial.id for trial, _ in found]
        belongings = {
            name: _belongings(session, table, columns, ids)
            for name, (table, columns) in _NESTED.items()
        }
        yield [
            {
                "run": run.key,
                "run_name": run.name,
                "run_created_at": run.created_at,
                "tags": tags[run.id],
                **{name: getattr(trial, name) for name in _PLAIN},
                **{name: of[trial.id] for name, of in belongings.items()},
            }
            for trial, run in found
        ]
        last = ids[-1]
        session.expunge_all()


def _belongings(
    session: Session, table: type[_Of], columns: Sequence[str], ids: Sequence[int]
) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    chosen = (
        select(table.trial_id, *(getattr(table, name) for name in columns))
        .where(table.trial_id.in_(ids))
        .order_by(*table.__mapper__.primary_key)
    )
    for trial_id, *values in session.execute(chosen):
        found[trial_id].append(dict(zip(columns, values, strict=True)))
    return found


_Of = CheckRow | MeasureRow | ModuleRow | CveRow
_NESTED: dict[str, tuple[type[_Of], tuple[str, ...]]] = {
    "checks": (CheckRow, ("name", "verdict", "summary")),
    "measures": (MeasureRow, ("name", "phase", "of", "value", "unit")),
    "modules": (ModuleRow, ("name", "sha256", "source_sha256")),
    "cves": (CveRow, ("cve",)),
}
_PLAIN = [column.name for column in TrialRow.__table__.columns if column.name not in _LEFT_OUT]


def _jsonl(rows: Rows, file: BinaryIO) -> int:
    count = 0
    for some in rows:
        for row in some:
            file.write(msgspec.json.encode(row) + b"\n")
        count += len(some)
    return count


def _parquet() -> Callable[[Rows, BinaryIO], int]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            "Parquet needs pyarrow",
            hint="pip install 'lpharness[parquet]', or take --format jsonl",
        ) from error

    def write(rows: Rows, file: BinaryIO) -> int:
        schema, count = _schema(pyarrow), 0
        with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            for some in rows:
                writer.write_table(pyarrow.Table.from_pylist(some, schema=schema))
                count += len(some)
        return count

    return write


def _schema(pyarrow: Any) -> Any:
    moment = pyarrow.timestamp("us", tz="UTC")
    kinds = {
        str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(),
        bool: pyarrow.bool_(), datetime: moment,
    }  # fmt: skip

    def fields(table: Any, names: Sequence[str]) -> list[tuple[str, Any]]:
        return [(name, kinds[table.__table__.columns[name].type.python_type]) for name in names]

    return pyarrow.schema(
        [
            ("run", pyarrow.string()),
            ("run_name", pyarrow.string()),
            ("run_created_at", moment),
            ("tags", pyarrow.list_(pyarrow.string())),
            *fields(TrialRow, _PLAIN),
            *(
                (name, pyarrow.list_(pyarrow.struct(fields(table, columns))))
                for name, (table, columns) in _NESTED.items()
            ),
        ]
    )
