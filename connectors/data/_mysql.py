"""A connection to MySQL or MariaDB that carries out a batch whole or not at all, and says of an error what is to be done about it."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.constants import CLIENT

from connectors.base import Batch, ConnectorError, Fatal, Transient, Unanswered
from connectors.data._mysql_errors import cannot_connect, sorted_trouble
from connectors.data._mysql_rows import Rows
from connectors.data._mysql_table import Table

SECONDS = 60
MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"


class Mysql:
    """One connection. Every method blocks, and raises ConnectorError with names of columns, never with values."""

    def __init__(self, address: str, options: Any, is_local: bool) -> None:
        url = urlsplit(address)
        if not url.path.lstrip("/"):
            raise Fatal("NO_DATABASE", "The address of this destination ends with the name of a database: mysql://host:3306/database.")
        try:
            self._db = pymysql.connect(
                host=url.hostname or "localhost",
                port=url.port or 3306,
                database=unquote(url.path.lstrip("/")),
                user=options.username,
                password=options.password.get_secret_value().encode() if options.password else b"",
                charset="utf8mb4",
                sql_mode=MODE,
                # Changes are found by their key: nobody is kept waiting for what lies beside it.
                init_command="set session transaction isolation level read committed",
                autocommit=True,
                # Counts are of what was found, not of what was changed.
                client_flag=CLIENT.FOUND_ROWS,
                connect_timeout=30,
                read_timeout=SECONDS,
                write_timeout=SECONDS,
                program_name="sluice",
                **_tls(options, is_local),
            )
            self._tables: dict[str, Table] = {}
            self.broken = False
            self._run("set time_zone = '+00:00', innodb_lock_wait_timeout = 30")
        except (pymysql.Error, OSError) as error:
            raise cannot_connect(error) from None

    def close(self) -> None:
        self.broken = True
        with suppress(pymysql.Error, OSError):
            self._db.close()

    def deliver(self, batch: Batch) -> list[int]:
        """All rows in one transaction; for each how many records it found or made."""
        ending = False
        try:
            rows = self._rows_for(batch)
            self._db.begin()
            counts = [rows.carry_out(row) for row in batch.rows]
            ending = True
            self._db.commit()
            return counts
        except ConnectorError:
            self._roll_back()
            raise
        except (pymysql.Error, OSError) as error:
            self._roll_back()
            if self.broken and ending:
                raise Unanswered("CONNECTION_LOST", "The connection to the database broke: the rows may be there.") from None
            if self.broken:
                raise Transient("CONNECTION_LOST", "The connection to the database broke: none of the rows is there.") from None
            raise sorted_trouble(error) from None

    def look(self) -> None:
        """Ask for nothing, to see that the database answers."""
        try:
            self._run("select 1")
        except (pymysql.Error, OSError) as error:
            self.close()
            raise cannot_connect(error) from None

    def _rows_for(self, batch: Batch) -> Rows:
        """The batch, with what its table is like. Raises `Fatal` when one key may be there twice."""
        name = batch.settings.table
        if name not in self._tables:
            self._tables[name] = Table.described(name, self._ask)
        rows = Rows(batch, self._tables[name], self._run)
        rows.table.must_be_unique(rows.key)
        return rows

    def _run(self, sql: str, values: list[Any] | None = None) -> int:
        with self._db.cursor() as cursor:
            return int(cursor.execute(sql, values))

    def _ask(self, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        with self._db.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def _roll_back(self) -> None:
        """Undo what was begun. A connection over which that is not to be had is let go."""
        try:
            self._db.rollback()
        except (pymysql.Error, OSError):
            self.close()


def _tls(options: Any, is_local: bool) -> dict[str, Any]:
    """On this machine the driver takes what the server offers; elsewhere nothing is sent before it is encrypted."""
    if is_local:
        return {}
    if options.tls == "off":
        return {"ssl_disabled": True}
    context = ssl.create_default_context(cafile=str(options.ca_file) if options.ca_file else None)
    if options.tls == "require":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return {"ssl": context}
