"""Aliyun SMS (dysmsapi 2017-05-25), mainland and international numbers, and its delivery reports.

`messages` goes out by SendSms, one number a call: its OutId is the message id, so a report says by itself which message it is about.
`batch_messages` takes up to 100 rows of one template by SendBatchSms, accepted or refused as a whole. One call has one OutId
and one BizId: a report then finds its message by BizId (the outcome's provider id) and phone number. Neither call is idempotent.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

import httpx
import orjson

from connectors.base import Batch, Callback, Connector, Fatal, Outcome, Received, Refused, Row, SecretStr, Strict, answered, secret
from connectors.sms._acs3 import canonical_query, keys, signed
from connectors.sms._aliyun_answer import outcomes
from connectors.sms._china import check_token
from connectors.sms._message import CHINESE_SIGNATURE, messages, variables
from connectors.sms._numbers import bare

VERSION = "2017-05-25"
REQUIRED = ("sign_name", "template_code")
PATTERNS = {"sign_name": CHINESE_SIGNATURE, "template_code": r"^SMS_[0-9]+$"}


class AliyunSms(Connector):
    channel = "sms"
    base_url = "https://dysmsapi.aliyuncs.com"
    receives = "sms_receipts"
    objects: ClassVar = {
        "messages": messages(*REQUIRED, patterns=PATTERNS, batch_size=1, per_second=1000, concurrency=16),
        "batch_messages": messages(*REQUIRED, patterns=PATTERNS, batch_size=100, per_second=1000, concurrency=4),
    }

    class Options(Strict):
        """`callback_token` is the unguessable part of the report address: `…/hooks/<destination>?token=<callback_token>`.

        Aliyun signs no reports, so it is all that keeps others from sending them. `security_token` goes with a temporary key.
        """

        access_key_id: SecretStr = secret(sandbox="LTAI5tSandboxAccessKey01")
        access_key_secret: SecretStr = secret(sandbox="sandbox-access-key-secret")
        security_token: SecretStr | None = None
        callback_token: SecretStr | None = secret(sandbox="sandbox-aliyun-callback-token", default=None, min_length=16)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if not batch.rows:
            return []
        if len(batch.rows) == 1:
            response = await self._send(batch.rows[0])
        else:
            response = await self._send_batch(batch)
        return outcomes(response, len(batch.rows))

    def together(self, row: Row) -> Hashable:
        return row.fields.get("template_code")

    async def check(self) -> str:
        response = await self._call("QuerySmsSignList", {"PageIndex": "1", "PageSize": "10"})
        for outcome in outcomes(response, 1):
            if outcome.status != "sent":
                raise Fatal(outcome.code, outcome.reason)
        approved = [sign for sign in answered(response).get("SmsSignList") or [] if sign.get("AuditStatus") == "AUDIT_STATE_PASS"]
        return f"access key accepted; {len(approved)} approved signatures on the first page"

    def receive(self, callback: Callback) -> Received:
        check_token(callback, self.options.callback_token)
        return Received("sms_receipts", callback.objects(), '{"code":0,"msg":"接收成功"}'.encode(), "application/json; charset=utf-8")

    async def _send(self, row: Row) -> httpx.Response:
        fields = row.fields
        parameters = {
            "PhoneNumbers": bare(str(fields["phone"])),
            "SignName": fields["sign_name"],
            "TemplateCode": fields["template_code"],
            "TemplateParam": _json(variables(fields)),
        }
        return await self._call("SendSms", parameters | ({"OutId": row.message_id} if row.message_id else {}))

    async def _send_batch(self, batch: Batch) -> httpx.Response:
        rows = [row.fields for row in batch.rows]
        templates = {fields["template_code"] for fields in rows}
        if len(templates) > 1:
            raise Refused("MIXED_TEMPLATES", "SendBatchSms takes rows of one template; the batch was not sent.")
        form = {
            "PhoneNumberJson": _json([bare(str(fields["phone"])) for fields in rows]),
            "SignNameJson": _json([fields["sign_name"] for fields in rows]),
            "TemplateParamJson": _json([variables(fields) for fields in rows]),
        }
        return await self._call("SendBatchSms", {"TemplateCode": templates.pop(), "OutId": f"{batch.run_id}.{batch.number}"}, form)

    async def _call(self, action: str, parameters: dict[str, str], form: dict[str, str] | None = None) -> httpx.Response:
        """POST an RPC-style request, signed. The query goes out exactly as it was signed."""
        url = urlsplit(f"{self.address.rstrip('/')}/?{canonical_query(parameters)}")
        content = urlencode(form or {}).encode()
        headers = signed(url.netloc, url.path, action, VERSION, parameters, content, keys(self.options))
        # Not again as it is: its nonce counts once. A new call is signed anew.
        return await self.http.post(url.geturl(), headers=headers, content=content, extensions={"retry": False})


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
