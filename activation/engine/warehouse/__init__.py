"""The one door to the warehouse: open late, close early, never during a call to a destination.

Fixed queries are the `.sql` files beside this one; queries whose shape varies are built as sqlglot expressions by their callers.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from activation.engine.errors import WarehouseBroken, WarehouseBusy
from activation.engine.project import Project

ROOM = Path(__file__).parent
DIALECT = "duckdb"
MEMORY_LIMIT = "2GB"  # beyond it DuckDB works on disk; SLUICE_MEMORY_LIMIT says otherwise
# How a new file is laid out: the first that packs text with zstd (a quarter of the room for payloads, and half of the time) and needs no
# more than DuckDB 1.3 to be read. A file that is there keeps its layout.
STORAGE = "v1.3.0"


@cache
def query(name: str) -> str:
    """The text of `<name>.sql`."""
    return (ROOM / f"{name}.sql").read_text(encoding="utf-8")


@contextmanager
def opened(project: Project, wait: float = 300.0, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the project's warehouse in UTC, closed at the end.

    DuckDB lets one process write and shuts all others out meanwhile, so this waits up to `wait` seconds for its turn; then it
    raises WarehouseBusy. A new warehouse gets its schemas and tables first. Raises WarehouseBroken when the file, or the disk, fails.
    """
    connection = None
    try:
        connection = _connect(project, wait, read_only and project.warehouse.exists())
        made = _is_made(connection)
        if read_only and not made:
            connection.close()
            connection = _connect(project, wait, read_only=False)
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set enable_progress_bar = false")  # Sluice shows its own
        connection.execute(f"set memory_limit = '{os.environ.get('SLUICE_MEMORY_LIMIT', MEMORY_LIMIT)}'")
        if not made:
            # Only then: whoever makes a view anew writes to the file, and waits for the disk when it is closed.
            connection.execute(_schema(connection))
            connection.execute(f"comment on view activation.deliveries is '{_version()}'")
        yield connection
    except (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException) as error:
        raise WarehouseBroken(_in_words(project, error)) from error
    finally:
        if connection is not None:
            connection.close()


def packs_text(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file's layout has the compressions that the schema asks for. Those made by an earlier Sluice, or by dbt, have not."""
    found = connection.execute("select tags['storage_version'] from duckdb_databases() where database_name = current_database()").fetchone()
    version = str(found[0]) if found else ""  # as v1.3.0+
    return [int(part) for part in re.findall(r"\d+", version)] >= [int(part) for part in re.findall(r"\d+", STORAGE)]


def _schema(connection: duckdb.DuckDBPyConnection) -> str:
    return query("schema") if packs_text(connection) else re.sub(r" using compression '\w+'", "", query("schema"))


def _is_made(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file has all of Sluice's tables, and its views as they are now. One that somebody else made (dbt, a BI tool) has none yet."""
    tables = re.findall(r"^create table if not exists (\S+)", query("schema"), re.MULTILINE)
    found = connection.execute(
        "select (select count(*) from duckdb_tables() where database_name = current_database() and schema_name || '.' || table_name in "
        "(select unnest($tables))), (select comment from duckdb_views() where database_name = current_database() "
        "and schema_name = 'activation' and view_name = 'deliveries')",
        {"tables": tables},
    ).fetchone()
    return found == (len(tables), _version())


@cache
def _version() -> str:
    """Of the tables and views: another text, another version. The last view that is made bears it as its comment."""
    return hashlib.sha256(query("schema").encode()).hexdigest()[:16]


def _connect(project: Project, wait: float, read_only: bool) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait
    while True:
        try:
            # Asked only of a new file: in one process, DuckDB opens a file twice only under the same settings.
            layout: dict[str, Any] = {} if project.warehouse.exists() else {"storage_compatibility_version": STORAGE}
            return duckdb.connect(str(project.warehouse), read_only, layout)
        except duckdb.IOException as error:
            if "Could not set lock" not in str(error):
                raise
            if time.monotonic() > deadline:
                raise WarehouseBusy(
                    f"{project.relative(project.warehouse)} has been held by another process for {wait:.0f} seconds. "
                    "Wait for its build or sync to end, or close the tool that has the file open."
                ) from None
            time.sleep(random.uniform(0.02, 0.1))


def _in_words(project: Project, error: duckdb.Error) -> str:
    shown, said = project.relative(project.warehouse), str(error).splitlines()[0].removeprefix("IO Error: ")
    if "not a valid DuckDB database file" in said:
        return f"{shown} is not a DuckDB file. Move it away, then land and build again."
    if "Corrupt database" in said or "Could not read enough bytes" in said:
        return f"{shown} is damaged ({said}). Put it back from a copy, or move it away, then land and build again."
    return f"The warehouse failed: {said}"


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


def literal(value: str) -> str:
    """A text value as SQL text."""
    return "'" + value.replace("'", "''") + "'"
