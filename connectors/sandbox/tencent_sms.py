"""Tencent Cloud SMS as seen from outside: SendSms and the list of signatures behind TC3-HMAC-SHA256, status reports, and replies."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.emulator import Emulator, Kept, Marked, Outgoing, Pending, Shown, fate
from connectors.sandbox.faults import Fault

SECRET_ID = "AKIDsandboxTencentSecretId0001"
SECRET_KEY = "sandbox-tencent-secret-key"
CALLBACK_TOKEN = "sandbox-tencent-callback-token"
SDK_APP_ID = "1400006666"

CHINA = timezone(timedelta(hours=8))
SKEW = 300
MOST = 200
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
MAINLAND = re.compile(r"\+861[3-9][0-9]{9}")
AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=([^/]+)/([0-9-]{10})/(\w+)/tc3_request, ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})"
)
MESSAGES = {
    "FailedOperation.PhoneNumberInBlacklist": "the number is in blacklist",
    "InvalidParameterValue.IncorrectPhoneNumber": "incorrect phone number",
    "FailedOperation.SignatureIncorrectOrUnapproved": "signature is incorrect or unapproved",
    "FailedOperation.TemplateIncorrectOrUnapproved": "template is incorrect or unapproved",
}


class TencentSms(Emulator):
    """Calls are signed with the sandbox's key. Each number has its own result; a `partial` fault refuses numbers with `code` (default
    `FailedOperation.PhoneNumberInBlacklist`). Templates are numbers, mainland messages need a signature.

    3 in 100 numbers are out of service and 1 is on the operator's list of those who want no messages; 1 in 100 replies that it is enough.
    """

    destination = "tencent_sms"

    def routes(self) -> Sequence[Route]:
        return [Marked("/", self.call, header="x-tc-action", methods=["POST"])]

    def refuse(self, fault: Fault) -> Response:
        if fault.kind == "rate_limit":
            return _error(
                "RequestLimitExceeded", "Your current request times equals to `3001` in a second, which exceeds the frequency limit."
            )
        return _error("InternalError.UnknownError", "An unknown error occurred.")

    async def call(self, request: Request) -> Response:
        body = await request.body()
        refusal = _refuses(request, body)
        if refusal:
            return refusal
        try:
            asked = orjson.loads(body)
        except orjson.JSONDecodeError:
            asked = None
        if not isinstance(asked, dict):
            return _error("InvalidParameter", "The request body is not JSON.")
        if request.headers.get("x-tc-version") != "2021-01-11":
            return _error("NoSuchVersion", "The specified version does not exist.")
        action = request.headers.get("x-tc-action")
        if action == "SendSms":
            return self._send(asked)
        if action == "DescribeSmsSignList":
            sign = {"SignId": 1, "International": 0, "StatusCode": 0, "ReviewReply": "", "SignName": "Sluice", "CreateTime": 1700000000}
            return _answer(DescribeSignListStatusSet=[sign])
        return _error("InvalidAction", "The request action is invalid or not found.")

    def _send(self, asked: Mapping[str, Any]) -> Response:
        for name in ("PhoneNumberSet", "SmsSdkAppId", "TemplateId"):
            if name not in asked:
                return _error("MissingParameter", f"The request is missing the required parameter `{name}`.")
        numbers, params = asked["PhoneNumberSet"], asked.get("TemplateParamSet", [])
        for name, value in (("PhoneNumberSet", numbers), ("TemplateParamSet", params)):
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                return _error("InvalidParameter", f"The value type of parameter `{name}` is not valid.")
        if not numbers:
            return _error("MissingParameter.EmptyPhoneNumberSet", "the phone number set is empty")
        if len(numbers) > MOST:
            return _error("LimitExceeded.PhoneNumberCountLimit", "the number of phone numbers exceeds 200")
        if asked["SmsSdkAppId"] != SDK_APP_ID:
            return _error("UnauthorizedOperation.SmsSdkAppIdVerifyFail", "SmsSdkAppId verify fail")
        mainland = {bool(MAINLAND.fullmatch(_plus(number))) for number in numbers}
        if len(mainland) > 1:
            return _error("UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber", "domestic and international numbers are mixed")
        return _answer(SendStatusSet=[self._one(asked, number, params) for number in numbers])

    def _one(self, asked: Mapping[str, Any], number: str, params: list[str]) -> dict[str, Any]:
        number = _plus(number)
        code = self._trouble(asked, number, params)
        status = {
            "PhoneNumber": number,
            "SessionContext": asked.get("SessionContext", ""),
            "IsoCode": "CN" if number.startswith("+86") else "",
        }
        if code:
            return status | {"SerialNo": "", "Fee": 0, "Code": code, "Message": MESSAGES.get(code, code)}
        serial = f"5000:{uuid4().int % 10**18:018d}"
        content = {"sign_name": asked.get("SignName", ""), "template_id": asked["TemplateId"], "params": params, "serial_no": serial}
        self.keep("message", to=number, content=content | {"session_context": asked.get("SessionContext", "")})
        return status | {"SerialNo": serial, "Fee": 1, "Code": "Ok", "Message": "send success"}

    def _trouble(self, asked: Mapping[str, Any], number: str, params: list[str]) -> str:
        if fault := self.refused(f"{number} {asked['TemplateId']} {params}"):
            return fault.code or "FailedOperation.PhoneNumberInBlacklist"
        if not NUMBER.fullmatch(number) or (number.startswith("+861") and not MAINLAND.fullmatch(number)):
            return "InvalidParameterValue.IncorrectPhoneNumber"
        if not str(asked["TemplateId"]).isdigit():
            return "FailedOperation.TemplateIncorrectOrUnapproved"
        if MAINLAND.fullmatch(number) and not asked.get("SignName"):
            return "FailedOperation.SignatureIncorrectOrUnapproved"
        return ""

    def state(self) -> Any:
        return {"messages": sum(kept.vendor == self.name for kept in self.sandbox.journal.kept)}

    def shown(self, kept: Kept) -> Shown:
        values = "\n".join(f"{{{place}}}: {value}" for place, value in enumerate(kept.content["params"], 1))
        return Shown(f"【{kept.content['sign_name']}】{kept.content['template_id']}", values)

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        reports = [_report(one) for one in pending]
        headers, query = {"content-type": "application/json"}, {"token": CALLBACK_TOKEN}
        yield Outgoing(orjson.dumps(reports), len(reports), headers, query)
        for one in pending:
            if fate(one.kept.to, "replies") < 0.01:
                yield Outgoing(orjson.dumps(_reply(one)), 1, headers, query)


def _plus(number: str) -> str:
    """Bare mainland numbers, also with 86 or 0086 before them, are taken as well."""
    mainland = re.fullmatch(r"(?:\+?86|0086)?(1[0-9]{10})", number)
    return f"+86{mainland[1]}" if mainland else number


def _parts(number: str) -> dict[str, str]:
    return {"nationcode": "86", "mobile": number[3:]} if number.startswith("+86") else {"nationcode": number[1:2], "mobile": number[2:]}


def _report(one: Pending) -> dict[str, Any]:
    chance = fate(one.kept.to, "delivery")
    code, said = "DELIVRD", "用户短信送达成功"
    if chance < 0.03:
        code, said = "MK:0001", "空号"
    elif chance < 0.04:
        code, said = "MBBLACK", "手机号在黑名单"
    return {
        # The start, so that a report that is sent again says the same.
        "user_receive_time": one.start.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S"),
        **_parts(one.kept.to),
        "report_status": "SUCCESS" if code == "DELIVRD" else "FAIL",
        "errmsg": code,
        "description": said,
        "sid": one.kept.content["serial_no"],
    }


def _reply(one: Pending) -> dict[str, Any]:
    return {**_parts(one.kept.to), "extend": "", "sign": one.kept.content["sign_name"], "text": "TD", "time": int(one.at(0.5).timestamp())}


def _refuses(request: Request, body: bytes) -> Response | None:
    """The gateway's refusal, or None. Written apart from what connectors sign with, so that one checks the other."""
    match = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if match is None:
        return _error("AuthFailure.InvalidAuthorization", "The authorization header is missing or not as it should be.")
    secret_id, day, service, signed, signature = match.groups()
    if secret_id != SECRET_ID:
        return _error("AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure that your SecretId is correct.")
    timestamp = request.headers.get("x-tc-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > SKEW:
        return _error("AuthFailure.SignatureExpire", "The provided timestamp is more than 5 minutes from the server's.")
    names = signed.split(";")
    lines = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in names)
    unsigned = request.headers.get("x-tc-content-sha256") == "UNSIGNED-PAYLOAD"
    digest = hashlib.sha256(b"UNSIGNED-PAYLOAD" if unsigned else body).hexdigest()
    canonical = f"POST\n/\n\n{lines}\n{signed}\n{digest}"
    to_sign = f"TC3-HMAC-SHA256\n{timestamp}\n{day}/{service}/tc3_request\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    right = _hmac(_hmac(_hmac(_hmac(b"TC3" + SECRET_KEY.encode(), day), service), "tc3_request"), to_sign).hex()
    told = (
        datetime.fromtimestamp(int(timestamp), UTC).strftime("%Y-%m-%d") == day
        and service == "sms"
        and {"content-type", "host"} <= set(names)
    )
    if not told or not hmac.compare_digest(signature, right):
        return _error(
            "AuthFailure.SignatureFailure", "The provided credentials could not be validated. Please check your signature is correct."
        )
    return None


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _answer(**content: Any) -> Response:
    """Every answer is HTTP 200."""
    return Response(orjson.dumps({"Response": {**content, "RequestId": str(uuid4())}}), media_type="application/json")


def _error(code: str, message: str) -> Response:
    return _answer(Error={"Code": code, "Message": message})
