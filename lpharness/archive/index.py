"""The parsed answer of the package indices, in a form that is queried in milliseconds."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import msgspec

from lpharness.archive.control import parse_relations
from lpharness.archive.package import Package
from lpharness.base.errors import HostError

_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE packages (id INTEGER PRIMARY KEY, name TEXT NOT NULL, description BLOB NOT NULL);
CREATE TABLE provides (name TEXT NOT NULL, package INTEGER NOT NULL);
"""
# made after the rows, which is quicker than keeping them up with every row
_INDICES = """
CREATE INDEX packages_by_name ON packages (name);
CREATE INDEX provides_by_name ON provides (name);
"""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Package).decode


def write_index(path: Path, packages: Iterable[Package]) -> None:
    """Write an index of ``packages`` aside and rename it to ``path``."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    aside.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(aside)) as database:
            database.executescript(_SCHEMA)
            for number, package in enumerate(packages):
                database.execute(
                    "INSERT INTO packages VALUES (?, ?, ?)",
                    (number, package.name, _encode(package)),
                )
                for name in _provided(package):
                    database.execute("INSERT INTO provides VALUES (?, ?)", (name, number))
            database.executescript(_INDICES)
            database.commit()
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)


def _provided(package: Package) -> set[str]:
    return {alternatives[0].name for alternatives in parse_relations(package.provides)}


class Index:
    """A written index, open for reading."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def find(self, pattern: str) -> list[Package]:
        """Return the packages whose name matches a shell pattern (`fnmatch`)."""
        return self._packages(
            "SELECT description FROM packages WHERE name GLOB ? ORDER BY id",
            pattern.replace("[!", "[^"),
        )

    def providers(self, name: str) -> list[Package]:
        """Return the packages that provide the virtual package ``name``."""
        return self._packages(
            "SELECT description FROM provides JOIN packages ON id = package "
            "WHERE provides.name = ? ORDER BY id",
            name,
        )

    def _packages(self, query: str, argument: str) -> list[Package]:
        try:
            return [_decode(row[0]) for row in self._database.execute(query, (argument,))]
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise HostError(
                f"the package index {self._path} is damaged: {error}",
                hint=f"remove it, and it is made again: rm -r {self._path.parent}",
            ) from error
