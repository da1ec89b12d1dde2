"""Messages by Twilio, and its status callbacks."""

import base64
import dataclasses
import hmac
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from connectors.base import Callback

OPTIONS: dict[str, Any] = {"sender": "+15017122661"}
ADDRESS = "http"
WRONG = {"sender": "+15017122661", "auth_token": "somebody-elses-token"}
PARTIAL = {"messages": "row"}
URL = "https://collector.example/hooks/twilio?message_id=m_1"
FIELDS = {"MessageSid": "SM1", "MessageStatus": "delivered", "SmsStatus": "delivered", "To": "+13105551234", "From": "+15017122661"}


def payload(kind: str, number: int) -> dict[str, Any]:
    return {"phone": f"+1310555{number:04}", "sign_name": None, "text": f"王小明 🎉 {number}, your offer waits. Reply STOP to opt out."}


def marker(kind: str, row: dict[str, Any]) -> str:
    return str(row["phone"])


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [row["phone"].removeprefix("+"), row["text"]]


def callback(now: datetime, fields: dict[str, str] = FIELDS) -> Callback:
    signed = URL + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.digest(b"sandbox-twilio-auth-token", signed.encode(), "sha1")).decode()
    return Callback("POST", URL, {"message_id": "m_1"}, {"x-twilio-signature": signature}, urlencode(fields).encode(), now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    signature = genuine.headers["x-twilio-signature"]
    sha256 = {"x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}
    return {
        "unsigned": dataclasses.replace(genuine, headers={}),
        "tampered": dataclasses.replace(genuine, body=genuine.body.replace(b"delivered", b"undelivered")),
        "a field more": dataclasses.replace(genuine, body=genuine.body + b"&ErrorCode=30003"),
        "another message": dataclasses.replace(genuine, url=URL.replace("m_1", "m_2"), query={"message_id": "m_2"}),
        "another address": dataclasses.replace(genuine, url=URL.replace("collector", "collect")),
        "a key that is not there": dataclasses.replace(genuine, headers={"x-twilio-signature": signature, **sha256}),
        "another digest": dataclasses.replace(genuine, headers={"x-twilio-signature": signature, sha256.popitem()[0]: "algorithm=MD5"}),
        "about nobody": callback(now, {"CallSid": "CA1"}),
        "not a form": dataclasses.replace(genuine, body=b"\xff"),
    }
