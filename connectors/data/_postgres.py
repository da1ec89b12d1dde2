"""A connection to PostgreSQL that carries out a batch whole or not at all, and says of an error what is to be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

from connectors.base import Batch, ConnectorError, Fatal, Refused, Transient, Unanswered
from connectors.data._statements import Statement, statements

# By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
THE_ROWS = ("21", "22", "23")  # data and constraints
FOR_A_WHILE = ("08", "40", "53", "55", "57")  # connection, deadlock, resources, locks, shutdown
SETTLE = {
    "42P01": "there is no such table",
    "42703": "the table has no such column",
    "42P10": "the key column has no unique constraint",
    "42501": "this user may not do that",
    "3F000": "there is no such schema",
    "42804": "a column is of a type that text does not become",
}


class Postgres:
    """One connection. Every method blocks, and raises ConnectorError with names of columns and constraints, never with values."""

    def __init__(self, address: str, options: Any, is_local: bool) -> None:
        url = urlsplit(address)
        mode = {"verify": "verify-full", "require": "require", "off": "disable"}[options.tls]
        try:
            self._db = psycopg.connect(
                host=url.hostname or "localhost",
                port=url.port or 5432,
                dbname=unquote(url.path.lstrip("/")) or "postgres",
                user=options.username,
                password=options.password.get_secret_value() if options.password else None,
                sslmode="prefer" if is_local else mode,
                sslrootcert=str(options.ca_file) if options.ca_file else ("system" if mode == "verify-full" and not is_local else None),
                connect_timeout=30,
                application_name="sluice",
                options="-c lock_timeout=30000 -c timezone=UTC",
                autocommit=True,
                client_encoding="utf8",
            )
        except psycopg.OperationalError as error:
            raise _cannot_connect(error) from None

    @property
    def broken(self) -> bool:
        return self._db.closed or self._db.broken

    def close(self) -> None:
        self._db.close()

    def look(self) -> None:
        """Ask for nothing, to see that the database answers."""
        self._carry_out([])

    def deliver(self, batch: Batch) -> list[int]:
        """All rows in one transaction; for each how many records its last statement touched."""
        return self._carry_out(statements(batch))

    def _carry_out(self, groups: Sequence[Sequence[Statement]]) -> list[int]:
        last: list[psycopg.Cursor[Any]] = []
        try:
            # One round trip for all of them.
            with self._db.transaction(), self._db.pipeline():
                for group in groups:
                    for statement, values in group:
                        cursor = self._db.execute(statement.encode(), values)
                    last.append(cursor)
        except psycopg.Error as error:
            if self.broken:
                raise Unanswered("CONNECTION_LOST", "The connection to the database broke: the rows may be there.") from None
            raise _sorted(error) from None
        return [cursor.rowcount for cursor in last]


def _cannot_connect(error: psycopg.OperationalError) -> ConnectorError:
    said = str(error)
    if "authentication" in said or "password" in said or "role" in said:
        return Fatal("UNAUTHORIZED", "The database refused the user name or password of this destination.")
    if "database" in said and "does not exist" in said:
        return Fatal("NO_DATABASE", "There is no such database: the address of this destination ends with its name.")
    if "certificate" in said or "SSL" in said:
        return Fatal("TLS_FAILED", "No encrypted connection to the database could be made: check `tls` and `ca_file` of this destination.")
    return Transient("UNREACHABLE", "The database cannot be reached.")


def _sorted(error: psycopg.Error) -> ConnectorError:
    state = error.sqlstate or ""
    named = [f"{what} {name}" for what, name in (("column", error.diag.column_name), ("constraint", error.diag.constraint_name)) if name]
    said = type(error).__name__ + (f" ({', '.join(named)})" if named else "")
    if state[:2] in THE_ROWS or (not state and isinstance(error, psycopg.DataError)):
        return Refused(f"SQL_{state}" if state else "BAD_VALUE", f"The database does not take it: {said}.")
    if state[:2] in FOR_A_WHILE:
        return Transient(f"SQL_{state}", f"The database did not carry it out: {said}.")
    return Fatal(f"SQL_{state}", f"The database refused: {SETTLE.get(state, said)}. Check the sync's settings and fields.")
