from __future__ import annotations

from typing import Any

import orjson
import pytest
from mock_kafka import mock_kafka, records

from connectors.base import Batch, Fatal, Outcome, Row, Transient
from connectors.data._kafka_cluster import Cluster, configuration
from connectors.data.kafka import Kafka, Topic


def batch(topic: str, *rows: dict[str, Any], **changes: Any) -> Batch:
    made = [Row(n, f"k{n}", orjson.dumps(row), row.get("email")) for n, row in enumerate(rows)]
    return Batch(
        **{"object": "rows", "operation": "add", "rows": made, "run_id": "r1", "number": 1, "settings": Topic(topic=topic), **changes}
    )


def connector(**options: Any) -> Kafka:
    return Kafka(Kafka.Options(**{"timeout_seconds": 60, **options}), None, f"kafka://{mock_kafka()}")


async def test_a_record_has_the_match_value_as_its_key_and_says_where_it_is_from() -> None:
    async with connector() as topic:
        assert await topic.deliver(batch("keyed", {"email": "李雷@b.example", "name": "🎉"}, {"x": None}, operation="change")) == [
            Outcome("sent"),
            Outcome("sent"),
        ]
    headers = {"run": b"r1", "operation": b"change", "object": b"rows"}
    assert sorted((key, value, said) for key, value, said, _ in records("keyed", 2)) == [
        (b"k1", b'{"x":null}', headers),
        ("李雷@b.example".encode(), '{"email":"李雷@b.example","name":"🎉"}'.encode(), headers),
    ]


async def test_who_is_removed_leaves_a_tombstone_behind_their_record() -> None:
    async with connector() as topic:
        await topic.deliver(batch("removed", {"email": "a@b.example"}))
        await topic.deliver(batch("removed", {"email": "a@b.example"}, operation="remove", on_removed="delete"))
    found = records("removed", 2)
    assert [value for _, value, *_ in found] == [b'{"email":"a@b.example"}', None]
    assert len({partition for *_, partition in found}) == 1


async def test_a_key_goes_where_kafka_s_own_client_would_put_it() -> None:
    # Java's `DefaultPartitioner`: murmur2 of the key, the sign bit off, modulo the partitions. These hashes are from its own tests.
    hashes = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971}  # fmt: skip
    async with connector() as topic:
        await topic.deliver(batch("spread", *({"email": key.decode()} for key in hashes)))
    found = {key: partition for key, _, _, partition in records("spread", len(hashes))}
    assert found == {key: (murmur & 0x7FFFFFFF) % 4 for key, murmur in hashes.items()}


async def test_a_record_that_is_too_large_costs_no_other() -> None:
    async with connector() as topic:
        outcomes = await topic.deliver(batch("large", {"email": "a"}, {"email": "b", "x": "y" * 2_000_000}, {"email": "c"}))
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [("sent", ""), ("rejected", "MSG_SIZE_TOO_LARGE"), ("sent", "")]
    assert sorted(key for key, *_ in records("large", 2)) == [b"a", b"c"]


async def test_a_batch_larger_than_the_queue_goes_through() -> None:
    async with connector() as topic:
        outcomes = await topic.deliver(batch("many", *({"email": str(n)} for n in range(5_000))))
    assert {outcome.status for outcome in outcomes} == {"sent"}
    assert len({key for key, *_ in records("many", 5_000)}) == 5_000


async def test_a_cluster_that_is_not_there_has_surely_taken_nothing(unused_tcp_port: int) -> None:
    topic = Kafka(Kafka.Options(timeout_seconds=0.5), None, f"kafka://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(Transient, match="cannot be reached"):
        await topic.deliver(batch("x", {"email": "a"}))
    with pytest.raises(Transient, match="cannot be reached"):
        await topic.check()


async def test_a_password_is_not_sent_in_the_clear() -> None:
    topic = Kafka(Kafka.Options(username="u", password="p", tls=False), None, "kafka://kafka.example:9092")
    with pytest.raises(Fatal, match="not sent in the clear"):
        await topic.check()


def test_servers_encryption_and_login_are_what_the_options_say() -> None:
    options = Kafka.Options(username="u", password="p", further_servers=["b.example:9093"], mechanism="PLAIN")
    made = configuration("kafka://a.example:9093", options)
    assert made["bootstrap.servers"] == "a.example:9093,b.example:9093"
    assert made["security.protocol"] == "SASL_SSL"
    assert (made["sasl.mechanism"], made["sasl.username"], made["sasl.password"]) == ("PLAIN", "u", "p")
    assert made["enable.idempotence"]
    assert configuration("kafka://127.0.0.1", Kafka.Options())["security.protocol"] == "PLAINTEXT"
    assert configuration("kafka://a.example", Kafka.Options())["security.protocol"] == "SSL"


@pytest.mark.parametrize(("code", "said"), [("UNKNOWN_TOPIC_OR_PART", "no such topic"), ("TOPIC_AUTHORIZATION_FAILED", "may not write")])
def test_what_speaks_of_the_topic_stops_the_run(code: str, said: str) -> None:
    import confluent_kafka

    cluster = Cluster(f"kafka://{mock_kafka()}", Kafka.Options())
    cluster.sort(confluent_kafka.KafkaError(getattr(confluent_kafka.KafkaError, code)))
    assert cluster.refusal is not None
    assert said in cluster.refusal.reason


async def test_without_the_client_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.data._kafka_cluster.kafka", None)
    with pytest.raises(Fatal, match=r"pip install sluice\[kafka\]"):
        await connector().deliver(batch("x", {"email": "a"}))
