"""A topic of Kafka, at `kafka://host:port`: one keyed record for each row, and a tombstone for a row that is removed.

The key is what `match_on` gives, so that a compacted topic keeps each record's last state, and all of it in order. The value is the row's JSON;
headers carry `run`, `operation` and `object`. The producer is idempotent: what it sends again within a run is there once.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from connectors.base import Batch, Connector, Fatal, Object, Outcome, SecretStr, Strict, Transient, Unanswered, secret

try:
    import confluent_kafka as kafka
except ImportError:  # comes with the extra `kafka`
    kafka = None  # type: ignore[assignment]

UNKNOWN = Outcome("unknown", "UNANSWERED", "The cluster did not say whether it has the record.")
STEP = 0.1  # seconds between looks at whether it is worth waiting on


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

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._producer: Any = None
        self._refusal: Fatal | None = None

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._producer = None  # nothing waits in it: a batch is over when the cluster has answered

    async def deliver(self, batch: Batch) -> list[Outcome]:
        return await asyncio.to_thread(self._deliver, batch) if batch.rows else []

    async def check(self) -> str:
        return f"the cluster answers with {await asyncio.to_thread(self._brokers)} brokers"

    def _brokers(self) -> int:
        producer = self._open()
        try:
            return len(producer.list_topics(timeout=self.options.timeout_seconds).brokers)
        except kafka.KafkaException:
            self._producer = None
            raise self._refusal or Transient("UNREACHABLE", "The Kafka cluster cannot be reached.") from None

    def _deliver(self, batch: Batch) -> list[Outcome]:
        if self._producer is None:
            self._brokers()  # what cannot be reached has surely taken nothing
        producer = self._open()
        outcomes = [UNKNOWN] * len(batch.rows)
        headers = {"run": batch.run_id, "operation": batch.operation, "object": batch.object}
        for at, row in enumerate(batch.rows):
            value = None if batch.operation == "remove" else row.payload

            def answered(error: Any, _: Any, at: int = at) -> None:
                outcomes[at] = Outcome("sent") if error is None else self._sorted(error)

            while True:
                try:
                    producer.produce(batch.settings.topic, value, (row.match or row.key).encode(), headers=headers, on_delivery=answered)
                    break
                except BufferError:
                    producer.poll(STEP)
                except kafka.KafkaException as error:
                    answered(error.args[0], None)
                    break
        while len(producer) and self._refusal is None:  # ends: every record is answered, or given up after the time-out
            producer.flush(STEP)
        if self._refusal is not None:
            producer.purge()
            producer.flush(STEP)
            self._producer = None
            raise self._refusal
        if all(outcome is UNKNOWN for outcome in outcomes):
            self._producer = None
            raise Unanswered("UNANSWERED", "The Kafka cluster did not answer in time: it may have the records.")
        return outcomes

    def _sorted(self, error: Any) -> Outcome:
        """The outcome of a record that was not taken. What speaks of the whole topic or account stops the run."""
        codes = kafka.KafkaError
        if error.code() in {codes.MSG_SIZE_TOO_LARGE, codes.INVALID_RECORD, codes.INVALID_MSG, codes.INVALID_TIMESTAMP}:
            return Outcome("rejected", error.name(), "The cluster does not take the record.")
        if error.code() in {codes.UNKNOWN_TOPIC_OR_PART, codes._UNKNOWN_TOPIC, codes._UNKNOWN_PARTITION, codes.TOPIC_EXCEPTION}:
            self._refusal = Fatal(error.name(), "There is no such topic. Make it, or set `topic` in the sync's settings.")
        if error.code() in {codes.TOPIC_AUTHORIZATION_FAILED, codes.CLUSTER_AUTHORIZATION_FAILED}:
            self._refusal = Fatal(error.name(), "This user may not write to the topic.")
        return UNKNOWN

    def _happened(self, error: Any) -> None:
        """Trouble of a connection. Most of it passes, and the client tries again by itself."""
        if error.code() in {kafka.KafkaError._AUTHENTICATION, kafka.KafkaError._UNSUPPORTED_FEATURE}:
            self._refusal = Fatal("UNAUTHORIZED", "The Kafka cluster refused username, password or `mechanism` of this destination.")
        if error.code() == kafka.KafkaError._SSL:
            self._refusal = Fatal("TLS_FAILED", "No encrypted connection to the cluster could be made: check `tls` and `ca_file`.")

    def _open(self) -> Any:
        if kafka is None:
            raise Fatal("NOT_INSTALLED", "Kafka needs its client library. Install it with `pip install sluice[kafka]`.")
        if self._producer is None:
            self._refusal = None
            self._producer = kafka.Producer(self._configuration())
        return self._producer

    def _configuration(self) -> dict[str, Any]:
        options, url = self.options, urlsplit(self.address)
        local = _is_loopback(url.hostname or "localhost")
        tls = options.tls if options.tls is not None else not local
        if options.username and not (tls or local):
            raise Fatal("NOT_ENCRYPTED", "A password is not sent in the clear: leave `tls` on for this destination.")
        made: dict[str, Any] = {
            "bootstrap.servers": ",".join([f"{url.hostname or 'localhost'}:{url.port or 9092}", *options.further_servers]),
            "client.id": "sluice",
            "security.protocol": ("SASL_" if options.username else "") + ("SSL" if tls else "PLAINTEXT"),
            "enable.idempotence": True,
            "partitioner": "murmur2_random",  # the one of Kafka's own client: a key has one partition, whoever writes it
            "compression.type": "lz4",
            "linger.ms": 5,
            "message.timeout.ms": int(options.timeout_seconds * 1000),
            "log_level": 0,
            "error_cb": self._happened,
        }
        if options.ca_file:
            made["ssl.ca.location"] = str(options.ca_file)
        if options.username:
            password = options.password.get_secret_value() if options.password else ""
            made |= {"sasl.mechanism": options.mechanism, "sasl.username": options.username, "sasl.password": password}
        return made


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
