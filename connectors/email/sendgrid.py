"""SendGrid v3: mail out by `/v3/mail/send`, and what became of it by the event webhook (ECDSA P-256 over timestamp and raw body, CRLF included).

Our message id goes along as a custom argument, which SendGrid repeats in every event; it is no personal data. 202 means queued: the
rest is told by events. Events of mail that left by SendGrid's SMTP relay come in here as well; without `api_key` it only receives.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, ClassVar

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import Field, field_validator

from connectors.base import Answer, BadSignature, Callback, Fatal, Outcome, Received, SecretStr, Strict, secret
from connectors.email._mail_api import MailApi, Posted, params, shared, templated_mails, whole_mails
from connectors.email._mailbox import Mailbox, an_address
from connectors.email._sendgrid_answer import outcomes

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


class SendGrid(MailApi):
    base_url = "https://api.sendgrid.com"
    objects: ClassVar = {
        "messages": whole_mails(per_second=100, concurrency=16),
        "batch_messages": templated_mails(batch_size=1000, per_second=50, concurrency=4),
    }

    class Options(Strict):
        """`verification_key` is the base64 key under Mail Settings → Event Webhook → Signature Verification.

        `api_key` needs the scope `mail.send`. SendGrid repeats a post for a day, so one that is `tolerance_seconds` old is still believed; repeats land once by their `sg_event_id`.
        """

        api_key: SecretStr | None = secret(sandbox="SG.sandbox.sluice-sandbox-sendgrid-key", default=None)
        sender: str | None = None
        reply_to: str | None = None
        verification_key: SecretStr = secret(
            sandbox="MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIScYBduojtXHyGwTSjYn7lChckCq57XlOgf0ykXo9Vud54taApd7htXlRoveD3ulRzOp5e2ce68ruUHeAzT50g=="
        )
        tolerance_seconds: int = Field(default=86_400, gt=0)

        _addresses = field_validator("sender", "reply_to")(an_address)

        @field_validator("verification_key")
        @classmethod
        def _is_a_key(cls, value: SecretStr) -> SecretStr:
            _key(value)
            return value

    async def post(self, posted: Sequence[Posted], templated: bool) -> Sequence[Outcome]:
        mail = posted[0].mail
        body: dict[str, Any] = {"personalizations": [_personalization(one, templated) for one in posted]}
        if templated:
            body["template_id"], mail = shared(posted)
        else:
            parts = (("text/plain", mail.text), ("text/html", mail.html))  # in this order, or SendGrid refuses it
            body |= {"subject": mail.subject, "content": [{"type": kind, "value": value} for kind, value in parts if value]}
        body["from"] = _mailbox(mail.sender)
        if mail.reply_to:
            body["reply_to"] = _mailbox(mail.reply_to)
        headers = {**self._key(), "content-type": "application/json"}
        return outcomes(await self.http.post(f"{self.address}/v3/mail/send", content=orjson.dumps(body), headers=headers), posted)

    async def check(self) -> str:
        response = await self.http.get(f"{self.address}/v3/scopes", headers=self._key())
        answer = Answer("SendGrid", idempotent=True)
        answer.raise_for(response)
        if "mail.send" not in (answer.json(response).get("scopes") or []):
            raise Fatal("FORBIDDEN", "The SendGrid key may not send: give it the scope mail.send.")
        return "the key is accepted and may send"

    def _key(self) -> dict[str, str]:
        if self.options.api_key is None:
            raise Fatal("NO_API_KEY", "Set `api_key` of this destination to send by it; without one it only receives.")
        return {"authorization": f"Bearer {self.options.api_key.get_secret_value()}"}

    def receive(self, callback: Callback) -> Received:
        timestamp, signature = callback.headers.get(TIMESTAMP, ""), callback.headers.get(SIGNATURE, "")
        key = _key(self.options.verification_key)
        try:
            key.verify(base64.b64decode(signature, validate=True), timestamp.encode() + callback.body, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError):
            raise BadSignature("the signature is missing or wrong") from None
        callback.check_time(timestamp, self.options.tolerance_seconds)
        return Received("mail_events", callback.objects())


def _personalization(one: Posted, templated: bool) -> dict[str, Any]:
    """What is a recipient's own: nobody sees another's."""
    own: dict[str, Any] = {"to": [_mailbox(one.mail.recipient)]}
    if one.mail.headers:
        own["headers"] = one.mail.headers
    if one.row.message_id:
        own["custom_args"] = {"message_id": one.row.message_id}
    if templated:
        own["dynamic_template_data"] = params(one.row)
    return own


def _mailbox(mailbox: Mailbox) -> dict[str, str]:
    return {"email": mailbox.spec, "name": mailbox.name} if mailbox.name else {"email": mailbox.spec}


def _key(value: SecretStr) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode(value.get_secret_value(), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a public key in base64") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("is not an elliptic-curve key")
    return key
