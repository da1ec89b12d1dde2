"""Attendance from Tencent Meeting."""

import base64
import dataclasses
import hashlib
from datetime import datetime, timedelta
from typing import Any

import orjson

from connectors.base import Callback

OPTIONS: dict[str, Any] = {}
ADDRESS = "http"
EMULATOR = None
TOKEN = "sandboxtencentmeetingtoken"
EVENT = {
    "event": "meeting.participant-joined",
    "trace_id": "a9b8c7d6",
    "payload": [
        {
            "operate_time": 1793412000000,
            "operator": {"userid": "lilei", "uuid": "WeTest1", "user_name": "李雷 🎉", "instance_id": "1"},
            "meeting_info": {"meeting_id": "12701234567890", "meeting_code": "907111122", "subject": "产品直播", "meeting_type": 0},
        }
    ],
}


def signed(now: datetime, data: str) -> dict[str, str]:
    timestamp, nonce = str(int(now.timestamp())), "1234567890"
    return {
        "timestamp": timestamp,
        "nonce": nonce,
        "signature": hashlib.sha1("".join(sorted([TOKEN, timestamp, nonce, data])).encode()).hexdigest(),
    }


def callback(now: datetime, message: bytes = orjson.dumps(EVENT)) -> Callback:
    data = base64.b64encode(message).decode()
    return Callback("POST", "http://127.0.0.1:4020/hooks/meeting", {}, signed(now, data), orjson.dumps({"data": data}), now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    return {
        "unsigned": dataclasses.replace(genuine, headers={}),
        "tampered": dataclasses.replace(genuine, body=callback(now, orjson.dumps({**EVENT, "event": "meeting.end"})).body),
        "stale": dataclasses.replace(genuine, received_at=now + timedelta(minutes=5, seconds=1)),
        "from the future": dataclasses.replace(genuine, received_at=now - timedelta(minutes=5, seconds=1)),
        "not JSON": dataclasses.replace(genuine, body=b"hello"),
        "nothing in it": callback(now, b"hello"),
        "no payload": callback(now, b'{"event": "meeting.participant-joined"}'),
        "data that is no text": dataclasses.replace(genuine, body=b'{"data": 1}'),
    }
