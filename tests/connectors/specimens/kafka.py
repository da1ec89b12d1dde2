"""Rows for a topic, at the mock broker of Kafka's own C library."""

from mock_kafka import mock_kafka
from specimens.csv_file import EMULATOR, WRONG, marker, payload, personal

OPTIONS = {"timeout_seconds": 60}
SETTINGS = {"rows": {"topic": "people"}}


def ADDRESS() -> str:
    return f"kafka://{mock_kafka()}"


__all__ = ["ADDRESS", "EMULATOR", "OPTIONS", "SETTINGS", "WRONG", "marker", "payload", "personal"]
