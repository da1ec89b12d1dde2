"""Mail rows, whole and by template, and DirectMail's events as EventBridge posts them, with the token of the target."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import orjson
from mail_rows import mail, marker, personal, templated

from connectors.base import Callback

__all__ = ["marker", "personal"]

OPTIONS: dict[str, Any] = {"sender": "Sluice 水闸 <news@sender.example>"}
ADDRESS = "http"
WRONG = {**OPTIONS, "access_key_secret": "somebody-elses-secret"}
PARTIAL = {"messages": "row", "batch_messages": "batch"}
EVENT = {"id": "e1", "type": "dm:Deliver:Succeed", "time": "2026-10-31T01:00:00Z", "data": {"rcpt": "李雷@example.com", "env_id": "6"}}


def payload(kind: str, number: int) -> dict[str, Any]:
    return mail(number) if kind == "messages" else templated(number, "autumn")


def callback(now: datetime, body: bytes = orjson.dumps(EVENT), token: str = "sandbox-directmail-callback-token") -> Callback:
    headers = {"x-eventbridge-signature-token": token, "x-eventbridge-signature-timestamp": str(int(now.timestamp() * 1000))}
    return Callback("POST", "http://127.0.0.1:4020/hooks/directmail", {}, headers, body, now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    return {
        "unsigned": dataclasses.replace(genuine, headers={}),
        "another token": callback(now, token="sandbox-directmail-callback-tokem"),
        "stale": dataclasses.replace(genuine, received_at=now + timedelta(days=1, seconds=1)),
        "from the future": dataclasses.replace(genuine, received_at=now - timedelta(days=1, seconds=1)),
        "not an event": callback(now, b"[1]"),
        "not JSON": callback(now, b"\xff"),
    }
