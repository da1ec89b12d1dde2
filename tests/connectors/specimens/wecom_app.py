"""Messages of a WeCom app to employees."""

from typing import Any

OPTIONS: dict[str, Any] = {"agent_id": 1000002, "to": "zhangsan"}
EMULATOR = "wecom"
ADDRESS = "http"
WRONG = {**OPTIONS, "app_secret": "somebody-elses-secret"}
TELLS_SECONDS = False
PARTIAL = {"messages": "row"}


def payload(kind: str, number: int) -> dict[str, Any]:
    return {"text": f"同步失败 🎉 {number}", "note": None}


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["text"])


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row["text"]]
