"""Messages of a robot in a DingTalk group, signed."""

from typing import Any

OPTIONS: dict[str, Any] = {}
ADDRESS = "http"
TELLS_SECONDS = False
WRONG = {"signing_secret": "SECsomebody-elses-secret"}
PARTIAL = {"messages": "row"}


def payload(kind: str, number: int) -> dict[str, Any]:
    return {"text": f"hubspot/contacts 失败了 🎉, attempt {number} of person{number}.x@example.com"}


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["text"]).split()[-1]


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row["text"], marker(kind, row)]
