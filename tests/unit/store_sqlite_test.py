"""The store in SQLite, and which store is meant."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from store_contract import StoreContract

from lpharness.base.errors import HostError, InputError
from lpharness.store import Store, open_store
from lpharness.store.address import parse, shown
from lpharness.store.database import _write_ahead


class TestSqlite(StoreContract):
    @pytest.fixture
    def address(self, tmp_path: Path) -> str:
        return str(tmp_path / "new" / "folder" / "store.sqlite")

    def test_it_writes_ahead_and_minds_its_keys(self, store: Store) -> None:
        with store.reading() as session:
            assert session.scalar(text("PRAGMA journal_mode")) == "wal"
            assert session.scalar(text("PRAGMA foreign_keys")) == 1

    def test_a_reader_does_not_wait_for_a_writer(self, store: Store, address: str) -> None:
        with (
            store.writing() as writer,
            open_store(address) as other,
            other.reading() as reader,
        ):
            writer.execute(text("DELETE FROM runs"))
            assert reader.scalar(text("SELECT count(*) FROM runs")) == 0


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "thesis.tex"
    path.write_text("\\documentclass{article}" * 100)
    with pytest.raises(InputError, match=r"thesis\.tex is no store"):
        open_store(str(path), create=True)
    assert path.read_text().startswith("\\documentclass")


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, not a store"):
        open_store(str(tmp_path), create=True)


def test_where_no_folder_can_be_made_it_is_the_hosts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match="cannot make"):
        open_store(str(tmp_path / "file" / "store.sqlite"), create=True)


def test_the_usual_store_is_that_of_the_environment_else_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LPHARNESS_STORE", str(tmp_path / "named.sqlite"))
    open_store(create=True).close()
    assert (tmp_path / "named.sqlite").is_file()
    monkeypatch.delenv("LPHARNESS_STORE")
    open_store(create=True).close()
    assert (tmp_path / "data" / "lpharness" / "store.sqlite").is_file()


@pytest.mark.parametrize(
    ("name", "driver", "said"),
    [
        ("results.db", "sqlite", f"{Path.cwd()}/results.db"),
        ("sqlite:////var/results.db", "sqlite", "/var/results.db"),
        ("postgresql://me:secret@db/lph", "postgresql+psycopg", "postgresql://me:***@db/lph"),
        ("postgres:///lph?host=/run/x", "postgresql+psycopg", "postgresql:///lph?host=%2Frun%2Fx"),
    ],
)
def test_names_of_stores(name: str, driver: str, said: str) -> None:
    url = parse(name)
    assert url.drivername == driver
    assert shown(url) == said


@pytest.mark.parametrize(
    "name", ["mysql://me:secret@db/lph", "://", "sqlite://", "postgresql://a:b:c:d"]
)
def test_other_addresses_are_refused_and_no_password_told(name: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse(name)
    assert "secret" not in str(refusal.value)


def test_two_that_turn_one_file_to_write_ahead_logging_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    first = sqlite3.connect(path, isolation_level=None)
    first.execute("BEGIN IMMEDIATE")
    refusals = []

    class Second(sqlite3.Connection):
        def execute(self, *words):
            try:
                return super().execute(*words)
            except sqlite3.OperationalError as error:
                refusals.append(str(error))
                first.execute("COMMIT")
                raise

    second = sqlite3.connect(path, isolation_level=None, timeout=60, factory=Second)
    _write_ahead(second)
    assert second.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert refusals == ["database is locked"]
