"""Members of Tencent Ads audiences, by files of hashed telephone numbers."""

import hashlib
from typing import Any

OPTIONS: dict[str, Any] = {"account_id": 1000001}
ADDRESS = "http"
WRONG = {"account_id": 1000001, "access_token": "somebody-elses-token"}
TELLS_SECONDS = False
SETTINGS = {"members": {"audience_id": 5005}}


def payload(kind: str, number: int) -> dict[str, Any]:
    return {"phone": f"+86 138{number:08}"}


def marker(kind: str, row: dict[str, Any]) -> str:
    return hashlib.sha256(row["phone"].removeprefix("+86 ").encode()).hexdigest()


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row["phone"].removeprefix("+86 ")]
