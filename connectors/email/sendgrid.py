"""SendGrid's event webhook: what became of mail, signed with ECDSA P-256 over timestamp and raw body (trailing CRLF included).

It receives only: mail leaves by `smtp`, through SendGrid's relay or any other.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import Field, field_validator

from connectors.base import BadSignature, Callback, Connector, Received, SecretStr, Strict, secret

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


class SendGrid(Connector):
    channel = "email"
    receives = "mail_events"

    class Options(Strict):
        """`verification_key` is the base64 key under Mail Settings → Event Webhook → Signature Verification.

        SendGrid repeats a post for a day, so one that is `tolerance_seconds` old is still believed; repeats land once by their `sg_event_id`.
        """

        verification_key: SecretStr = secret(
            sandbox="MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIScYBduojtXHyGwTSjYn7lChckCq57XlOgf0ykXo9Vud54taApd7htXlRoveD3ulRzOp5e2ce68ruUHeAzT50g=="
        )
        tolerance_seconds: int = Field(default=86_400, gt=0)

        @field_validator("verification_key")
        @classmethod
        def _is_a_key(cls, value: SecretStr) -> SecretStr:
            _key(value)
            return value

    def receive(self, callback: Callback) -> Received:
        timestamp, signature = callback.headers.get(TIMESTAMP, ""), callback.headers.get(SIGNATURE, "")
        key = _key(self.options.verification_key)
        try:
            signed_at = datetime.fromtimestamp(int(timestamp), UTC)
            key.verify(base64.b64decode(signature, validate=True), timestamp.encode() + callback.body, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, binascii.Error, ValueError, OverflowError, OSError):
            raise BadSignature("the signature is missing or wrong") from None
        if abs(callback.received_at - signed_at) > timedelta(seconds=self.options.tolerance_seconds):
            raise BadSignature("the timestamp is too old")
        try:
            events = orjson.loads(callback.body)
        except orjson.JSONDecodeError:
            raise BadSignature("the body is not JSON") from None
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise BadSignature("the body is not a list of events")
        return Received("mail_events", events)


def _key(value: SecretStr) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(value.get_secret_value(), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a public key in base64") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("is not an elliptic-curve key")
    return key
