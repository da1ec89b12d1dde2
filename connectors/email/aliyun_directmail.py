"""Aliyun DirectMail (dm 2015-11-23): one mail a call by SingleSendMail, a template to 100 recipients by BatchSendMail, and delivery events by
way of EventBridge.

Our message id goes along in the header `X-User-Notify-Message-Id`, which DirectMail repeats in every event under `header`. A call of
BatchSendMail has one set of headers for all: its events are known by `EnvId` and recipient, and mail programs are shown DirectMail's own
way out, whose use is an event too. Neither call is idempotent. Content goes out in the body, where it may have 8 MB; the signature is
ACS3-HMAC-SHA256.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

import httpx
import orjson
from pydantic import Field, field_validator

from connectors.base import BadSignature, Callback, Fatal, Outcome, Received, SecretStr, Strict, same, secret
from connectors.email._directmail_answer import content, outcomes
from connectors.email._letter import Draft, header_id
from connectors.email._mail_api import TEMPLATED, MailApi, Posted, params, shared, templated_mails, whole_mails
from connectors.email._mailbox import an_address
from connectors.sms._acs3 import keys, signed

VERSION = "2015-11-23"
TOKEN, TIMESTAMP = "x-eventbridge-signature-token", "x-eventbridge-signature-timestamp"
ALIAS = 15  # characters a sender's name may have


class AliyunDirectmail(MailApi):
    base_url = "https://dm.aliyuncs.com"
    objects: ClassVar = {
        "messages": whole_mails(per_second=20, concurrency=8),
        TEMPLATED: templated_mails(batch_size=100, per_second=10, concurrency=4),
    }

    class Options(Strict):
        """`sender` is an address set up in the console. `callback_token` is the signature token of the EventBridge target that posts to
        `…/hooks/<destination>`; without one no event is believed."""

        sender: str
        reply_to: str | None = None
        tag: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,128}$")
        access_key_id: SecretStr = secret(sandbox="LTAI5tSandboxAccessKey01")
        access_key_secret: SecretStr = secret(sandbox="sandbox-access-key-secret")
        security_token: SecretStr | None = None
        callback_token: SecretStr | None = secret(sandbox="sandbox-directmail-callback-token", default=None, min_length=16)
        tolerance_seconds: int = Field(default=86_400, gt=0)

        _addresses = field_validator("sender", "reply_to")(an_address)

    async def post(self, posted: Sequence[Posted], templated: bool) -> Sequence[Outcome]:
        action, given = ("BatchSendMail", self._batch(posted)) if templated else ("SingleSendMail", self._single(posted[0]))
        return outcomes(await self._call(action, {name: value for name, value in given.items() if value}), posted)

    def _single(self, one: Posted) -> dict[str, str]:
        row, mail = one
        headers = {"Message-ID": header_id(row, mail.sender), **mail.headers}
        if row.message_id:
            headers["X-User-Notify-Message-Id"] = row.message_id
        return {
            **self._envelope(mail),
            "FromAlias": mail.sender.name[:ALIAS],
            "ReplyToAddress": "false",
            "ToAddress": mail.recipient.spec,
            "Subject": mail.subject,
            "TextBody": mail.text,
            "HtmlBody": mail.html,
            "Headers": orjson.dumps(headers).decode(),
            "UnSubscribeLinkType": "disabled" if mail.headers else "",  # ours stands in the headers
        }

    def _batch(self, posted: Sequence[Posted]) -> dict[str, str]:
        template, mail = shared(posted)
        receivers = [
            {"TemplateData": {name: str(value) for name, value in params(row).items()}, "To": [mail.recipient.spec]} for row, mail in posted
        ]
        return {**self._envelope(mail), "TemplateName": template, "Receivers": orjson.dumps(receivers).decode()}

    def _envelope(self, mail: Draft) -> dict[str, str]:
        reply_to = mail.reply_to.spec if mail.reply_to else ""
        return {"AccountName": mail.sender.spec, "AddressType": "1", "ReplyAddress": reply_to, "TagName": self.options.tag or ""}

    async def check(self) -> str:
        account = content(await self._call("DescAccountSummary", {}))
        if account.get("UserStatus"):
            raise Fatal("ACCOUNT", "DirectMail says that the account is frozen, in arrears or restricted: see its console.")
        return f"access key accepted; {account.get('DailyQuota')} mails a day"

    async def _call(self, action: str, form: dict[str, str]) -> httpx.Response:
        """POST an RPC-style request, signed, with its parameters in the body."""
        url = urlsplit(f"{self.address.rstrip('/')}/")
        body = urlencode(form).encode()
        headers = signed(url.netloc, url.path, action, VERSION, {}, body, keys(self.options))
        # Not again as it is: its nonce counts once. A new call is signed anew.
        return await self.http.post(url.geturl(), headers=headers, content=body, extensions={"retry": False})

    def receive(self, callback: Callback) -> Received:
        expected, given = self.options.callback_token, callback.headers.get(TOKEN, "")
        if expected is None or not same(given, expected.get_secret_value()):
            raise BadSignature("the token is missing or wrong")
        callback.check_time(callback.headers.get(TIMESTAMP, ""), self.options.tolerance_seconds, unit=0.001)
        event = callback.json()
        if not isinstance(event, dict) or not isinstance(event.get("data"), dict) or not event.get("id") or not event.get("type"):
            raise BadSignature("the body is not an event")
        mine = {"vendor": "aliyun_directmail", "event_id": event["id"], "event": event["type"], "email": event["data"].get("rcpt")}
        return Received("mail_events", [{**event, **mine, "timestamp": event.get("time")}])
