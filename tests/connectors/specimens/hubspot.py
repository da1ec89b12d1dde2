"""HubSpot contacts, tasks, members of lists (who are among the contacts that the sandbox has from the start), and webhooks."""

import base64
import dataclasses
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

import orjson

from connectors.base import Callback

OPTIONS: dict[str, Any] = {}
ADDRESS = "http"
WRONG = {"token": "pat-somebody-elses"}
PARTIAL = {"contacts": "row", "tasks": "row", "list_members": "row"}
SETTINGS = {"tasks": {"contact_by": "badge"}, "list_members": {"list_id": "7", "id_property": "badge"}}
URL = "https://collector.example/hooks/hubspot?x=1&y=%E4%BD%A0"
EVENTS = [{"eventId": 1, "subscriptionType": "contact.propertyChange", "objectId": 7, "propertyName": "city", "propertyValue": "北京"}]


def payload(kind: str, number: int) -> dict[str, Any]:
    if kind == "list_members":
        return {"badge": f"B{number}"}
    if kind == "tasks":
        task = {"hs_task_subject": f"致电 🎉 t_{number}.", "hs_timestamp": "2026-10-31T02:00:00Z", "hs_task_body": None}
        return task | {"contact": "B7" if number % 2 else None}
    return {
        "email": f"Person{number}@example.com",
        "firstname": "李雷 🎉",
        "lastname": None,
        "score": 12.5 + number,
        "subscribed": True,
        "interests": ["crm", "邮件"],
    }


def match(kind: str, row: dict[str, Any]) -> str:
    return str(row["hs_task_subject"].split()[-1] if kind == "tasks" else row["badge"] if kind == "list_members" else row["email"])


def marker(kind: str, row: dict[str, Any]) -> str:
    # A member is looked for by the badge first; the list takes the record id.
    return f'"{9_000_000 + int(row["badge"][1:])}"' if kind == "list_members" else match(kind, row)


def personal(kind: str, row: dict[str, Any]) -> list[str]:
    return [str(row[name]) for name in ("email", "firstname", "hs_task_subject") if name in row]


def callback(now: datetime, body: bytes = orjson.dumps(EVENTS)) -> Callback:
    timestamp = str(int(now.timestamp() * 1000))
    signed = b"POST" + URL.encode() + body + timestamp.encode()
    signature = base64.b64encode(hmac.new(b"sandbox-hubspot-client-secret", signed, hashlib.sha256).digest()).decode()
    return Callback("POST", URL, {}, {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": timestamp}, body, now)


def forgeries(now: datetime) -> dict[str, Callback]:
    genuine = callback(now)
    return {
        "unsigned": dataclasses.replace(genuine, headers={}),
        "tampered": dataclasses.replace(genuine, body=genuine.body.replace(b"city", b"town")),
        "another address": dataclasses.replace(genuine, url=URL + "1"),
        "another method": dataclasses.replace(genuine, method="PUT"),
        "stale": dataclasses.replace(genuine, received_at=now + timedelta(minutes=5, seconds=1)),
        "from the future": dataclasses.replace(genuine, received_at=now - timedelta(minutes=6)),
        "not events": callback(now, b"[1]"),
    }
