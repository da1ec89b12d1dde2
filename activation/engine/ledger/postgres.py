"""The ledger in a PostgreSQL database, where several machines deliver. Everything stands in a schema of its own, `sluice`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, ClassVar
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import RowMaker

from activation.engine.errors import LedgerBroken, SluiceError
from activation.engine.ledger.store import VERSION, Row, Statement, step

# A process that is stopped inside a transaction must not hold the others up for ever: the server ends it.
SESSION = """
set search_path = sluice; set synchronous_commit = on; set lock_timeout = '30s'; set idle_in_transaction_session_timeout = '25s';
set timezone = 'UTC'; set client_min_messages = warning
"""
NOW = "select extract(epoch from clock_timestamp())::double precision"


class PostgresStore:
    """One connection, made again when the server was away between two transactions."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._where = _where(url)
        self._db = self._connect()
        try:
            with self._in_words():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def __repr__(self) -> str:
        return f"PostgresStore({self._where})"

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            db: psycopg.Connection[Any] = psycopg.connect(self._url, autocommit=True, connect_timeout=10, row_factory=_row_maker)
            db.execute(SESSION)
        except psycopg.Error as error:
            raise LedgerBroken(
                f"The ledger at {self._where} cannot be opened: {_cause(error)}. SLUICE_LEDGER_URL says where it is."
            ) from None
        return db

    def _prepare(self) -> None:
        known = self._db.execute("select to_regclass('sluice.version') is not null").fetchone()
        if known and known[0] and self._version() == VERSION:
            return
        with self._db.transaction():
            self._db.execute("select pg_advisory_xact_lock(hashtext('sluice ledger schema'))")
            self._db.execute("create schema if not exists sluice")
            self._db.execute("create table if not exists sluice.version (version bigint not null)")
            version = self._version()
            if version > VERSION:
                raise SluiceError(
                    f"The ledger at {self._where} was written by a newer Sluice (ledger version {version}, this one knows {VERSION}). "
                    "Upgrade Sluice."
                )
            for number in range(version + 1, VERSION + 1):
                for statement in step("postgres", number):
                    self._db.execute(statement.encode())
            self._db.execute("delete from sluice.version")
            self._db.execute("insert into sluice.version values (%s)", (VERSION,))

    def _version(self) -> int:
        row = self._db.execute("select max(version) from sluice.version").fetchone()
        return int(row[0]) if row and row[0] is not None else 0

    @contextmanager
    def write(self) -> Iterator[_PostgresTransaction]:
        if self._db.closed:
            self._db = self._connect()
        with self._in_words(), self._db.transaction():
            yield _PostgresTransaction(self._db)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        if self._db.closed:
            self._db = self._connect()
        with self._in_words():
            return self._db.execute(_tongue(sql), parameters).fetchall()

    def clock(self) -> float:
        return float(self.rows(NOW)[0][0])

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise LedgerBroken(f"The ledger at {self._where} failed: {_cause(error)}.") from None


class _PostgresTransaction:
    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self._db = db

    @property
    def now(self) -> float:
        return float(self.rows(NOW)[0][0])

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        return self._db.execute(_tongue(sql), parameters).rowcount

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self._db.execute(_tongue(sql), parameters).fetchall()

    def locked(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        return self.rows(f"{sql} for update", parameters)

    def many(self, statement: Statement, rows: Sequence[tuple[Any, ...]]) -> int:
        if not rows:
            return 0
        return self.execute(statement.postgres, [list(column) for column in zip(*rows, strict=True)])

    def among(self, statement: Statement, keys: Sequence[str], parameters: Sequence[Any] = ()) -> list[Row]:
        return self.rows(statement.postgres, (list(keys), *parameters))


class _Row(tuple[Any, ...]):
    """Like sqlite3's: by position and by name."""

    __slots__ = ()
    places: ClassVar[dict[str, int]] = {}

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.places[key] if isinstance(key, str) else key)

    def keys(self) -> list[str]:
        return list(self.places)


@cache
def _shape(names: tuple[str, ...]) -> type[_Row]:
    return type("_Row", (_Row,), {"__slots__": (), "places": {name: place for place, name in enumerate(names)}})


def _row_maker(cursor: psycopg.Cursor[Any]) -> RowMaker[Any]:
    return _shape(tuple(column.name for column in cursor.description or ()))


@cache
def _tongue(sql: str) -> bytes:
    """Values are `?` in the ledger's SQL; no text in it has a question mark or a per cent sign."""
    return sql.replace("?", "%s").encode()


def _where(url: str) -> str:
    """Host and database of an address, without who asks and with what password."""
    try:
        parts = urlsplit(url)
        host, port, name = parts.hostname or "localhost", parts.port, parts.path.lstrip("/")
    except ValueError:
        return "SLUICE_LEDGER_URL"
    return host + (f":{port}" if port else "") + (f"/{name}" if name else "")


def _cause(error: psycopg.Error) -> str:
    """Why, in the server's own words, which quote no password; what the driver says of the address is left out."""
    if error.diag.message_primary:
        return error.diag.message_primary.rstrip(".")
    text = str(error)
    if "FATAL:" in text:
        return text.split("FATAL:", 1)[1].strip().splitlines()[0]
    for sign, sentence in (
        ("refused", "nobody answers there"),
        ("translate host", "its host name is not known"),
        ("resolve", "its host name is not known"),
        ("timeout", "no answer came in time"),
        ("No such file", "nobody answers there"),
        ("closed", "the server closed the connection"),
    ):
        if sign in text:
            return sentence
    return f"the connection failed ({type(error).__name__})"
