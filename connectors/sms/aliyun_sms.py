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

from connectors.base import (
    BadSignature,
    Batch,
    Callback,
    Connector,
    Fatal,
    Object,
    Outcome,
    Received,
    Refused,
    Row,
    SecretStr,
    Strict,
    answered,
    secret,
)
from connectors.sms._acs3 import canonical_query, keys, signed
from connectors.sms._aliyun_answer import outcomes
from connectors.sms._china import check_token

VERSION = "2017-05-25"
# A message is never kept "in sync": no mode.
MESSAGE: dict[str, Any] = {
    "message": True,
    "contact": "phone",
    "modes": frozenset(),
    "required": frozenset({"phone", "sign_name", "template_code"}),
    "patterns": {"sign_name": r"^[^【】\[\]]{2,12}$", "template_code": r"^SMS_[0-9]+$"},
}


class AliyunSms(Connector):
    channel = "sms"
    base_url = "https://dysmsapi.aliyuncs.com"
    receives = "sms_receipts"
    objects: ClassVar = {
        "messages": Object(batch_size=1, per_second=1000, concurrency=16, **MESSAGE),
        "batch_messages": Object(batch_size=100, per_second=1000, concurrency=4, **MESSAGE),
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
        try:
            reports = orjson.loads(callback.body)
        except orjson.JSONDecodeError:
            raise BadSignature("the body is not JSON") from None
        if not isinstance(reports, list) or not all(isinstance(report, dict) for report in reports):
            raise BadSignature("the body is not a list of reports")
        return Received("sms_receipts", reports, '{"code":0,"msg":"接收成功"}'.encode(), "application/json; charset=utf-8")

    async def _send(self, row: Row) -> httpx.Response:
        fields = row.fields
        parameters = {
            "PhoneNumbers": _number(str(fields["phone"])),
            "SignName": fields["sign_name"],
            "TemplateCode": fields["template_code"],
            "TemplateParam": _json(_params(fields)),
        }
        return await self._call("SendSms", parameters | ({"OutId": row.message_id} if row.message_id else {}))

    async def _send_batch(self, batch: Batch) -> httpx.Response:
        rows = [row.fields for row in batch.rows]
        templates = {fields["template_code"] for fields in rows}
        if len(templates) > 1:
            raise Refused("MIXED_TEMPLATES", "SendBatchSms takes rows of one template; the batch was not sent.")
        form = {
            "PhoneNumberJson": _json([_number(str(fields["phone"])) for fields in rows]),
            "SignNameJson": _json([fields["sign_name"] for fields in rows]),
            "TemplateParamJson": _json([_params(fields) for fields in rows]),
        }
        return await self._call("SendBatchSms", {"TemplateCode": templates.pop(), "OutId": f"{batch.run_id}.{batch.number}"}, form)

    async def _call(self, action: str, parameters: dict[str, str], form: dict[str, str] | None = None) -> httpx.Response:
        """POST an RPC-style request, signed. The query goes out exactly as it was signed."""
        url = urlsplit(f"{self.address.rstrip('/')}/?{canonical_query(parameters)}")
        content = urlencode(form or {}).encode()
        headers = signed(url.netloc, url.path, action, VERSION, parameters, content, keys(self.options))
        # Not again as it is: its nonce counts once. A new call is signed anew.
        return await self.http.post(url.geturl(), headers=headers, content=content, extensions={"retry": False})


def _number(phone: str) -> str:
    """Mainland numbers bare, others with their country code and no sign: the two forms the API documents."""
    return phone.removeprefix("+86").removeprefix("+")


def _params(fields: dict[str, Any]) -> dict[str, str]:
    """Template variables. Only strings are allowed; a missing value is an empty one."""
    return {name: "" if value is None else str(value) for name, value in (fields.get("params") or {}).items()}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
