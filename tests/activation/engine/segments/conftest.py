from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from people_at_hand import world


@pytest.fixture(scope="session")
def people() -> Iterator[duckdb.DuckDBPyConnection]:
    """Read only: they are the same for every test."""
    with world() as connection:
        yield connection
