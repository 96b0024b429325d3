"""Bringing a database to the schema that this lpharness knows, or saying why it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from lpharness.base.errors import InputError
from lpharness.store.tables import HEAD

if TYPE_CHECKING:
    from alembic.config import Config

_REVISIONS = "alembic_version"


def revision(connection: Connection) -> str | None:
    """Return the revision of the schema; ``None`` where there is none yet."""
    if not inspect(connection).has_table(_REVISIONS):
        return None
    return connection.execute(text(f"SELECT version_num FROM {_REVISIONS}")).scalar()  # noqa: S608


def needs_migration(connection: Connection, name: str, *, create: bool) -> bool:
    """Say whether the schema has to be made or changed.

    Raises:
        InputError: it is no store, is of a newer schema, or there is none and none is to be made.
    """
    current = revision(connection)
    if current == HEAD:
        return False
    if current is None:
        _refuse_foreign(connection, name)
        if not create:
            raise no_store(name)
        return True
    if current not in _known():
        raise InputError(
            f"{name} is of a newer schema ({current}) than this lpharness knows ({HEAD})",
            hint="use the lpharness that wrote it, or a newer one",
        )
    return True


def migrate(connection: Connection) -> None:
    """Make the schema, or bring an older one up to date, in the caller's transaction."""
    from alembic import command

    command.upgrade(_configuration(connection), "head")
    if connection.dialect.name == "sqlite":
        astray = connection.execute(text("PRAGMA foreign_key_check")).first()
        assert astray is None, f"a migration lost what {astray} refers to"


def no_store(name: str) -> InputError:
    """Return what to say where there is no store yet."""
    return InputError(
        f"there is no store at {name}", hint="`lpharness store add RESULTS` makes one"
    )


def _known() -> set[str]:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_configuration(None))
    return {script.revision for script in scripts.walk_revisions()}


def _configuration(connection: Connection | None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "lpharness.store:migrations")
    config.attributes["connection"] = connection
    return config


def _refuse_foreign(connection: Connection, name: str) -> None:
    """Refuse a database that belongs to something else, before anything is written into it."""
    if others := inspect(connection).get_table_names():
        raise InputError(
            f"{name} is no store of lpharness: it holds a table {others[0]!r}",
            hint="name a new file or an empty database",
        )
