"""Tencent Cloud SMS (2021-01-11), mainland and international numbers, and its status reports and replies.

`messages` goes out one number a call. `batch_messages` takes up to 200 numbers of one and the same message, for the API has one set of
template variables for a call. Either way each number has its own result and serial number, by which a report finds its message. Nothing
is idempotent. Rows have the shape of Aliyun's; the variables, which have places here and not names, are taken in the order they are
written in, or by number if their names are numbers.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
import orjson

from connectors.base import BadSignature, Batch, Callback, Connector, Fatal, Outcome, Received, Refused, Row, SecretStr, Strict, secret
from connectors.sms import _message as message
from connectors.sms._china import check_token
from connectors.sms._numbers import digits, e164
from connectors.sms._tc3 import authorization
from connectors.sms._tencent_answer import inner, outcomes, results

VERSION = "2021-01-11"
JSON = "application/json"
PATTERNS = {"sign_name": message.CHINESE_SIGNATURE, "template_code": r"^[0-9]+$"}
TWICE = Outcome("skipped", "DUPLICATE_NUMBER", "An earlier row of this batch goes to the same number.")


class TencentSms(Connector):
    channel = "sms"
    base_url = "https://sms.tencentcloudapi.com"
    receives = "sms_receipts"
    objects: ClassVar = {
        "messages": message.messages("template_code", patterns=PATTERNS, batch_size=1, per_second=1000, concurrency=16),
        "batch_messages": message.messages("template_code", patterns=PATTERNS, batch_size=200, per_second=100, concurrency=4),
    }

    class Options(Strict):
        """`sms_sdk_app_id` is the application's SdkAppId; `security_token` goes with a temporary key, `sender_id` with numbers abroad.

        Tencent signs no reports: `callback_token`, the unguessable part of the report address
        `…/hooks/<destination>?token=<callback_token>`, is all that keeps others from sending them.
        """

        secret_id: SecretStr = secret(sandbox="AKIDsandboxTencentSecretId0001")
        secret_key: SecretStr = secret(sandbox="sandbox-tencent-secret-key")
        security_token: SecretStr | None = None
        sms_sdk_app_id: str
        region: str = "ap-guangzhou"
        sender_id: str | None = None
        callback_token: SecretStr | None = secret(sandbox="sandbox-tencent-callback-token", default=None, min_length=16)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if not batch.rows:
            return []
        if len({_message(row) for row in batch.rows}) > 1:
            raise Refused("MIXED_MESSAGES", "One call takes rows of one message, to mainland numbers or to others; nothing was sent.")
        numbers = [e164(str(row.fields["phone"])) for row in batch.rows]
        once = list(dict.fromkeys(numbers))
        response = await self._send(batch, once)
        found = dict(zip(once, outcomes(response, once), strict=True))
        return [found.pop(number, TWICE) for number in numbers]

    def together(self, row: Row) -> Hashable:
        return _message(row)

    async def check(self) -> str:
        statuses = await self._call("DescribeSmsSignList", {"International": 0, "SignIdSet": [], "Limit": 100, "Offset": 0})
        signs = inner(statuses).get("DescribeSignListStatusSet")
        if not isinstance(signs, list):
            trouble = results(statuses)
            raise Fatal(trouble.code if isinstance(trouble, Outcome) else "BAD_ANSWER", "Tencent Cloud SMS did not list the signatures.")
        approved = sum(sign.get("StatusCode") == 0 for sign in signs)
        return f"secret key accepted; {approved} approved signatures on the first page"

    def receive(self, callback: Callback) -> Received:
        check_token(callback, self.options.callback_token)
        posted = callback.json()
        events = posted if isinstance(posted, list) else [posted]  # a reply comes alone, reports in a list
        if not all(isinstance(event, dict) and event.get("mobile") for event in events):
            raise BadSignature("the body is not reports, nor a reply")
        number = [{"phone_number": f"+{digits(str(event.get('nationcode') or '86'))}{digits(str(event['mobile']))}"} for event in events]
        landed = [{**event, "vendor": "tencent_sms", **ours} for event, ours in zip(events, number, strict=True)]
        return Received("sms_receipts", landed, b'{"result":0,"errmsg":"OK"}', "application/json; charset=utf-8")

    async def _send(self, batch: Batch, numbers: list[str]) -> httpx.Response:
        fields = batch.rows[0].fields
        context = batch.rows[0].message_id if len(batch.rows) == 1 else f"{batch.run_id}.{batch.number}"
        body = {
            "PhoneNumberSet": numbers,
            "SmsSdkAppId": self.options.sms_sdk_app_id,
            "TemplateId": fields["template_code"],
            "TemplateParamSet": variables(fields),
            "SignName": fields.get("sign_name") or None,
            "SessionContext": context,
            "SenderId": self.options.sender_id,
        }
        return await self._call("SendSms", {name: value for name, value in body.items() if value is not None})

    async def _call(self, action: str, body: dict[str, Any]) -> httpx.Response:
        content, timestamp, host = orjson.dumps(body), int(time.time()), urlsplit(self.address).netloc
        key_id, key = self.options.secret_id.get_secret_value(), self.options.secret_key.get_secret_value()
        headers = {
            "host": host,
            "content-type": JSON,
            "authorization": authorization("sms", host, JSON, content, timestamp, key_id, key),
            "x-tc-action": action,
            "x-tc-version": VERSION,
            "x-tc-timestamp": str(timestamp),
            "x-tc-region": self.options.region,
        }
        if self.options.security_token:
            headers["x-tc-token"] = self.options.security_token.get_secret_value()
        return await self.http.post(f"{self.address.rstrip('/')}/", headers=headers, content=content)


def variables(fields: dict[str, Any]) -> list[str]:
    """Template variables in their places."""
    named = message.variables(fields)
    if all(name.isascii() and name.isdigit() for name in named):
        return [named[name] for name in sorted(named, key=int)]
    return list(named.values())


def _message(row: Row) -> tuple[Any, ...]:
    """What all rows of one call have in common."""
    fields = row.fields
    return fields.get("sign_name"), fields["template_code"], tuple(variables(fields)), e164(str(fields["phone"])).startswith("+86")
