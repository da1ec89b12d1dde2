"""A Kafka cluster: records go there, and each comes back with what the cluster said of it. Blocks.

Trouble of a connection mostly passes, and the client tries again by itself. What speaks of the whole topic or account is told in callbacks:
it is kept as the `refusal` that the call under way ends with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from connectors.base import Fatal, Outcome, Transient, Unanswered
from connectors.hosts import is_loopback

try:
    import confluent_kafka as kafka
except ImportError:  # comes with the extra `kafka`
    kafka = None  # type: ignore[assignment]

UNKNOWN = Outcome("unknown", "UNANSWERED", "The cluster did not say whether it has the record.")
STEP = 0.1  # seconds between looks at whether it is worth waiting on


class Cluster:
    """Connected when it is first asked for something, and anew after trouble."""

    def __init__(self, address: str, options: Any) -> None:
        self._address, self._options = address, options
        self._producer: Any = None
        self.refusal: Fatal | None = None

    def brokers(self) -> int:
        """How many there are. Raises Fatal or Transient."""
        producer = self._open()
        try:
            return len(producer.list_topics(timeout=self._options.timeout_seconds).brokers)
        except kafka.KafkaException:
            self.close()
            raise self.refusal or Transient("UNREACHABLE", "The Kafka cluster cannot be reached.") from None

    def send(self, topic: str, records: Sequence[tuple[bytes, bytes | None]], headers: dict[str, str]) -> list[Outcome]:
        """The outcome of each record (key, value), in order. Raises ConnectorError when none of them can be believed to be there."""
        if self._producer is None:
            self.brokers()  # what cannot be reached has surely taken nothing
        producer = self._open()
        outcomes = [UNKNOWN] * len(records)
        for at, (key, value) in enumerate(records):

            def answered(error: Any, _: Any, at: int = at) -> None:
                outcomes[at] = Outcome("sent") if error is None else self.sort(error)

            while True:
                try:
                    producer.produce(topic, value, key, headers=headers, on_delivery=answered)
                    break
                except BufferError:
                    producer.poll(STEP)
                except kafka.KafkaException as error:
                    answered(error.args[0], None)
                    break
        while len(producer) and self.refusal is None:  # ends: every record is answered, or given up after the time-out
            producer.flush(STEP)
        if self.refusal is not None:
            producer.purge()
            producer.flush(STEP)
            self.close()
            raise self.refusal
        if all(outcome is UNKNOWN for outcome in outcomes):
            self.close()
            raise Unanswered("UNANSWERED", "The Kafka cluster did not answer in time: it may have the records.")
        return outcomes

    def close(self) -> None:
        self._producer = None  # nothing waits in it: a call is over when the cluster has answered

    def sort(self, error: Any) -> Outcome:
        """The outcome of a record that was not taken. What speaks of the whole topic or account is kept as the refusal."""
        codes = kafka.KafkaError
        if error.code() in {codes.MSG_SIZE_TOO_LARGE, codes.INVALID_RECORD, codes.INVALID_MSG, codes.INVALID_TIMESTAMP}:
            return Outcome("rejected", error.name(), "The cluster does not take the record.")
        if error.code() in {codes.UNKNOWN_TOPIC_OR_PART, codes._UNKNOWN_TOPIC, codes._UNKNOWN_PARTITION, codes.TOPIC_EXCEPTION}:
            self.refusal = Fatal(error.name(), "There is no such topic. Make it, or set `topic` in the sync's settings.")
        if error.code() in {codes.TOPIC_AUTHORIZATION_FAILED, codes.CLUSTER_AUTHORIZATION_FAILED}:
            self.refusal = Fatal(error.name(), "This user may not write to the topic.")
        return UNKNOWN

    def _happened(self, error: Any) -> None:
        if error.code() in {kafka.KafkaError._AUTHENTICATION, kafka.KafkaError._UNSUPPORTED_FEATURE}:
            self.refusal = Fatal("UNAUTHORIZED", "The Kafka cluster refused username, password or `mechanism` of this destination.")
        if error.code() == kafka.KafkaError._SSL:
            self.refusal = Fatal("TLS_FAILED", "No encrypted connection to the cluster could be made: check `tls` and `ca_file`.")

    def _open(self) -> Any:
        if kafka is None:
            raise Fatal("NOT_INSTALLED", "Kafka needs its client library. Install it with `pip install sluice[kafka]`.")
        if self._producer is None:
            self.refusal = None
            self._producer = kafka.Producer({**configuration(self._address, self._options), "error_cb": self._happened})
        return self._producer


def configuration(address: str, options: Any) -> dict[str, Any]:
    """What the client is told. Raises Fatal for a password that would go in the clear."""
    url = urlsplit(address)
    local = is_loopback(url.hostname or "localhost")
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
    }
    if options.ca_file:
        made["ssl.ca.location"] = str(options.ca_file)
    if options.username:
        password = options.password.get_secret_value() if options.password else ""
        made |= {"sasl.mechanism": options.mechanism, "sasl.username": options.username, "sasl.password": password}
    return made
