"""Mail rows, whole and by template; and SendGrid's event webhook, as its emulator signs it: ECDSA over timestamp and raw body, with the CRLF at its end."""

import base64
import dataclasses
from datetime import datetime, timedelta
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from mail_rows import mail, marker, personal, templated

from connectors.base import Callback
from connectors.sandbox.sendgrid import KEY

__all__ = ["marker", "personal"]

OPTIONS: dict[str, Any] = {"sender": "Sluice 水闸 <news@sender.example>"}
ADDRESS = "http"
WRONG = {**OPTIONS, "api_key": "SG.somebody.elses"}
PARTIAL = {"messages": "row", "batch_messages": "batch"}
EVENTS = [{"email": "李雷@example.com", "timestamp": 1793412000, "event": "open", "sg_event_id": "e1", "message_id": "m_1"}]


def payload(kind: str, number: int) -> dict[str, Any]:
    return mail(number) if kind == "messages" else templated(number, "d-0123456789abcdef0123456789abcdef")


def callback(now: datetime, body: bytes = orjson.dumps(EVENTS) + b"\r\n") -> Callback:
    timestamp = str(int(now.timestamp()))
    signature = KEY.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": timestamp,
    }
    return Callback("POST", "http://127.0.0.1:4020/hooks/sendgrid", {}, headers, body, now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    return {
        "unsigned": dataclasses.replace(genuine, headers={}),
        "tampered": dataclasses.replace(genuine, body=genuine.body.replace(b"open", b"spam")),
        "stripped": dataclasses.replace(genuine, body=genuine.body.rstrip()),
        "another time": dataclasses.replace(
            genuine, headers={**genuine.headers, "x-twilio-email-event-webhook-timestamp": str(int(now.timestamp()) + 1)}
        ),
        "stale": dataclasses.replace(genuine, received_at=now + timedelta(days=1, seconds=1)),
        "from the future": dataclasses.replace(genuine, received_at=now - timedelta(days=1, seconds=1)),
        "not events": callback(now, b'{"email":"a@b.example"}'),
        "not JSON": callback(now, b"\xff"),
    }
