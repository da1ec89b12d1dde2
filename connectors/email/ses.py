"""Amazon SES v2: mail out by SendEmail and, by template to 50 recipients, SendBulkEmail; its suppression list; and events by way of SNS.

Our message id goes along as the tag `message_id`, which SES repeats in the events of a configuration set. Events come in the envelopes of
an SNS topic: only those of `topic_arn` are believed, and a subscription of that topic is confirmed by itself. SES has no way to be told
to take a mail only once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
import orjson
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import Field, field_validator

from connectors.base import BadSignature, Batch, Callback, Fatal, Object, Outcome, Received, Refused, Row, SecretStr, Strict, secret
from connectors.email import _sns as sns
from connectors.email._letter import an_address
from connectors.email._mail_api import TEMPLATED, MailApi, Posted, params, shared, templated_mails, whole_mails
from connectors.email._ses_answer import bulk, content
from connectors.email._ses_events import events
from connectors.email._sigv4 import signed

SUPPRESSIONS = "/v2/email/suppression/addresses"


class Ses(MailApi):
    base_url = "https://email.us-east-1.amazonaws.com"  # with another region, set base_url too
    objects: ClassVar = {
        "messages": whole_mails(per_second=14, concurrency=8),  # what an account out of its sandbox begins with
        TEMPLATED: templated_mails(batch_size=50, per_second=1, concurrency=2),
        "suppressions": Object(
            per_second=1,
            concurrency=1,
            modes=frozenset({"upsert", "mirror"}),
            on_removed=frozenset({"nothing", "remove_from_list"}),
            idempotent=True,
            required=frozenset({"email"}),
        ),
    }

    class Options(Strict):
        """`topic_arn` is the SNS topic that events come by; without one none is believed. `public_key` stands instead of the certificate
        that SNS names, for machines that cannot fetch it. SNS repeats what was not answered with the time it was first published."""

        region: str = Field(default="us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
        sender: str
        reply_to: str | None = None
        configuration_set: str | None = None
        access_key_id: SecretStr = secret(sandbox="AKIASANDBOXSLUICE000")
        secret_access_key: SecretStr = secret(sandbox="sandbox-secret-access-key")
        session_token: SecretStr | None = None
        topic_arn: str | None = None
        public_key: SecretStr | None = secret(
            sandbox="MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr3Ym2mNeK4fOMuZoEEvIyQSmXr5fIxMMCOrap51jtm1TkncPxJ2LTcMZ0TyMP7m8bToVw4ZzKV3mPnDDpMUWsW80tNm5mtsXVNw0P18tMaOfapL5jS44qjWPO8IPFu9dEO6qqO26hCquZstdj9MhU8Si+yFav5HYvJ9bIkFvFmCN3lb83kMVMSUPGlMVeMNrhrQkw3mvODfOWM0hWE/ojWHB0PPUkPgHWDF12r+EUqm1vetp8cVJwiLARanCA42gYEx5F/T/O6fTXJUxkn/FAD3MYUJ4IiWqfRIMJDdVGOtSEWF+Xmh8BdyMk9QwukE9uLgScr4VGKy2CYb6eUmvEwIDAQAB",
            default=None,
        )
        tolerance_seconds: int = Field(default=86_400, gt=0)

        _addresses = field_validator("sender", "reply_to")(an_address)

        @field_validator("public_key")
        @classmethod
        def _is_a_key(cls, value: SecretStr | None) -> SecretStr | None:
            if value is not None:
                sns.public_key(value.get_secret_value().encode())
            return value

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._keys: dict[str, rsa.RSAPublicKey] = {}

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if batch.object != "suppressions":
            return await super().deliver(batch)
        return [await self._suppress(row, batch.operation == "remove") for row in batch.rows]

    async def post(self, posted: Sequence[Posted], templated: bool) -> Sequence[Outcome]:
        if templated:
            return await self._bulk(posted)
        row, mail = posted[0]
        body = {name: {"Data": text, "Charset": "UTF-8"} for name, text in (("Text", mail.text), ("Html", mail.html)) if text}
        subject = {"Data": mail.subject, "Charset": "UTF-8"}
        call = {
            **self._envelope(posted[0]),
            "Destination": {"ToAddresses": [mail.recipient.header()]},
            "Content": {"Simple": {"Subject": subject, "Body": body, "Headers": _headers(mail.headers)}},
            "EmailTags": _tags(row),
        }
        try:
            answer = content(await self._call("POST", "/v2/email/outbound-emails", call), posted)
        except Refused as error:
            return [Outcome("rejected", error.code, error.reason)]
        return [Outcome("sent", provider_id=answer.get("MessageId"))]

    async def _bulk(self, posted: Sequence[Posted]) -> list[Outcome]:
        template, _ = shared(posted)
        entries = [
            {
                "Destination": {"ToAddresses": [mail.recipient.header()]},
                "ReplacementTags": _tags(row),
                "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": orjson.dumps(params(row)).decode()}},
                "ReplacementHeaders": _headers(mail.headers),
            }
            for row, mail in posted
        ]
        default = {"Template": {"TemplateName": template, "TemplateData": "{}"}}
        call = {**self._envelope(posted[0]), "DefaultContent": default, "BulkEmailEntries": entries}
        try:
            return bulk(await self._call("POST", "/v2/email/outbound-bulk-emails", call), posted)
        except Refused as error:
            if len(posted) > 1:
                raise
            return [Outcome("rejected", error.code, error.reason)]

    def _envelope(self, one: Posted) -> dict[str, Any]:
        mail = one.mail
        given = {
            "ReplyToAddresses": [mail.reply_to.header()] if mail.reply_to else None,
            "ConfigurationSetName": self.options.configuration_set,
        }
        return {"FromEmailAddress": mail.sender.header(), **{name: value for name, value in given.items() if value}}

    async def _suppress(self, row: Row, remove: bool) -> Outcome:
        address = str(row.match or row.fields["email"])
        try:
            if remove:
                response = await self._call("DELETE", f"{SUPPRESSIONS}/{quote(address, safe='')}")
                if response.status_code == 404:
                    return Outcome("sent")  # it is not on the list: that is what was asked for
                content(response)
            else:
                reason = str(row.fields.get("reason") or "BOUNCE").upper()
                content(await self._call("PUT", SUPPRESSIONS, {"EmailAddress": address, "Reason": reason}))
        except Refused as error:
            return Outcome("rejected", error.code, error.reason.replace(address, "…"))
        return Outcome("sent")

    async def check(self) -> str:
        account = content(await self._call("GET", "/v2/email/account"))
        if not account.get("SendingEnabled"):
            raise Fatal("SENDING_PAUSED", "SES says that sending is not enabled for this account and region.")
        quota = account.get("SendQuota") or {}
        left = int((quota.get("Max24HourSend") or 0) - (quota.get("SentLast24Hours") or 0))
        where = "" if account.get("ProductionAccessEnabled") else ", to verified addresses only (the account is in the SES sandbox)"
        return f"the key is accepted; {left} more mails may leave today{where}"

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        options, url = self.options, f"{self.address.rstrip('/')}{path}"
        data = orjson.dumps(body) if body is not None else b""
        headers = {"content-type": "application/json"} if data else {}
        if options.session_token:
            headers["x-amz-security-token"] = options.session_token.get_secret_value()
        key_id, key_secret = options.access_key_id.get_secret_value(), options.secret_access_key.get_secret_value()
        headers = signed(method, url, headers, data, key_id, key_secret, options.region, "ses", datetime.now(UTC))
        return await self.http.request(method, url, headers=headers, content=data)

    def wants(self, callback: Callback) -> str | None:
        try:
            address = sns.envelope(callback.body, self.options.topic_arn)["SigningCertURL"]
        except sns.Unbelievable:
            return None
        return None if self.options.public_key or address in self._keys else address

    def learn(self, address: str, found: bytes) -> None:
        self._keys[address] = sns.public_key(found)

    def receive(self, callback: Callback) -> Received:
        given = self.options.public_key
        try:
            message = sns.envelope(callback.body, self.options.topic_arn)
            key = sns.public_key(given.get_secret_value().encode()) if given else self._keys.get(message["SigningCertURL"])
            if key is None:
                raise sns.Unbelievable("the certificate is not at hand")
            sns.verify(message, key)
            moment = sns.published_at(message)
        except sns.Unbelievable as wrong:
            raise BadSignature(str(wrong)) from None
        if abs(callback.received_at - moment) > timedelta(seconds=self.options.tolerance_seconds):
            raise BadSignature("the timestamp is too old")
        if message["Type"] == "SubscriptionConfirmation":
            if not sns.CONFIRMATION.fullmatch(message.get("SubscribeURL", "")):
                raise BadSignature("the subscription is not to be confirmed at an address of SNS")
            return Received("mail_events", [], visit=message["SubscribeURL"])
        return Received("mail_events", list(events(message)) if message["Type"] == "Notification" else [])


def _headers(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in headers.items()]


def _tags(row: Row) -> list[dict[str, str]]:
    return [{"Name": "message_id", "Value": row.message_id}] if row.message_id else []
