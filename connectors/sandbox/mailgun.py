"""Mailgun as seen from outside: sends with recipient variables, the state of a domain, and webhooks, one event a post."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from email.utils import parseaddr
from typing import Any
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.sandbox._recipients import ADDRESS, FULL, GONE, USER_AGENT, Act, acts, event_id
from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown
from connectors.sandbox.faults import Fault

API_KEY = "key-sandbox-mailgun-00000000000001"
SIGNING_KEY = "sandbox-mailgun-webhook-signing-key"
EMAIL = re.compile(r"[^\s@<>,;:\"]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+")
VARIABLE = re.compile(r"%recipient\.([^%]+)%")
A_CALL = 1000  # recipients
OPTIONS_SIZE = 16_384  # bytes of o:, h: and v: together
EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "accepted": ("accepted", {}),
    "gone": ("failed", {"severity": "permanent", "reason": "bounce", "delivery-status": {"code": 550, "message": GONE}}),
    "full": ("failed", {"severity": "permanent", "reason": "old", "delivery-status": {"code": 452, "message": FULL}}),
    "delivered": ("delivered", {"delivery-status": {"code": 250, "message": "OK"}}),
    "opened": ("opened", {"ip": ADDRESS, "client-info": {"user-agent": USER_AGENT, "device-type": "mobile"}}),
    "clicked": ("clicked", {"ip": ADDRESS, "client-info": {"user-agent": USER_AGENT, "device-type": "mobile"}}),
    "left": ("unsubscribed", {}),
    "complained": ("complained", {}),
}


class Mailgun(Emulator):
    """A send is taken or refused as a whole; a `partial` fault refuses it for the recipient that matches. Every domain is active."""

    destination = "mailgun"

    def routes(self) -> Sequence[Route]:
        return [
            Route("/v3/{domain}/messages", self._send, methods=["POST"]),
            Route("/v4/domains/{domain}", self._domain, methods=["GET"]),
        ]

    def refuse(self, fault: Fault) -> Response:
        if fault.kind == "rate_limit":
            wait = f" try again after {fault.retry_after} seconds" if fault.retry_after is not None else ""
            return _json(429, {"message": f"Domain sandbox is not allowed to send: recipient limit exceeded,{wait}"})
        return _json(500, {"message": "Internal Server Error"})

    def shown(self, kept: Kept) -> Shown:
        return Shown(
            kept.content["subject"] or kept.content["template"] or "(no subject)", kept.content["text"], kept.content["html"] or None
        )

    async def _domain(self, request: Request) -> Response:
        if not _authorised(request):
            return FORBIDDEN
        return _json(200, {"domain": {"name": request.path_params["domain"], "state": "active", "type": "custom"}})

    async def _send(self, request: Request) -> Response:
        if not _authorised(request):
            return FORBIDDEN
        form = [(name, str(value)) for name, value in (await request.form(max_fields=10 * A_CALL, max_part_size=25 << 20)).multi_items()]
        fields = dict(form)
        to = [address for name, value in form if name == "to" for address in value.split(", ")]
        wrong = self._wrong(fields, to)
        if wrong:
            return _json(400, {"message": wrong})
        variables = orjson.loads(fields.get("recipient-variables", "{}"))
        message_id = f"{uuid4().hex}@{request.path_params['domain']}"
        for recipient in to:
            address = parseaddr(recipient)[1]
            own = variables.get(address, {})
            content: dict[str, Any] = {
                name: _filled(fields.get(name, ""), own) for name in ("from", "subject", "text", "html", "template", "t:variables")
            }
            for prefix, name in (("h:", "headers"), ("v:", "user_variables")):
                content[name] = {key[2:]: _filled(value, own) for key, value in fields.items() if key.startswith(prefix)}
            # Without variables of their own all see each other.
            seen = [recipient] if address in variables else to
            self.keep("message", to=address, content={**content, "to": seen, "message_id": message_id})
        return _json(200, {"id": f"<{message_id}>", "message": "Queued. Thank you."})

    def _wrong(self, fields: Mapping[str, str], to: Sequence[str]) -> str:
        for name in ("from", "to"):
            if not fields.get(name):
                return f"{name} parameter is missing"
        if not EMAIL.fullmatch(parseaddr(fields["from"])[1]):
            return "'from' parameter is not a valid address. please check documentation"
        if not fields.get("subject") and not fields.get("template"):
            return "subject parameter is missing"
        if not any(fields.get(name) for name in ("text", "html", "template")):
            return "Need at least one of 'text', 'html' or 'template' parameters specified"
        if len(to) > A_CALL:
            return "to parameter has too many recipients, the limit is 1000"
        if sum(len(value) for name, value in fields.items() if name[:2] in ("o:", "h:", "v:")) > OPTIONS_SIZE:
            return "parameters o:, h: and v: are limited to 16KB total"
        for recipient in to:
            if self.refused(f"{recipient} {fields.get('recipient-variables', '')}") or not EMAIL.fullmatch(parseaddr(recipient)[1]):
                return f"'to' parameter is not a valid address: {recipient}. please check documentation"
        return ""

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        for one in pending:
            for act in acts(one):
                body = orjson.dumps({"signature": signed(str(int(time.time())), uuid4().hex), "event-data": _event(one, act)})
                yield Outgoing(body, 1, {"content-type": "application/json"})


def signed(timestamp: str, token: str) -> dict[str, str]:
    """As Mailgun signs."""
    signature = hmac.new(SIGNING_KEY.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"timestamp": timestamp, "token": token, "signature": signature}


def _event(one: Pending, act: Act) -> dict[str, Any]:
    event, fields = EVENTS[act.kind]
    content = one.kept.content
    return {
        "event": event,
        "id": base64.urlsafe_b64encode(event_id(one, act)).decode(),
        "timestamp": one.at(act.at).timestamp(),
        "log-level": "error" if event == "failed" else "info",
        "recipient": one.kept.to,
        "recipient-domain": one.kept.to.rpartition("@")[2],
        "message": {"headers": {"message-id": content["message_id"], "to": one.kept.to, "subject": content["subject"]}},
        "user-variables": content["user_variables"],
        "tags": [],
        **fields,
        **({"url": act.url} if act.url else {}),
    }


def _filled(text: str, own: Mapping[str, Any]) -> str:
    return VARIABLE.sub(lambda found: str(own.get(found[1], found[0])), text)


def _authorised(request: Request) -> bool:
    return request.headers.get("authorization") == "Basic " + base64.b64encode(f"api:{API_KEY}".encode()).decode()


def _json(status: int, content: Any) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


FORBIDDEN = PlainTextResponse("Forbidden", 401)
