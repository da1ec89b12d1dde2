"""Aliyun DirectMail as seen from outside: SingleSendMail, BatchSendMail, the summary of an account, and events as EventBridge posts them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from connectors.sandbox._acs3 import Gateway, gateway_error
from connectors.sandbox._recipients import ADDRESS, FULL, GONE, USER_AGENT, Act, acts, event_id
from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown
from connectors.sandbox.faults import Fault

ACCESS_KEY_ID = "LTAI5tSandboxAccessKey01"
ACCESS_KEY_SECRET = "sandbox-access-key-secret"
CALLBACK_TOKEN = "sandbox-directmail-callback-token"
VERSION = "2015-11-23"
EMAIL = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9._-]+\.[A-Za-z0-9-]+")
EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "gone": ("dm:Deliver:Fail", {"status": "2", "err_code": "550", "err_msg": GONE, "failed_type": "SmtpNxBox"}),
    "full": ("dm:Deliver:Fail", {"status": "2", "err_code": "452", "err_msg": FULL, "failed_type": "MailboxFull"}),
    "delivered": ("dm:Deliver:Succeed", {"status": "0", "err_code": "250", "err_msg": "250 Send Mail OK"}),
    "opened": ("dm:Trace:Open", {"ip": ADDRESS, "user_agent": USER_AGENT}),
    "clicked": ("dm:Trace:Click", {"ip": ADDRESS, "user_agent": USER_AGENT}),
    "left": ("dm:Feedback:UnSubscribe", {}),
    "complained": ("dm:Feedback:FblReport", {}),
}


class OfVersion(Route):
    """POST / of one of the products that share the path: told apart by the version of the API that is asked for."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        asked = dict(scope.get("headers", ())).get(b"x-acs-version", b"").decode("latin-1")
        return super().matches(scope) if asked == VERSION else (Match.NONE, {})


