"""The one door to the warehouse: open late, close early, never during a call to a destination.

Fixed queries are the `.sql` files beside this one; queries whose shape varies are built as sqlglot expressions by their callers.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import duckdb

from activation.engine.errors import WarehouseBusy
from activation.engine.project import Project

ROOM = Path(__file__).parent
DIALECT = "duckdb"


@cache
def query(name: str) -> str:
    """The text of `<name>.sql`."""
    return (ROOM / f"{name}.sql").read_text(encoding="utf-8")


@contextmanager
def opened(project: Project, wait: float = 300.0, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the project's warehouse in UTC, closed at the end.

    DuckDB lets one process write and shuts all others out meanwhile, so this waits up to `wait` seconds for its turn; then it
    raises WarehouseBusy. A new warehouse gets its schemas and tables first.
    """
    if not project.warehouse.exists():
        read_only = False
    connection = _connect(project, wait, read_only)
    try:
        connection.execute("set TimeZone = 'UTC'")
        if not read_only:
            connection.execute(query("schema"))
        yield connection
    finally:
        connection.close()


def _connect(project: Project, wait: float, read_only: bool) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait
    while True:
        try:
            return duckdb.connect(str(project.warehouse), read_only=read_only)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() > deadline:
                raise WarehouseBusy(
                    f"{project.relative(project.warehouse)} has been held by another process for {wait:.0f} seconds. "
                    "Wait for its build or sync to end, or close the tool that has the file open."
                ) from None
            time.sleep(random.uniform(0.02, 0.1))


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing: committed at the end, rolled back by any exception."""
    connection.execute("begin transaction")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def quote(identifier: str) -> str:
    """An identifier as SQL text."""
    return '"' + identifier.replace('"', '""') + '"'
