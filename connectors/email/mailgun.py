"""Mailgun: mail out by `/v3/<domain>/messages`, and what became of it by webhooks (HMAC-SHA256 over timestamp and token).

Our message id goes along as a user variable, which Mailgun repeats in every event. `batch_messages` names up to 1000 recipients in one
call; what differs between them stands in its recipient variables, without which each would see all others.

The signature of a webhook does not cover the event. So a token is good for one event only: with another it is refused, while the same
event again (Mailgun repeats what was not answered) is believed and lands once.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, ClassVar

import orjson
from pydantic import Field, field_validator

from connectors.base import Answer, BadSignature, Callback, Fatal, Outcome, Received, Refused, SecretStr, Strict, same, secret
from connectors.email._mail_api import MailApi, Posted, params, shared, templated_mails, whole_mails
from connectors.email._mailbox import an_address
from connectors.email._mailgun_answer import outcomes

TOKENS = 100_000


class Mailgun(MailApi):
    base_url = "https://api.mailgun.net"  # https://api.eu.mailgun.net for domains in the EU
    objects: ClassVar = {
        "messages": whole_mails(per_second=50, concurrency=16),
        "batch_messages": templated_mails(batch_size=1000, per_second=10, concurrency=4),
    }

    class Options(Strict):
        """`signing_key` is the webhook signing key of the account; without one no webhook is believed. Mailgun repeats for about 8 hours."""

        domain: str = Field(pattern=r"^[A-Za-z0-9.-]+$")
        sender: str
        reply_to: str | None = None
        api_key: SecretStr = secret(sandbox="key-sandbox-mailgun-00000000000001")
        signing_key: SecretStr | None = secret(sandbox="sandbox-mailgun-webhook-signing-key", default=None)
        tolerance_seconds: int = Field(default=43_200, gt=0)

        _addresses = field_validator("sender", "reply_to")(an_address)

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._tokens: OrderedDict[str, bytes] = OrderedDict()

    async def post(self, posted: Sequence[Posted], templated: bool) -> Sequence[Outcome]:
        if not templated:
            return await self._send(posted, _whole(posted[0]))
        # What differs stands under the address: an address can be named once.
        first = list({one.mail.recipient.spec.lower(): one for one in reversed(posted)}.values())[::-1]
        named = {id(one): outcome for one, outcome in zip(first, await self._send(first, _batch(first)), strict=True)}
        twice = Outcome("skipped", "ADDRESS_TWICE", "Another row of the same call goes to this address; one call can name it once.")
        return [named.get(id(one), twice) for one in posted]

    async def _send(self, posted: Sequence[Posted], fields: list[tuple[str, str]]) -> list[Outcome]:
        if reply_to := posted[0].mail.reply_to:
            fields.append(("h:Reply-To", reply_to.written()))
        # The form that the vendor documents: multipart, a field as often as it has values.
        form = [(name, (None, value.encode())) for name, value in fields]
        response = await self.http.post(f"{self.address}/v3/{self.options.domain}/messages", files=form, auth=self._key())
        return outcomes(response, posted)

    async def check(self) -> str:
        response = await self.http.get(f"{self.address}/v4/domains/{self.options.domain}", auth=self._key())
        answer = Answer("Mailgun", idempotent=True)
        answer.raise_for(response)
        state = (answer.json(response).get("domain") or {}).get("state")
        if state != "active":
            raise Fatal("DOMAIN_NOT_ACTIVE", f"Mailgun says that the domain is {state}: verify its DNS records first.")
        return "the key is accepted and the domain is active"

    def _key(self) -> tuple[str, str]:
        return "api", self.options.api_key.get_secret_value()

    def receive(self, callback: Callback) -> Received:
        try:
            body = callback.json()
            signed, event = body["signature"], body["event-data"]
            timestamp, token, signature = str(signed["timestamp"]), str(signed["token"]), str(signed["signature"])
        except (KeyError, TypeError):
            raise BadSignature("the body is not a signed event") from None
        key = self.options.signing_key
        right = hmac.new(key.get_secret_value().encode(), f"{timestamp}{token}".encode(errors="replace"), hashlib.sha256) if key else None
        if right is None or not token or not same(signature, right.hexdigest()):
            raise BadSignature("the signature is missing or wrong")
        callback.check_time(timestamp, self.options.tolerance_seconds)
        if not isinstance(event, dict) or not event.get("id"):
            raise BadSignature("the body is not an event")
        if self._tokens.setdefault(token, _digest(event)) != _digest(event):
            raise BadSignature("the token was used for another event")
        if len(self._tokens) > TOKENS:
            self._tokens.popitem(last=False)
        # Its id is unique within a day only.
        mine = {"vendor": "mailgun", "event_id": f"{event['id']}.{event.get('timestamp')}", "email": event.get("recipient")}
        return Received("mail_events", [{**event, **mine}])


def _whole(one: Posted) -> list[tuple[str, str]]:
    mail = one.mail
    fields = [("from", mail.sender.written()), ("to", mail.recipient.written()), ("subject", mail.subject)]
    fields += [(name, value) for name, value in (("text", mail.text), ("html", mail.html)) if value]
    fields += [(f"h:{name}", value) for name, value in mail.headers.items()]
    return fields + ([("v:message_id", one.row.message_id)] if one.row.message_id else [])


def _batch(posted: Sequence[Posted]) -> list[tuple[str, str]]:
    template, mail = shared(posted)
    headers = {name for one in posted for name in one.mail.headers}
    if any(set(one.mail.headers) != headers for one in posted):
        raise Refused("MIXED_BATCH", "Rows with an unsubscribe link and rows without one do not fit in one call; the batch was not sent.")
    names = sorted({name for one in posted for name in params(one.row)})
    own = {
        one.mail.recipient.spec: {"v:message_id": one.row.message_id or ""}
        | {f"h:{name}": value for name, value in one.mail.headers.items()}
        | {f"p:{name}": params(one.row).get(name, "") for name in names}
        for one in posted
    }
    fields = [("from", mail.sender.written()), ("template", template), ("v:message_id", "%recipient.v:message_id%")]
    fields += [("subject", mail.subject)] if mail.subject else []
    fields += [("to", one.mail.recipient.written()) for one in posted]
    fields += [(f"h:{name}", f"%recipient.h:{name}%") for name in sorted(headers)]
    fields.append(("t:variables", orjson.dumps({name: f"%recipient.p:{name}%" for name in names}).decode()))
    return [*fields, ("recipient-variables", orjson.dumps(own).decode())]


def _digest(event: dict[str, Any]) -> bytes:
    return hashlib.sha256(orjson.dumps(event, option=orjson.OPT_SORT_KEYS)).digest()
