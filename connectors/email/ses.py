"""Amazon SES v2: mail out by SendEmail and, by template to 50 recipients, SendBulkEmail; its suppression list; and events by way of SNS.

Our message id goes along as the tag `message_id`, which SES repeats in the events of a configuration set. Events come in the envelopes of
an SNS topic: only those of `topic_arn` are believed, and a subscription of that topic is confirmed by itself. SES has no way to be told
to take a mail only once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
import orjson
from pydantic import Field, field_validator

from connectors._sigv4 import Signer
from connectors.base import Batch, Callback, Fatal, Object, Outcome, Received, Refused, Row, SecretStr, Strict, secret
from connectors.email import _ses_mail
from connectors.email._mail_api import TEMPLATED, MailApi, Posted, templated_mails, whole_mails
from connectors.email._mailbox import an_address
from connectors.email._ses_answer import bulk, content
from connectors.email._ses_events import events
from connectors.email._sns import Topic, confirmation, public_key

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
                public_key(value.get_secret_value().encode())
            return value

    @cached_property
    def _signer(self) -> Signer:
        options = self.options
        return Signer("ses", options.region, options.access_key_id.get_secret_value(), options.secret_access_key, options.session_token)

    @cached_property
    def _topic(self) -> Topic:
        return Topic(self.options.topic_arn, self.options.public_key, timedelta(seconds=self.options.tolerance_seconds))

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if batch.object != "suppressions":
            return await super().deliver(batch)
        return [await self._suppress(row, batch.operation == "remove") for row in batch.rows]

    async def post(self, posted: Sequence[Posted], templated: bool) -> Sequence[Outcome]:
        kind = self.options.configuration_set
        try:
            if templated:
                return bulk(await self._call("POST", "/v2/email/outbound-bulk-emails", _ses_mail.templated(posted, kind)), posted)
            answer = content(await self._call("POST", "/v2/email/outbound-emails", _ses_mail.whole(posted[0], kind)), posted)
        except Refused as error:
            if len(posted) > 1:
                raise
            return [Outcome("rejected", error.code, error.reason)]
        return [Outcome("sent", provider_id=answer.get("MessageId"))]

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
        url, data = f"{self.address.rstrip('/')}{path}", orjson.dumps(body) if body is not None else b""
        headers = self._signer.signed(method, url, {"content-type": "application/json"} if data else {}, data, datetime.now(UTC))
        return await self.http.request(method, url, headers=headers, content=data)

    def wants(self, callback: Callback) -> str | None:
        return self._topic.wants(callback)

    def learn(self, address: str, found: bytes) -> None:
        self._topic.learn(address, found)

    def receive(self, callback: Callback) -> Received:
        message = self._topic.believed(callback)
        if address := confirmation(message):
            return Received("mail_events", [], visit=address)
        return Received("mail_events", list(events(message)) if message["Type"] == "Notification" else [])
