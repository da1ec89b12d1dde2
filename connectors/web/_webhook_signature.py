"""How Standard Webhooks sign, both ways: HMAC-SHA256 over id, timestamp and body, good for five minutes.

Rules: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import datetime

from connectors.base import BadSignature, Callback, SecretStr, same

TOLERANCE = 300.0  # seconds


def a_key(secret: SecretStr) -> SecretStr:
    """The value of an option, if it is a key. Raises ValueError."""
    try:
        key = _key(secret)
    except binascii.Error:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError("is `whsec_` and 24 to 64 random bytes in base64")
    return secret


def headers(unique: str, body: bytes, at: datetime, secret: SecretStr) -> dict[str, str]:
    """The headers of what is sent at that moment."""
    timestamp = str(int(at.timestamp()))
    return {"webhook-id": unique, "webhook-timestamp": timestamp, "webhook-signature": _sign(unique, timestamp, body, secret)}


def check(callback: Callback, secret: SecretStr) -> None:
    """Raises BadSignature unless one of its signatures is made with the key, lately."""
    unique, timestamp, signatures = (callback.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    callback.check_time(timestamp, TOLERANCE)
    right = _sign(unique, timestamp, callback.body, secret)
    if not unique or not any(same(given, right) for given in signatures.split()):
        raise BadSignature("the signature is missing or wrong")


def _sign(unique: str, timestamp: str, body: bytes, secret: SecretStr) -> str:
    # As the reference library does it, whose `sign` copies the body three times.
    signed = hmac.digest(_key(secret), f"{unique}.{timestamp}.".encode(errors="replace") + body, "sha256")
    return f"v1,{base64.b64encode(signed).decode()}"


def _key(secret: SecretStr) -> bytes:
    return base64.b64decode(secret.get_secret_value().removeprefix("whsec_") + "==", validate=False)
