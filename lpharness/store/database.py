"""An open store: transactions on SQLite or PostgreSQL that behave alike.

There is one writer at a time on both, so that two that add the same run see each other; readers
wait for nobody, and see one moment. What a transaction did is there as a whole or not at all,
whatever befalls the process.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from lpharness.base.closing import Closing
from lpharness.base.errors import HostError, InputError
from lpharness.store.address import given_or_usual, parse, shown
from lpharness.store.migrate import migrate, needs_migration, no_store

_WRITES = "lpharness_writes"
_MIGRATES = "lpharness_migrates"
_PATIENCE_S = 60
"""How long a writer waits for another: each takes well below a second for a trial."""
_LOCK = 0x6C7068  # "lph": PostgreSQL's advisory locks are numbers


def open_store(name: str | None = None, *, create: bool = False) -> Store:
    """Open the store that is named, or the usual one, and bring its schema up to date.

    Args:
        name: a path, a URL, or ``default``; ``None`` for ``LPHARNESS_STORE`` or the user's own.
        create: whether it is made if there is none.

    Raises:
        InputError: there is none, it is something else, or it is of a newer schema.
        HostError: it cannot be reached, read or written.
    """
    url = parse(given_or_usual(name))
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite:
        _prepare_file(url, create=create)
    store = Store(_sqlite_engine(url) if sqlite else _postgresql_engine(url), shown(url))
    try:
        store.bring_up_to_date(create=create)
    except BaseException:
        store.close()
        raise
    return store


class Store(Closing):
    """A database of results; a context manager that lets go of it. Threads may share one."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name
        """For people: the path, or the URL without a password."""

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Look at one moment of the store.

        Raises:
            HostError: it cannot be read.
        """
        options: dict[str, Any] = {}
        if self.engine.dialect.name == "postgresql":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._told("read"), Session(self.engine.execution_options(**options)) as session:
            yield session

    @contextmanager
    def writing(self, *, migrates: bool = False) -> Iterator[Session]:
        """Change the store, as the only one; an error leaves it as it was.

        Args:
            migrates: whether it is the schema that is changed.

        Raises:
            HostError: it cannot be written.
        """
        engine = self.engine.execution_options(**{_WRITES: True, _MIGRATES: migrates})
        with (
            self._told("write"),
            Session(engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            if self.engine.dialect.name == "postgresql":
                session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            yield session

    def bring_up_to_date(self, *, create: bool) -> None:
        """Make the schema or migrate an older one.

        Raises:
            InputError: there is no store, it is something else, or it is of a newer schema.
            HostError: it cannot be reached or written.
        """
        with self.reading() as session:
            if not needs_migration(session.connection(), self.name, create=create):
                return
        with self.writing(migrates=True) as session:
            connection = session.connection()
            # Look again: another may have done it meanwhile.
            if needs_migration(connection, self.name, create=create):
                migrate(connection)
        self.engine.dispose()  # what connections that migrated were told is not for others

    def close(self) -> None:
        """Let go of the database; idempotent."""
        self.engine.dispose()

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Tell a database's trouble in one line."""
        try:
            yield
        except DBAPIError as error:
            said = " ".join(str(error.orig).split())
            if "not a database" in said:
                raise InputError(
                    f"{self.name} is no store of lpharness: {said}", hint="name another file"
                ) from error
            raise HostError(f"cannot {what} the store {self.name}: {said}") from error


def _prepare_file(url: URL, *, create: bool) -> None:
    path = Path(url.database or "")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a store", hint="name a file")
    if path.exists():
        return
    if not create:
        raise no_store(str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"cannot make {path.parent}: {error.strerror}") from error


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _PATIENCE_S})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, record: object) -> None:
    del record
    connection.isolation_level = None  # the driver's own idea of transactions leaves out DDL
    _write_ahead(connection)
    connection.execute("PRAGMA foreign_keys = ON")


def _write_ahead(connection: Any) -> None:
    """Make the file one with write-ahead logging: a property that stays with it.

    Two that do so at once both read before they write, which SQLite answers with "locked" at once:
    a wait might never end. The one has done it when the other looks again.
    """
    until = time.monotonic() + _PATIENCE_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(_MIGRATES):
        # SQLite changes a table by making it anew: dropping the old would drop what refers to it.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    # A transaction that begins to write only later may find that it looked at a past moment.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES) else "BEGIN")


def _postgresql_engine(url: URL) -> Engine:
    try:
        # A database made in the locale C has no encoding: then texts would come as bytes.
        settings = {"connect_timeout": 10, "client_encoding": "utf8"}
        return create_engine(url, pool_pre_ping=True, connect_args=settings)
    except ImportError as error:
        raise InputError(
            "a store in PostgreSQL needs psycopg", hint="pip install 'lpharness[postgresql]'"
        ) from error
