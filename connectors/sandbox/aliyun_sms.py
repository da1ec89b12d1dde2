"""Aliyun SMS as seen from outside: SendSms, SendBatchSms, the list of signatures, and SmsReport posts."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox._acs3 import Gateway, gateway_error
from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown, fate
from connectors.sandbox.faults import Fault

ACCESS_KEY_ID = "LTAI5tSandboxAccessKey01"
ACCESS_KEY_SECRET = "sandbox-access-key-secret"
CALLBACK_TOKEN = "sandbox-aliyun-callback-token"

CHINA = timezone(timedelta(hours=8))
NUMBER = re.compile(r"(\+?86|0086)?1[3-9][0-9]{9}|[1-9][0-9]{6,14}")
A_DAY = 50  # messages of one signature and template that a number may get in 24 hours

MESSAGES = {
    "isv.MOBILE_NUMBER_ILLEGAL": "{number}invalid mobile number",
    "isv.MOBILE_COUNT_OVER_LIMIT": "手机号码数量超过限制",
    "isv.SMS_SIGNATURE_ILLEGAL": "该账号下找不到对应签名",
    "isv.SMS_TEMPLATE_ILLEGAL": "该账号下找不到对应模板",
    "isv.INVALID_JSON_PARAM": "参数格式错误，请修改为字符串值",
    "isv.INVALID_PARAMETERS": "参数格式不正确",
    "isv.BUSINESS_LIMIT_CONTROL": "触发天级流控Permits:50",
}


class AliyunSms(Emulator):
    """Calls are signed with the sandbox's access key. A `partial` fault refuses what it is in with `code` (default
    `isv.MOBILE_NUMBER_ILLEGAL`): the message, or the whole batch, which is accepted or refused as one.

    3 in 100 numbers are out of service and 1 is on the operator's list of those who want no messages; all others get theirs.
    """

    destination = "sms"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._gateway = Gateway(ACCESS_KEY_ID, ACCESS_KEY_SECRET)
        self._sent: dict[tuple[str, str, str], deque[datetime]] = {}

    def routes(self) -> Sequence[Route]:
        return [Route("/", self.call, methods=["POST"])]

    async def call(self, request: Request) -> Response:
        body = await request.body()
        refusal = self._gateway.refuses(request, body)
        if refusal:
            return refusal
        given = dict(parse_qsl(f"{request.url.query}&{body.decode(errors='replace')}", keep_blank_values=True))
        action = request.headers.get("x-acs-action")
        if action == "SendSms":
            return self._send_sms(given)
        if action == "SendBatchSms":
            return self._send_batch_sms(given)
        if action == "QuerySmsSignList":
            signature = {"SignName": "Sluice", "AuditStatus": "AUDIT_STATE_PASS", "BusinessType": "通用类型"}
            return _answer("OK", "OK", CurrentPage=1, PageSize=10, TotalCount=1, SmsSignList=[signature])
        return gateway_error(404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")

    def _send_sms(self, given: Mapping[str, str]) -> Response:
        for name in ("PhoneNumbers", "SignName", "TemplateCode"):
            if not given.get(name):
                return gateway_error(400, f"Missing{name}", f"{name} is mandatory for this action.")
        numbers = given["PhoneNumbers"].split(",")
        params = _json(given.get("TemplateParam") or "{}")
        return self._accept(given, numbers, [given["SignName"]] * len(numbers), [params] * len(numbers), most=1000)

    def _send_batch_sms(self, given: Mapping[str, str]) -> Response:
        for name in ("PhoneNumberJson", "SignNameJson", "TemplateCode"):
            if not given.get(name):
                return gateway_error(400, f"Missing{name}", f"{name} is mandatory for this action.")
        numbers, signatures = _json(given["PhoneNumberJson"]), _json(given["SignNameJson"])
        if not isinstance(numbers, list) or not isinstance(signatures, list):
            return _refusal("isv.INVALID_JSON_PARAM")
        params = _json(given["TemplateParamJson"]) if given.get("TemplateParamJson") else [{}] * len(numbers)
        if not isinstance(params, list) or not len(numbers) == len(signatures) == len(params):
            return _refusal("isv.INVALID_PARAMETERS")
        return self._accept(given, numbers, signatures, params, most=100)

    def _accept(self, given: Mapping[str, str], numbers: list[Any], signatures: list[Any], params: list[Any], most: int) -> Response:
        """Look at all rows, then take all or none."""
        template = given["TemplateCode"]
        if len(numbers) > most:
            return _refusal("isv.MOBILE_COUNT_OVER_LIMIT")
        if not re.fullmatch(r"SMS_[0-9]+", template):
            return _refusal("isv.SMS_TEMPLATE_ILLEGAL")
        for number, signature, values in zip(numbers, signatures, params, strict=True):
            fault = self.refused(f"{number} {signature} {template} {given.get('OutId', '')} {orjson.dumps(values).decode()}")
            if fault:
                return _refusal(fault.code or "isv.MOBILE_NUMBER_ILLEGAL", str(number))
            if not isinstance(number, str) or not NUMBER.fullmatch(number):
                return _refusal("isv.MOBILE_NUMBER_ILLEGAL", str(number))
            if not isinstance(signature, str) or not signature:
                return _refusal("isv.SMS_SIGNATURE_ILLEGAL")
            if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
                return _refusal("isv.INVALID_JSON_PARAM")
            if len(self._of_the_day(number, signature, template)) >= A_DAY:
                return _refusal("isv.BUSINESS_LIMIT_CONTROL")
        biz_id = f"{uuid4().int % 10**18:018d}^0"
        for number, signature, values in zip(numbers, signatures, params, strict=True):
            content = {"sign_name": signature, "template_code": template, "params": values, "biz_id": biz_id}
            self.keep("message", to=number, content=content | {"out_id": given.get("OutId", "")})
        return _answer("OK", "OK", BizId=biz_id)

    def _of_the_day(self, number: str, signature: str, template: str) -> deque[datetime]:
        sent = self._sent.setdefault((number, signature, template), deque())
        while sent and sent[0] < datetime.now(CHINA) - timedelta(days=1):
            sent.popleft()
        return sent

    def apply(self, kept: Kept) -> None:
        of_the_day = (kept.to, kept.content["sign_name"], kept.content["template_code"])
        self._sent.setdefault(of_the_day, deque()).append(kept.at)

    def state(self) -> Any:
        return {"messages": sum(kept.vendor == self.name for kept in self.sandbox.journal.kept)}

    def shown(self, kept: Kept) -> Shown:
        values = "\n".join(f"{name}: {value}" for name, value in kept.content["params"].items())
        return Shown(f"【{kept.content['sign_name']}】{kept.content['template_code']}", values)

    def refuse(self, fault: Fault) -> Response:
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        if fault.kind == "rate_limit":
            return gateway_error(429, "Throttling.User", "Request was denied due to user flow control.", headers)
        return gateway_error(503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.", headers)

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        reports = [_report(one) for one in pending]
        headers = {"content-type": "application/json;charset=UTF-8"}
        yield Outgoing(orjson.dumps(reports), len(reports), headers, {"token": CALLBACK_TOKEN})


def _report(one: Pending) -> dict[str, Any]:
    # The start, so that a report that is sent again says the same.
    moment = one.start.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
    chance = fate(one.kept.to, "delivery")
    code, said = "DELIVERED", "用户接收成功"
    if chance < 0.03:
        code, said = "MOBILE_NOT_ON_SERVICE", "手机号码停机、空号"
    elif chance < 0.04:
        code, said = "MOBILE_IN_BLACK", "手机号码在黑名单中"
    return {
        "phone_number": one.kept.to,
        "send_time": moment,
        "report_time": moment,
        "success": code == "DELIVERED",
        "err_code": code,
        "err_msg": said,
        "sms_size": "1",
        "biz_id": one.kept.content["biz_id"],
        "out_id": one.kept.content["out_id"],
    }


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _answer(code: str, message: str, **more: Any) -> Response:
    """The service's own answers are all HTTP 200."""
    content = {"Code": code, "Message": message, "RequestId": str(uuid4()).upper(), **more}
    return Response(orjson.dumps(content), media_type="application/json;charset=utf-8")


def _refusal(code: str, number: str = "") -> Response:
    return _answer(code, MESSAGES.get(code, code).format(number=number))
