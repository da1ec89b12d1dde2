"""Attendance from Zoom."""

import dataclasses
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

import orjson

from connectors.base import Callback

OPTIONS: dict[str, Any] = {}
ADDRESS = "http"
EMULATOR = None
SECRET = b"sandbox-zoom-secret-token"
EVENT = {
    "event": "webinar.participant_joined",
    "event_ts": 1793412000000,
    "payload": {
        "account_id": "AAAAAABBBB",
        "object": {
            "uuid": "4444AAAiAAAAAiAiAiiAii==", "id": "92345678901", "host_id": "x1yCzABCDEfg23HiJKl4mN", "topic": "产品直播 🎉", "type": 5,
            "participant": {
                "id": "iFxeBPYun6SAiWUzBcEkX", "user_id": "16782040", "user_name": "韩梅梅", "email": "mei@example.com",
                "participant_uuid": "55555AAAiAAAAAiAiAiiAii", "registrant_id": "abcdefghij0-klmnopq23456", "join_time": "2026-10-31T02:00:00Z",
            },
        },
    },
}  # fmt: skip


def callback(now: datetime, body: bytes = orjson.dumps(EVENT)) -> Callback:
    timestamp = str(int(now.timestamp()))
    signature = "v0=" + hmac.new(SECRET, b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {"x-zm-request-timestamp": timestamp, "x-zm-signature": signature, "content-type": "application/json"}
    return Callback("POST", "http://127.0.0.1:4020/hooks/zoom", {}, headers, body, now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    return {
        "unsigned": dataclasses.replace(genuine, headers={}),
        "tampered": dataclasses.replace(genuine, body=genuine.body.replace(b"joined", b"joyned")),
        "stale": dataclasses.replace(genuine, received_at=now + timedelta(minutes=5, seconds=1)),
        "from the future": dataclasses.replace(genuine, received_at=now - timedelta(minutes=5, seconds=1)),
        "not JSON": callback(now, b"hello"),
        "no event": callback(now, b'{"event": "webinar.participant_joined", "payload": {"object": {"id": 1}}}'),
        "not an object": callback(now, b"[1]"),
    }
