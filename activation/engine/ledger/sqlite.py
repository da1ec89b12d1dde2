"""The ledger in a file: SQLite, write-ahead log, every commit on disk."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from activation.engine.errors import LedgerBroken, SluiceError
from activation.engine.ledger.store import VERSION, Row, Statement, step


class SqliteStore:
    """One connection to the file, which is made when it is not there, for its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
            if new:
                os.chmod(path, 0o600)
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._close_if_open()
            raise LedgerBroken(
                f"{path.name} cannot be used as the ledger: {error}. It knows which messages have left: put it back from a copy. "
                "If there is none, move it away; then only what is in the warehouse is known."
            ) from None
        except BaseException:
            self._close_if_open()
            raise

    def _close_if_open(self) -> None:
        if hasattr(self, "_db"):
            self._db.close()

    def _prepare(self) -> None:
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        # Ids of messages are random: a commit touches many pages, and copying them back after every few commits costs more than they do.
        self._db.execute("pragma wal_autocheckpoint = 8000")
        self._db.execute("pragma cache_size = -32000")
        if self._version() == VERSION:
            return
        self._db.execute("begin immediate")
        try:
            version = self._version()
            if version > VERSION:
                raise SluiceError(
                    f"{self.path.name} was written by a newer Sluice (ledger version {version}, this one knows {VERSION}). Upgrade Sluice."
                )
            for number in range(version + 1, VERSION + 1):
                for statement in step("sqlite", number):
                    self._db.execute(statement)
            self._db.execute(f"pragma user_version = {VERSION}")
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def _version(self) -> int:
        return int(self._db.execute("pragma user_version").fetchone()[0])

    @contextmanager
    def write(self) -> Iterator[_SqliteTransaction]:
        """One writer at a time: whoever begins waits until the one before has ended."""
        with _in_words():
            self._db.execute("begin immediate")
        try:
            yield _SqliteTransaction(self._db)
        except BaseException:
            if self._db.in_transaction:  # a full disk ends it by itself
                self._db.execute("rollback")
            raise
        with _in_words():
            self._db.execute("commit")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        with _in_words():
            return self._db.execute(sql, parameters).fetchall()

    def clock(self) -> float:
        return time.time()

    def close(self) -> None:
        self._db.close()


class _SqliteTransaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @property
    def now(self) -> float:
        return time.time()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        with _in_words():
            return self._db.execute(sql, parameters).rowcount

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        with _in_words():
            return self._db.execute(sql, parameters).fetchall()

    locked = rows

    def many(self, statement: Statement, rows: Sequence[tuple[Any, ...]]) -> int:
        with _in_words():
            return self._db.executemany(statement.sqlite, rows).rowcount

    def among(self, statement: Statement, keys: Sequence[str], parameters: Sequence[Any] = ()) -> list[Row]:
        return self.rows(statement.sqlite, (json.dumps(keys), *parameters))


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # a mistake of ours, not of the disk
    except sqlite3.DatabaseError as error:
        raise LedgerBroken(f"The ledger failed: {error}.") from error
