"""The store in PostgreSQL: the same suite as in SQLite, and what only a server can do wrong."""

import itertools
from collections.abc import Iterator

import pytest
from postgresql_cluster import cluster
from sqlalchemy import create_engine, text
from store_contract import StoreContract

from lpharness.base.errors import HostError
from lpharness.store import open_store


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    with cluster() as folder:
        yield folder


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count()


class TestPostgresql(StoreContract):
    @pytest.fixture
    def address(self, socket: str, numbers: Iterator[int]) -> str:
        """Make a database for each test."""
        name = f"lph{next(numbers)}"
        server = f"postgresql+psycopg://lph@/postgres?host={socket}"
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return f"postgresql://lph@/{name}?host={socket}"


def test_a_server_that_does_not_answer_is_the_hosts_and_no_password_told(socket: str) -> None:
    with pytest.raises(HostError, match="cannot read the store postgresql://") as trouble:
        open_store(f"postgresql://me:secret@/lph?host={socket}/nowhere")
    assert "secret" not in str(trouble.value)
    assert "\n" not in trouble.value.message


def test_a_database_that_is_not_there_is_named(socket: str) -> None:
    with pytest.raises(HostError, match='database "nowhere" does not exist'):
        open_store(f"postgresql://lph@/nowhere?host={socket}", create=True)
