"""A topic of Kafka, at `kafka://host:port`: one keyed record for each row, and a tombstone for a row that is removed.

The key is what `match_on` gives, so that a compacted topic keeps each record's last state, and all of it in order. The value is the row's JSON;
headers carry `run`, `operation` and `object`. The producer is idempotent: what it sends again within a run is there once.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Literal

from pydantic import Field

from connectors.base import Batch, Connector, Object, Outcome, SecretStr, Strict, secret
from connectors.data._kafka_cluster import Cluster


class Topic(Strict):
    """The topic must be there: Sluice makes none."""

    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")


class Kafka(Connector):
    channel = "data"
    base_url = "kafka://localhost:9092"
    objects: ClassVar = {
        "rows": Object(
            batch_size=1_000,
            per_second=100,
            concurrency=1,  # the order of a key's records is the order they are sent in
            modes=frozenset({"upsert", "mirror", "append"}),
            on_removed=frozenset({"nothing", "delete"}),
            idempotent=True,
            settings=Topic,
        )
    }

    class Options(Strict):
        """`further_servers` are more of the cluster's (`host:port`), for when the first is away. `tls` is on, but on this machine."""

        further_servers: list[str] = Field(default_factory=list)
        tls: bool | None = None
        ca_file: Path | None = None
        username: str | None = None
        password: SecretStr | None = secret(sandbox="sandbox-kafka-password", default=None)
        mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
        timeout_seconds: float = Field(default=30.0, gt=0)

    @cached_property
    def _cluster(self) -> Cluster:
        return Cluster(self.address, self.options)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._cluster.close()

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if not batch.rows:
            return []
        records = [((row.match or row.key).encode(), None if batch.operation == "remove" else row.payload) for row in batch.rows]
        headers = {"run": batch.run_id, "operation": batch.operation, "object": batch.object}
        return await asyncio.to_thread(self._cluster.send, batch.settings.topic, records, headers)

    async def check(self) -> str:
        return f"the cluster answers with {await asyncio.to_thread(self._cluster.brokers)} brokers"
