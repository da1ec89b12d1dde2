"""What the ledger asks of the database below it. SQL is written once, with `?` for values, where both databases read it alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

STEPS = Path(__file__).with_name("steps")
VERSION = 3


class Row(Protocol):
    """A row: by position, by name, and `dict(row)`."""

    def __getitem__(self, key: Any, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def keys(self) -> Iterable[str]: ...


@dataclass(frozen=True)
class Statement:
    """One statement in both tongues, where they differ.

    For many rows SQLite runs its text once a row, inside this process; Postgres runs its own once, with an array for each column.
    """

    sqlite: str
    postgres: str


class Transaction(Protocol):
    """All or nothing. `now` is seconds since 1970 by the one clock that all who share the ledger go by, read after the locks are had."""

    @property
    def now(self) -> float: ...
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run it; how many rows it touched."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...
    def locked(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        """The rows, which nobody else may change before this transaction ends."""

    def many(self, statement: Statement, rows: Sequence[tuple[Any, ...]]) -> int:
        """Run it for all rows; how many it touched."""

    def among(self, statement: Statement, keys: Sequence[str], parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of a query whose first parameter is a set of keys."""


class Store(Protocol):
    """One connection. Trouble of the database comes as LedgerBroken, never with a password in it."""

    def write(self) -> AbstractContextManager[Transaction]: ...
    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]: ...
    def clock(self) -> float: ...
    def close(self) -> None: ...


@cache
def step(store: str, number: int) -> list[str]:
    """The statements of one step of the schema, from `steps/<store>_<number>.sql`."""
    lines = (STEPS / f"{store}_{number}.sql").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("--"))
    return [part.strip() for part in text.split(";") if part.strip()]
