"""HubSpot's webhook signature, version 3: HMAC-SHA256 over method, address, body and time, valid for five minutes."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from connectors.base import BadSignature, Callback, SecretStr

TOLERANCE = timedelta(minutes=5)


def believed(callback: Callback, client_secret: SecretStr | None, callback_url: str | None) -> list[dict[str, Any]]:
    """The events of a callback that HubSpot signed. `callback_url` is the address it was given, if it differs from the one seen here."""
    if client_secret is None:
        raise BadSignature("this destination has no client_secret to check signatures with")
    timestamp, signature = (callback.headers.get(f"x-hubspot-{name}", "") for name in ("request-timestamp", "signature-v3"))
    address = (callback.method + (callback_url or callback.url)).encode(errors="replace")
    signed = address + callback.body + timestamp.encode(errors="replace")
    right = base64.b64encode(hmac.new(client_secret.get_secret_value().encode(), signed, hashlib.sha256).digest())
    if not hmac.compare_digest(right, signature.encode(errors="replace")):
        raise BadSignature("the signature is missing or wrong")
    try:
        signed_at = datetime.fromtimestamp(int(timestamp) / 1000, UTC)
        events = orjson.loads(callback.body)
    except (ValueError, OverflowError, OSError):
        raise BadSignature("the timestamp is no number, or the body is not JSON") from None
    if abs(callback.received_at - signed_at) > TOLERANCE:
        raise BadSignature("the timestamp is more than five minutes off")
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise BadSignature("the body is not a list of events")
    return events
