"""HubSpot's webhook signature, version 3: HMAC-SHA256 over method, address, body and time, valid for five minutes."""

from __future__ import annotations

import base64
import hmac
from typing import Any

from connectors.base import BadSignature, Callback, SecretStr, same

TOLERANCE = 300.0  # seconds


def believed(callback: Callback, client_secret: SecretStr | None, callback_url: str | None) -> list[dict[str, Any]]:
    """The events of a callback that HubSpot signed. `callback_url` is the address it was given, if it differs from the one seen here."""
    if client_secret is None:
        raise BadSignature("this destination has no client_secret to check signatures with")
    timestamp, signature = (callback.headers.get(f"x-hubspot-{name}", "") for name in ("request-timestamp", "signature-v3"))
    address = (callback.method + (callback_url or callback.url)).encode(errors="replace")
    signed = address + callback.body + timestamp.encode(errors="replace")
    right = base64.b64encode(hmac.digest(client_secret.get_secret_value().encode(), signed, "sha256")).decode()
    if not same(signature, right):
        raise BadSignature("the signature is missing or wrong")
    callback.check_time(timestamp, TOLERANCE, unit=0.001)
    return callback.objects()
