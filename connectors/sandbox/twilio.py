"""Twilio as seen from outside: messages of one account, its status callbacks and what people answer, signed as Twilio signs."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.parts import parts
from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown, fate
from connectors.sandbox.faults import Fault

ACCOUNT = "AC5a4d6f6e2f1b4c8d9e0a1b2c3d4e5f60"
TOKEN = "sandbox-twilio-auth-token"
LONGEST = 1600
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
SENDER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
SAID = {
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    21211: "Invalid 'To' Phone Number: {to}",
    21212: "Invalid From Number (caller ID)",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21610: "Attempt to send to unsubscribed recipient",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21619: "A text message body or media urls must be specified.",
    21655: "The ContentSid is invalid",
    21656: "The Content Variables Parameter is invalid",
}


class Twilio(Emulator):
    """One account with its token. A `partial` fault refuses a message with `code` (default 21610: its recipient opted out).

    Where a message names a StatusCallback, it is told there: 3 in 100 numbers are unknown, 1 is a landline, and 1 in 100 people answer STOP.
    """

    destination = "twilio"

    def routes(self) -> Sequence[Route]:
        return [
            Route("/2010-04-01/Accounts/{account}/Messages.json", self.create, methods=["POST"]),
            Route("/2010-04-01/Accounts/{account}.json", self.account, methods=["GET"]),
        ]

    def refuse(self, fault: Fault) -> Response:
        if fault.kind == "rate_limit":
            return _error(429, 20429, retry_after=fault.retry_after)
        return _error(500, 20500)

    async def account(self, request: Request) -> Response:
        if refusal := _refuses(request):
            return refusal
        return _json({"sid": ACCOUNT, "status": "active", "type": "Full", "friendly_name": "Sandbox"}, 200)

    async def create(self, request: Request) -> Response:
        if refusal := _refuses(request):
            return refusal
        given = dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
        to, sender = given.get("To", ""), given.get("From") or given.get("MessagingServiceSid", "")
        code = self._trouble(given, to, sender)
        if code:
            return _error(400, code, to)
        content = {"from": sender, "text": given.get("Body", ""), "sid": f"SM{uuid4().hex}", "content_sid": given.get("ContentSid", "")}
        content |= {"variables": given.get("ContentVariables", ""), "status_callback": given.get("StatusCallback", "")}
        self.keep("message", to=to, content=content)
        now = format_datetime(datetime.now(UTC))
        status = "accepted" if given.get("MessagingServiceSid") else "queued"
        message = {"sid": content["sid"], "account_sid": ACCOUNT, "to": to, "from": given.get("From"), "body": content["text"]}
        message |= {"status": status, "num_segments": str(parts(content["text"]).count), "num_media": "0", "direction": "outbound-api"}
        message |= {"error_code": None, "error_message": None, "date_created": now, "date_updated": now, "date_sent": None}
        message |= {
            "messaging_service_sid": given.get("MessagingServiceSid"),
            "price": None,
            "price_unit": "USD",
            "api_version": "2010-04-01",
        }
        path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{content['sid']}"
        return _json(message | {"uri": f"{path}.json", "subresource_uris": {"media": f"{path}/Media.json"}}, 201)

    def _trouble(self, given: Mapping[str, str], to: str, sender: str) -> int:
        if fault := self.refused(f"{to} {given.get('Body', '')} {given.get('ContentVariables', '')}"):
            return int(fault.code or 21610)
        if not to:
            return 21604
        if not NUMBER.fullmatch(to):
            return 21211
        if not sender:
            return 21603
        if "From" in given and not SENDER.fullmatch(sender):
            return 21212
        if given.get("ContentSid"):
            if not re.fullmatch(r"HX[0-9a-f]{32}", given["ContentSid"]):
                return 21655
            return 0 if _are_variables(given.get("ContentVariables", "{}")) else 21656
        if not given.get("Body"):
            return 21619
        return 21617 if len(given["Body"]) > LONGEST else 0

    def state(self) -> Any:
        return {"messages": sum(kept.vendor == self.name for kept in self.sandbox.journal.kept)}

    def shown(self, kept: Kept) -> Shown:
        content = kept.content
        return Shown(f"from {content['from']}", content["text"] or f"{content['content_sid']} {content['variables']}")

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        for one in pending:
            if one.kept.content["status_callback"]:
                query = dict(parse_qsl(urlsplit(one.kept.content["status_callback"]).query))
                for status, code in _statuses(one.kept):
                    yield _post(url, query, _status(one.kept, status, code))
                if fate(one.kept.to, "replies") < 0.01:
                    yield _post(url, {}, _reply(one.kept))


def _statuses(kept: Kept) -> Iterable[tuple[str, str]]:
    chance = fate(kept.to, "delivery")
    yield "sent", ""
    if chance < 0.03:
        yield "undelivered", "30005"
    elif chance < 0.04:
        yield "undelivered", "30006"
    else:
        yield "delivered", ""


def _status(kept: Kept, status: str, code: str) -> dict[str, str]:
    sid = kept.content["sid"]
    fields = {"SmsSid": sid, "SmsStatus": status, "MessageStatus": status, "To": kept.to, "MessageSid": sid, "AccountSid": ACCOUNT}
    fields |= {"From": kept.content["from"], "ApiVersion": "2010-04-01"}
    return fields | ({"ErrorCode": code} if code else {})


def _reply(kept: Kept) -> dict[str, str]:
    sid = "SM" + kept.content["sid"][:1:-1]  # always the same, should it be sent again
    fields = {"SmsMessageSid": sid, "SmsSid": sid, "MessageSid": sid, "SmsStatus": "received", "NumMedia": "0", "NumSegments": "1"}
    return fields | {"From": kept.to, "To": kept.content["from"], "Body": "STOP", "OptOutType": "STOP", "AccountSid": ACCOUNT}


def _post(url: str, query: dict[str, str], fields: dict[str, str]) -> Outgoing:
    target = f"{url}?{urlencode(query)}" if query else url
    text = target + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.digest(TOKEN.encode(), text.encode(), "sha1")).decode()
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8", "x-twilio-signature": signature}
    return Outgoing(urlencode(fields).encode(), 1, headers, query)


def _refuses(request: Request) -> Response | None:
    right = f"Basic {base64.b64encode(f'{ACCOUNT}:{TOKEN}'.encode()).decode()}"
    if not hmac.compare_digest(request.headers.get("authorization", "").encode(), right.encode()):
        return _error(401, 20003)
    if request.path_params["account"] != ACCOUNT:
        return _error(404, 20404)
    return None


def _are_variables(text: str) -> bool:
    try:
        variables = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(variables, dict) and all(isinstance(value, str) for value in variables.values())


def _error(status: int, code: int, to: str = "", retry_after: int | None = None) -> Response:
    content = {"code": code, "message": SAID.get(code, "An error occurred").format(to=to), "status": status}
    content["more_info"] = f"https://www.twilio.com/docs/errors/{code}"
    return _json(content, status, {} if retry_after is None else {"retry-after": str(retry_after)})


def _json(content: Any, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json;charset=utf-8")
