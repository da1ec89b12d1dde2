"""The ledger's tests run over both of its stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from running_postgres import running_postgres

from activation.engine.ledger import Ledger


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """One server for all tests of a session."""
    with running_postgres() as url:
        yield url


@pytest.fixture
def postgres(postgres_server: str) -> str:
    """The address of a database without a ledger."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("set client_min_messages = warning")
        connection.execute("drop schema if exists sluice cascade")
    return postgres_server


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a ledger may be: a file, or a database."""
    return tmp_path / "ledger.db" if request.param == "sqlite" else str(request.getfixturevalue("postgres"))


@pytest.fixture
def ledger(where: Path | str) -> Iterator[Ledger]:
    """A new ledger, in each store."""
    with Ledger(where) as ledger:
        yield ledger
