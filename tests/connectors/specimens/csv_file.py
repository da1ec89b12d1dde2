"""Rows for a folder of files. No vendor is behind it, so nothing can be refused."""

from typing import Any

OPTIONS = {"directory": "out"}
ADDRESS = "http"
EMULATOR = None
WRONG = None


def payload(kind: str, number: int) -> dict[str, Any]:
    return {"id": number, "name": '李雷, "莉莉" 🎉', "note": "line one\nline two", "nothing": None, "vip": True, "tags": ["a", "乙"]}


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["id"])


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row["name"], row["note"]]
