"""Members of Meta custom audiences."""

import hashlib
from typing import Any

OPTIONS: dict[str, Any] = {}
ADDRESS = "http"
WRONG = {"access_token": "EAABsomebodyElses"}
TELLS_SECONDS = False
PARTIAL = {"members": "row"}
SETTINGS = {"members": {"audience_id": "6001234567890"}}


def payload(kind: str, number: int) -> dict[str, Any]:
    return {
        "email": f" Person{number}@Example.com ",
        "phone": f"+86 138{number:08}",
        "first_name": "小明 🎉",
        "last_name": None,
        "country": "CN",
    }


def marker(kind: str, row: dict[str, Any]) -> str:
    return hashlib.sha256(row["email"].strip().lower().encode()).hexdigest()


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row["email"].strip(), row["phone"].removeprefix("+86 ")]
