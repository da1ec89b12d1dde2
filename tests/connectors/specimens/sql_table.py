"""Rows for tables of a real PostgreSQL."""

from typing import Any

from running_database import PASSWORD, running_database
from specimens.csv_file import EMULATOR, marker, payload, personal

OPTIONS = {"username": "sluice", "password": PASSWORD}
WRONG = OPTIONS | {"password": "not the password of this user"}
SETTINGS = {"rows": {"table": "crm.people", "key": "id"}, "log": {"table": "changes", "id": "row_id", "operation": "what"}}


def ADDRESS() -> str:
    return running_database()


def match(kind: str, row: dict[str, Any]) -> str:
    return str(row["id"])


__all__ = ["ADDRESS", "EMULATOR", "OPTIONS", "SETTINGS", "WRONG", "marker", "match", "payload", "personal"]