class AliyunDirectmail(Emulator):
    """Calls are signed with the sandbox's access key. A `partial` fault refuses the mail with `code` (default `InvalidToAddress`)."""

    destination = "directmail"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._gateway = Gateway(ACCESS_KEY_ID, ACCESS_KEY_SECRET)

    def routes(self) -> Sequence[Route]:
        return [OfVersion("/", self.call, methods=["POST"])]

    def refuse(self, fault: Fault) -> Response:
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        if fault.kind == "rate_limit":
            return gateway_error(429, "Throttling.User", "Request was denied due to user flow control.", headers)
        return gateway_error(503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.", headers)

    def shown(self, kept: Kept) -> Shown:
        return Shown(
            kept.content["subject"] or kept.content.get("template") or "(no subject)", kept.content["text"], kept.content["html"] or None
        )

    async def call(self, request: Request) -> Response:
        body = await request.body()
        if refusal := self._gateway.refuses(request, body):
            return refusal
        action = request.headers.get("x-acs-action")
        if action == "DescAccountSummary":
            return _json({"UserStatus": 0, "DailyQuota": 2000, "QuotaLevel": 2, "RequestId": str(uuid4()).upper()})
        if action not in ("SingleSendMail", "BatchSendMail"):
            return gateway_error(404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
        given = dict(parse_qsl(f"{request.url.query}&{body.decode(errors='replace')}", keep_blank_values=True))
        return self._send(given) if action == "SingleSendMail" else self._send_batch(given)

    def _send(self, given: dict[str, str]) -> Response:
        for name in ("AccountName", "AddressType", "ReplyToAddress", "ToAddress", "Subject"):
            if not given.get(name):
                return gateway_error(400, f"Missing{name}", f"{name} is mandatory for this action.")
        to = given["ToAddress"].split(",")
        if fault := self.refused(f"{given['ToAddress']} {given['Subject']} {given.get('Headers', '')}"):
            code = fault.code or "InvalidToAddress"
            return gateway_error(400, code, f"The specified toAddress {to[0]} is wrongly formed.")
        if len(to) > 100 or not all(EMAIL.fullmatch(address) for address in to):
            return gateway_error(400, "InvalidToAddress", "The specified toAddress is wrongly formed.")
        if not EMAIL.fullmatch(given["AccountName"]):
            return gateway_error(404, "InvalidMailAddress.NotFound", "The specified mailAddress does not exist.")
        if len(given["Subject"]) > 256:
            return gateway_error(400, "InvalidSubject.Malformed", "The specified subject is wrongly formed.")
        if not given.get("TextBody") and not given.get("HtmlBody"):
            return gateway_error(400, "InvalidBody", "The specified textBody or htmlBody is wrongly formed.")
        env_id = str(uuid4().int % 10**11)
        headers = dict(list(orjson.loads(given.get("Headers") or "{}").items())[:10])  # what is more is ignored
        content = {"from": given["AccountName"], "alias": given.get("FromAlias", ""), "subject": given["Subject"], "headers": headers}
        content |= {"text": given.get("TextBody", ""), "html": given.get("HtmlBody", ""), "env_id": env_id}
        for address in to:
            self.keep("message", to=address, content=content)
        return _json({"EnvId": env_id, "RequestId": str(uuid4()).upper()})

    def _send_batch(self, given: dict[str, str]) -> Response:
        for name in ("AccountName", "AddressType", "TemplateName"):
            if not given.get(name):
                return gateway_error(400, f"Missing{name}", f"{name} is mandatory for this action.")
        try:
            receivers = [
                (str(address), dict(one.get("TemplateData") or {})) for one in orjson.loads(given["Receivers"]) for address in one["To"]
            ]
        except (KeyError, TypeError, ValueError, AttributeError):
            return gateway_error(400, "InvalidReceivers", "The specified receivers is wrongly formed.")
        fault = next((fault for address, data in receivers if (fault := self.refused(f"{address} {orjson.dumps(data).decode()}"))), None)
        if fault or not 0 < len(receivers) <= 100 or not all(EMAIL.fullmatch(address) for address, _ in receivers):
            code = (fault.code if fault else None) or "InvalidReceivers"
            return gateway_error(400, code, "The specified receivers is wrongly formed.")
        if not all(isinstance(value, str) for _, data in receivers for value in data.values()):
            return gateway_error(400, "InvalidTemplateData", "The specified templateData is wrongly formed.")
        if given["TemplateName"].startswith("missing"):
            return gateway_error(404, "InvalidTemplate.NotFound", "The specified template does not exist.")
        if not EMAIL.fullmatch(given["AccountName"]):
            return gateway_error(404, "InvalidMailAddress.NotFound", "The specified mailAddress does not exist.")
        env_id = str(uuid4().int % 10**11)
        shared = {"from": given["AccountName"], "template": given["TemplateName"], "subject": "", "text": "", "html": "", "env_id": env_id}
        headers = dict(list(orjson.loads(given.get("Headers") or "{}").items())[:10])
        for address, data in receivers:
            self.keep("message", to=address, content={**shared, "headers": headers, "params": data})
        return _json({"EnvId": env_id, "RequestId": str(uuid4()).upper()})

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        headers = {"x-eventbridge-signature-token": CALLBACK_TOKEN, "x-eventbridge-signature-timestamp": str(int(time.time() * 1000))}
        for one in pending:
            for act in acts(one):
                if act.kind in EVENTS:
                    yield Outgoing(orjson.dumps(_event(one, act)), 1, {**headers, "content-type": "application/json"})


def _event(one: Pending, act: Act) -> dict[str, Any]:
    kind, fields = EVENTS[act.kind]
    content = one.kept.content
    notified = {name: value for name, value in content["headers"].items() if name.lower().startswith("x-user-notify-")}
    data = {"header": notified, "env_id": content["env_id"], "account": content["from"], "from": content["from"], "rcpt": one.kept.to}
    data |= {"event": kind, "region": "cn-hangzhou", **fields, **({"url": act.url} if act.url else {})}
    moment = one.at(act.at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {"id": event_id(one, act).hex(), "source": "acs.dm", "specversion": "1.0", "type": kind, "time": moment, "data": data}


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json;charset=utf-8")
