"""Which store is meant: a path, a URL, or the user's own."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from lpharness.base.environment import store_asked_for
from lpharness.base.errors import InputError

DEFAULT = "default"
"""What to say instead of a path or a URL for the user's own store."""
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


def given_or_usual(given: str | None) -> str:
    """Return the store that is named, else that of ``LPHARNESS_STORE``, else the user's own."""
    return store_asked_for(given) or DEFAULT


def parse(name: str) -> URL:
    """Return the address of a store.

    Raises:
        InputError: it is a URL of something that no store can be.
    """
    if name == DEFAULT:
        return _sqlite(platformdirs.user_data_path("lpharness") / "store.sqlite")
    if "://" not in name:
        return _sqlite(Path(name).expanduser())
    try:
        url = make_url(name)
    except (ArgumentError, ValueError) as error:
        raise InputError(
            f"not the URL of a store: {_without_password(name)}", hint=_HINT
        ) from error
    if url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database and not url.host:
        return _sqlite(Path(url.database))
    raise InputError(
        f"no store can be at {url.render_as_string()}: SQLite or PostgreSQL is needed", hint=_HINT
    )


_HINT = "name a file, or postgresql://USER@HOST/DATABASE"


def shown(url: URL) -> str:
    """Return an address for people: without a password; of SQLite only the path."""
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    return url.set(drivername="postgresql").render_as_string(hide_password=True)


def _sqlite(path: Path) -> URL:
    return URL.create("sqlite", database=str(path.absolute()))


def _without_password(name: str) -> str:
    scheme, _, rest = name.partition("://")
    return f"{scheme}://…{rest.rpartition('@')[2]}" if "@" in rest else name
