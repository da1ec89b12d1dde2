"""A stand-in for a Kafka cluster: the mock broker that comes inside librdkafka. It speaks Kafka's protocol over real sockets on this machine,
idempotent producing included, but it is not Kafka: it compacts nothing, asks for no password, and makes whatever topic it is asked for."""

from __future__ import annotations

import signal
import time
from functools import cache
from typing import Any

import confluent_kafka as kafka


@cache
def _cluster() -> tuple[Any, str]:
    # A signal that its thread gets ends the mock broker, which then accepts connections and answers none. Threads are born with their maker's mask.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        producer = kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    (broker,) = producer.list_topics(timeout=60).brokers.values()
    return producer, f"{broker.host}:{broker.port}"  # it lives as long as this producer does


def mock_kafka() -> str:
    """Its address, as `host:port`."""
    return _cluster()[1]


def records(topic: str, count: int) -> list[tuple[bytes, bytes | None, dict[str, bytes], int]]:
    """The first `count` records of a topic: key, value, headers, partition; in the order of each partition."""
    consumer = kafka.Consumer({"bootstrap.servers": mock_kafka(), "group.id": "tests", "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
        consumer.assign([kafka.TopicPartition(topic, number, 0) for number in partitions])
        found: list[tuple[bytes, bytes | None, dict[str, bytes], int]] = []
        deadline = time.monotonic() + 60
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append((message.key(), message.value(), dict(message.headers()), message.partition()))
        return found
    finally:
        consumer.close()
