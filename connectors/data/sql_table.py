"""A table of a database, at `postgresql://host:port/database` or `mysql://host:port/database` (MariaDB too): records by their key (`rows`), or
a log of what changed (`log`).

A batch is one transaction. A row that the database does not take (a type, a constraint) does not cost the others: the batch is split until the
row stands alone. The database reads every value as what its column is. The table is the user's: Sluice makes and changes none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from connectors.base import Batch, Connector, ConnectorError, Fatal, Object, Outcome, SecretStr, Strict, secret
from connectors.data._mysql import Mysql
from connectors.data._postgres import Postgres
from connectors.hosts import is_loopback

NAME = r"^[^.\x00]+(\.[^.\x00]+)?$"


class Records(Strict):
    """`table` may say its schema, as in `crm.people`. `key` is the column, unique there, that what `match_on` gives is looked for in.

    `removed_at` is the column that gets the time with `on_removed: archive`.
    """

    table: str = Field(pattern=NAME)
    key: str = Field(min_length=1)
    removed_at: str | None = Field(default=None, min_length=1)


class Log(Strict):
    """`id` is a column, unique there, for an id of 32 characters by which nothing is there twice. `operation` gets add, change or remove."""

    table: str = Field(pattern=NAME)
    id: str = Field(min_length=1)
    operation: str | None = Field(default=None, min_length=1)


class SqlTable(Connector):
    channel = "data"
    base_url = "postgresql://localhost:5432/postgres"
    objects: ClassVar = {
        "rows": Object(
            batch_size=1_000,
            per_second=100,
            concurrency=2,
            modes=frozenset({"upsert", "mirror"}),
            match_policies=frozenset({"upsert", "update_only", "create_only"}),
            on_removed=frozenset({"nothing", "clear_fields", "archive", "delete"}),
            removed_by_key=frozenset({"nothing", "archive", "delete"}),
            idempotent=True,
            settings=Records,
        ),
        "log": Object(batch_size=1_000, per_second=100, concurrency=2, modes=frozenset({"append"}), idempotent=True, settings=Log),
    }

    class Options(Strict):
        """`tls: verify` checks the server's certificate (against `ca_file`, or the system's), `require` only encrypts. On this machine neither is asked."""

        username: str
        password: SecretStr | None = secret(sandbox="sandbox-sql-password", default=None)
        tls: Literal["verify", "require", "off"] = "verify"
        ca_file: Path | None = None

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._idle: list[Postgres | Mysql] = []

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        while self._idle:
            with suppress(ConnectorError):
                await asyncio.to_thread(self._idle.pop().close)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if not batch.rows:
            return []
        touched = await self._with(lambda database: database.deliver(batch))
        if batch.object == "log" or batch.operation == "remove":
            return [Outcome("sent")] * len(batch.rows)  # what is not there is removed
        missed = {
            "update_only": Outcome("skipped", "NO_MATCH", "The table has no such row."),
            "create_only": Outcome("skipped", "EXISTS", "The table has such a row already."),
        }.get(batch.match_policy)
        keys = [row.fields.get(batch.settings.key, row.match or row.key) for row in batch.rows]
        found = [Outcome("sent", provider_id=str(key)) for key in keys]
        return [missed if missed is not None and count == 0 else outcome for count, outcome in zip(touched, found, strict=True)]

    async def check(self) -> str:
        await self._with(lambda database: database.look())
        return "the database answers"

    async def _with(self, work: Callable[[Postgres | Mysql], Any]) -> Any:
        """Do it with a connection of one's own, away from the event loop. A broken one is let go."""
        idle = self._idle.pop() if self._idle else None
        connection = await asyncio.to_thread(self._connect) if idle is None or idle.broken else idle
        try:
            return await asyncio.to_thread(work, connection)
        finally:
            if not connection.broken:
                self._idle.append(connection)

    def _connect(self) -> Postgres | Mysql:
        address = urlsplit(self.address)
        return _database(address.scheme)(self.address, self.options, is_loopback(address.hostname or ""))


def _database(scheme: str) -> type[Postgres | Mysql]:
    if scheme in {"postgresql", "postgres"}:
        return Postgres
    if scheme in {"mysql", "mariadb"}:
        return Mysql
    raise Fatal(
        "UNKNOWN_DATABASE", "The address of this destination is of no database known here: postgresql://host:5432/database, or mysql://…"
    )
