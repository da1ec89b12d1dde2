"""Twilio's Messages API: one message a call, its status callbacks, and what people answer.

Rows have the shape of Aliyun's. `text` is the message itself; without it `template_code` is a content template (`HX…`) and `params` its
variables. Nothing is idempotent, so the address that is told what became of a message carries our message id: its report is found even
when the answer to the call was lost.
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
from pydantic import Field

from connectors.base import (
    BadSignature,
    Batch,
    Callback,
    Connector,
    Fatal,
    Outcome,
    Received,
    Row,
    SecretStr,
    Strict,
    answered,
    same,
    secret,
)
from connectors.sms._message import messages, variables
from connectors.sms._numbers import e164
from connectors.sms._twilio_answer import FATAL, outcome
from connectors.sms._twilio_signature import addresses, algorithm, signature

MESSAGE_ID = "message_id"  # the parameter of the callback's address


class Twilio(Connector):
    channel = "sms"
    base_url = "https://api.twilio.com"
    receives = "sms_receipts"
    objects: ClassVar = {
        "messages": messages(
            batch_size=1,
            per_second=100,
            concurrency=16,
            patterns={
                "sign_name": r"^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11})$",
                "template_code": r"^HX[0-9a-f]{32}$",
            },
        ),
    }

    class Options(Strict):
        """`auth_token` signs callbacks; calls may be made with an API key instead (`api_key`, `api_secret`).

        Messages come from the content's `sign_name`, else from `sender` (a number of the account, or a name), else from
        `messaging_service_sid`. `status_callback` is the address of this destination's callbacks as Twilio knows it
        (`https://…/hooks/<destination>`): without it Twilio tells nothing. `signing_secret` is that of a webhook SharedKey, if there is one.
        """

        account_sid: SecretStr = secret(sandbox="AC5a4d6f6e2f1b4c8d9e0a1b2c3d4e5f60")
        auth_token: SecretStr = secret(sandbox="sandbox-twilio-auth-token")
        api_key: SecretStr | None = None
        api_secret: SecretStr | None = None
        sender: str | None = None
        messaging_service_sid: str | None = Field(default=None, pattern=r"^MG[0-9a-f]{32}$")
        status_callback: str | None = Field(default=None, pattern=r"^https?://[^?#]+$")
        validity_seconds: int | None = Field(default=None, ge=1, le=36_000)
        signing_secret: SecretStr | None = None

    async def deliver(self, batch: Batch) -> list[Outcome]:
        return [await self._send(row) for row in batch.rows]

    async def check(self) -> str:
        response = await self.http.get(f"{self._account}.json", auth=self._key)
        content = answered(response)
        if not response.is_success:
            remedy = FATAL.get(content.get("code", 0), "check this destination")
            raise Fatal(str(content.get("code", response.status_code)), f"Twilio answered {response.status_code}: {remedy}.")
        return f"the account is {content.get('status', 'there')}"

    def receive(self, callback: Callback) -> Received:
        try:
            pairs = parse_qsl(callback.body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict")
        except ValueError:
            raise BadSignature("the body is not a form") from None
        self._check_signature(callback, pairs)
        event: dict[str, Any] = dict(pairs)
        said_by_them = event.get("SmsStatus") == "received"
        number = event.get("From" if said_by_them else "To")
        if callback.method != "POST" or not number or not event.get("MessageSid"):
            raise BadSignature("the callback is not about a message")
        ours = {"vendor": "twilio", "phone_number": number, "received_at": callback.received_at.isoformat()}
        if message_id := dict(parse_qsl(urlsplit(callback.url).query)).get(MESSAGE_ID):
            ours[MESSAGE_ID] = message_id
        return Received("sms_receipts", [event | ours], b"<Response/>", "text/xml; charset=utf-8")

    def _check_signature(self, callback: Callback, pairs: list[tuple[str, str]]) -> None:
        keys = {"HMAC_SHA1": (self.options.auth_token, "sha1"), "HMAC_SHA256": (self.options.signing_secret, "sha256")}
        key, digest = keys.get(algorithm(callback.headers.get("x-twilio-webhooks-signature-settings", "")), (None, ""))
        if key is None:
            raise BadSignature("it is signed with a key that this destination does not have")
        url, query = callback.url, urlsplit(callback.url).query
        if self.options.status_callback:
            url = self.options.status_callback + (f"?{query}" if query else "")
        given = callback.headers.get("x-twilio-signature", "")
        if not any(same(given, signature(address, pairs, key.get_secret_value(), digest)) for address in addresses(url)):
            raise BadSignature("the signature is missing or wrong")

    async def _send(self, row: Row) -> Outcome:
        fields = row.fields
        form = {"To": e164(str(fields["phone"])), **self._sender(fields)}
        if fields.get("text"):
            form["Body"] = str(fields["text"])
        elif fields.get("template_code"):
            form["ContentSid"] = str(fields["template_code"])
            form["ContentVariables"] = orjson.dumps(variables(fields)).decode()
        else:
            return Outcome("rejected", "NO_TEXT", "The message has neither a `text` nor a `template_code`.")
        if self.options.status_callback:
            query = urlencode({MESSAGE_ID: row.message_id}) if row.message_id else ""
            form["StatusCallback"] = self.options.status_callback + (f"?{query}" if query else "")
        if self.options.validity_seconds:
            form["ValidityPeriod"] = str(self.options.validity_seconds)
        return outcome(await self.http.post(f"{self._account}/Messages.json", data=form, auth=self._key), row)

    def _sender(self, fields: dict[str, Any]) -> dict[str, str]:
        if sender := fields.get("sign_name") or self.options.sender:
            return {"From": str(sender)}
        if self.options.messaging_service_sid:
            return {"MessagingServiceSid": self.options.messaging_service_sid}
        raise Fatal("NO_SENDER", "A message has no sender: set `sender` or `messaging_service_sid` for this destination.")

    @property
    def _account(self) -> str:
        return f"{self.address.rstrip('/')}/2010-04-01/Accounts/{self.options.account_sid.get_secret_value()}"

    @property
    def _key(self) -> tuple[str, str]:
        options = self.options
        user, password = (options.api_key, options.api_secret) if options.api_key else (options.account_sid, options.auth_token)
        return user.get_secret_value(), password.get_secret_value() if password else ""
