"""Mail rows, whole and by template, and Mailgun's webhooks, whose signature covers time and token but not the event."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import orjson
from mail_rows import mail, marker, personal, templated

from connectors.base import Callback
from connectors.sandbox.mailgun import signed

__all__ = ["marker", "personal"]

OPTIONS: dict[str, Any] = {"sender": "Sluice 水闸 <news@sender.example>", "domain": "mg.sender.example"}
ADDRESS = "http"
WRONG = {**OPTIONS, "api_key": "key-somebody-elses"}
PARTIAL = {"messages": "row", "batch_messages": "batch"}
EVENT = {"event": "opened", "id": "e1", "timestamp": 1793412000.5, "recipient": "李雷@example.com", "user-variables": {"message_id": "m_1"}}


def payload(kind: str, number: int) -> dict[str, Any]:
    return mail(number) if kind == "messages" else templated(number, "autumn")


def callback(now: datetime, event: Any = EVENT, token: str = "a-token-of-the-vendor") -> Callback:
    body = orjson.dumps({"signature": signed(str(int(now.timestamp())), token), "event-data": event})
    return Callback("POST", "http://127.0.0.1:4020/hooks/mailgun", {}, {"content-type": "application/json"}, body, now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    return {
        "unsigned": dataclasses.replace(genuine, body=orjson.dumps({"event-data": EVENT})),
        "another token": dataclasses.replace(genuine, body=genuine.body.replace(b"a-token", b"b-token")),
        "another time": dataclasses.replace(
            genuine, body=genuine.body.replace(str(int(now.timestamp())).encode(), str(int(now.timestamp()) + 1).encode())
        ),
        "stale": dataclasses.replace(genuine, received_at=now + timedelta(hours=12, seconds=1)),
        "from the future": dataclasses.replace(genuine, received_at=now - timedelta(hours=12, seconds=1)),
        "not an event": callback(now, [1]),
        "not JSON": dataclasses.replace(genuine, body=b"\xff"),
    }
