"""Mail rows, whole and by template, addresses to suppress, and the envelopes of SNS that SES's events come in."""

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import mail_rows
import orjson
from mail_rows import mail, templated

from connectors.base import Callback
from connectors.sandbox.ses import TOPIC, envelope

OPTIONS: dict[str, Any] = {"sender": "Sluice 水闸 <news@sender.example>", "topic_arn": TOPIC}
ADDRESS = "http"
WRONG = {**OPTIONS, "secret_access_key": "somebody-elses"}
PARTIAL = {"messages": "row", "batch_messages": "row", "suppressions": "row"}
EVENT = {
    "eventType": "Open",
    "mail": {"messageId": "0100", "destination": ["李雷@example.com"], "tags": {"message_id": ["m_1"]}},
    "open": {"timestamp": "2026-10-31T01:00:00.000Z"},
}


def payload(kind: str, number: int) -> dict[str, Any]:
    if kind == "suppressions":
        return {"email": f"person{number}@example.com", "reason": None}
    return mail(number) if kind == "messages" else templated(number, "autumn")


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["email"]) if kind == "suppressions" else mail_rows.marker(kind, row)


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row["email"]] if kind == "suppressions" else mail_rows.personal(kind, row)


def callback(now: datetime, event: Any = EVENT, version: str = "2", **more: str) -> Callback:
    body = orjson.dumps(envelope(event if isinstance(event, str) else orjson.dumps(event).decode(), "a-b-c", now, version, **more))
    return Callback("POST", "http://127.0.0.1:4020/hooks/ses", {}, {"x-amz-sns-message-type": "Notification"}, body, now)


def changed(callback: Callback, **fields: str | None) -> Callback:
    body = {**orjson.loads(callback.body), **fields}
    return dataclasses.replace(callback, body=orjson.dumps({name: value for name, value in body.items() if value is not None}))


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    return {
        "unsigned": changed(genuine, Signature=None),
        "tampered": changed(genuine, Message=orjson.dumps({**EVENT, "eventType": "Complaint"}).decode()),
        "another version": changed(genuine, SignatureVersion="1"),
        "another topic, signed as well": callback(now, TopicArn=TOPIC + "-of-somebody"),
        "a certificate of somebody": changed(genuine, SigningCertURL="https://sns.us-east-1.amazonaws.com.evil.example/a.pem"),
        "stale": dataclasses.replace(genuine, received_at=now + timedelta(days=1, seconds=1)),
        "from the future": dataclasses.replace(genuine, received_at=now - timedelta(days=1, seconds=1)),
        "another type": changed(genuine, Type="SubscriptionConfirmation"),
        "not JSON": dataclasses.replace(genuine, body=b"\xff"),
    }
