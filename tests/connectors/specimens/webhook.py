"""Rows to and events from a partner, by Standard Webhooks."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import orjson
from standardwebhooks import Webhook

from connectors.base import Callback

OPTIONS: dict[str, Any] = {}
ADDRESS = "http"
WRONG = {"secret": "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY="}
PARTIAL = {"rows": "row"}
SECRET = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC1mb3ItbG9vcGJhY2s="
EVENTS = [{"type": "track", "event": "注册 🎉", "messageId": "a1"}]


def payload(kind: str, number: int) -> dict[str, Any]:
    return {"email": f"person{number}.x@example.com", "name": "韩梅梅 🎉", "score": None, "tags": ["a", {"b": 1}], "vip": number % 2 == 0}


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["email"])


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row["email"], row["name"]]


def callback(now: datetime, body: bytes = orjson.dumps(EVENTS)) -> Callback:
    signature = Webhook(SECRET).sign("msg_1", now, body.decode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": f"v1,YWJj {signature}"}
    return Callback("POST", "http://127.0.0.1:4020/hooks/partner", {}, headers, body, now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    return {
        "unsigned": dataclasses.replace(genuine, headers={}),
        "tampered": dataclasses.replace(genuine, body=genuine.body.replace(b"track", b"crack")),
        "another id": dataclasses.replace(genuine, headers={**genuine.headers, "webhook-id": "msg_2"}),
        "stale": dataclasses.replace(genuine, received_at=now + timedelta(minutes=5, seconds=1)),
        "from the future": dataclasses.replace(genuine, received_at=now - timedelta(minutes=5, seconds=1)),
        "not JSON": callback(now, b"hello"),
        "not objects": callback(now, b"[1]"),
    }
