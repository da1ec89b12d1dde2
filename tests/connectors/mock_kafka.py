"""A stand-in for a Kafka cluster: the mock broker that comes inside librdkafka. It speaks Kafka's protocol over real sockets on this machine,
idempotent producing included, but it is not Kafka: it compacts nothing, asks for no password, and makes whatever topic it is asked for.

It has a process of its own, in which nothing else happens: its thread ends for good when a system call of it is interrupted (librdkafka's issue
4727), and then accepts connections and answers none. In the tests' own process it did so now and then, with every signal blocked that can be.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
import time
from functools import cache

import confluent_kafka as kafka

WAIT = 60  # seconds


@cache
def mock_kafka() -> str:
    """Its address, as `host:port`. It is there for as long as this process is, and says on stderr why it ended if it does."""
    broker = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end() -> None:
        broker.communicate(timeout=WAIT)  # its input is closed, so that it goes

    atexit.register(end)
    assert broker.stdout is not None
    address = broker.stdout.readline().strip()
    assert address, "the mock broker did not come up"
    return address


def records(topic: str, count: int) -> list[tuple[bytes, bytes | None, dict[str, bytes], int]]:
    """The first `count` records of a topic: key, value, headers, partition; in the order of each partition."""
    consumer = kafka.Consumer({"bootstrap.servers": mock_kafka(), "group.id": "tests", "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, timeout=WAIT).topics[topic].partitions
        consumer.assign([kafka.TopicPartition(topic, number, 0) for number in partitions])
        found: list[tuple[bytes, bytes | None, dict[str, bytes], int]] = []
        deadline = time.monotonic() + WAIT
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append((message.key(), message.value(), dict(message.headers()), message.partition()))
        return found
    finally:
        consumer.close()


def serve() -> None:
    """A broker until the input ends."""
    producer = kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "127.0.0.1:1", "log_level": 2})
    (broker,) = producer.list_topics(timeout=WAIT).brokers.values()
    print(f"{broker.host}:{broker.port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve()
