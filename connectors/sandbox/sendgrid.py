"""SendGrid: `/v3/mail/send`, and the event webhook for what it took and for the mail of the sandbox's mail server, as if that were its relay.

What recipients would have done is signed as SendGrid signs.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox._recipients import ADDRESS, FULL, GONE, USER_AGENT, Act, acts, event_id
from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown
from connectors.sandbox.faults import Fault

API_KEY = "SG.sandbox.sluice-sandbox-sendgrid-key"
EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+")
TEMPLATE = re.compile(r"d-[0-9a-f]{32}")
RESERVED = {"to", "from", "subject", "reply-to", "cc", "bcc", "content-type", "content-transfer-encoding", "received", "dkim-signature"}
A_CALL = 1000  # recipients
ARGUMENTS = 10_000  # bytes

# A fixed key, so that connectors know it without being told. It signs nothing but the sandbox's own events.
KEY = ec.derive_private_key(int.from_bytes(hashlib.sha256(b"sluice sandbox").digest(), "big") % 2**255, ec.SECP256R1())
EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "accepted": ("processed", {}),
    "gone": ("bounce", {"type": "bounce", "status": "5.1.1", "reason": GONE}),
    "full": ("bounce", {"type": "blocked", "status": "4.2.2", "reason": FULL}),
    "delivered": ("delivered", {"response": "250 2.0.0 OK"}),
    "opened": ("open", {"sg_machine_open": False}),
    "clicked": ("click", {}),
    "left": ("unsubscribe", {}),
    "complained": ("spamreport", {}),
}


class Wrong(Exception):
    """Why a request is refused, and the field it is about."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class SendGrid(Emulator):
    """A send is taken or refused as a whole; a `partial` fault refuses it for the personalization that matches."""

    destination = "sendgrid"
    reports_on = frozenset({"smtp", "sendgrid"})
    chunk = 200

    def routes(self) -> Sequence[Route]:
        return [Route("/v3/mail/send", self._send, methods=["POST"]), Route("/v3/scopes", self._scopes, methods=["GET"])]

    def refuse(self, fault: Fault) -> Response:
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        if fault.kind == "rate_limit":
            return _errors(429, None, "too many requests", {**headers, "x-ratelimit-remaining": "0"})
        return _errors(500, None, "internal server error", headers)

    def shown(self, kept: Kept) -> Shown:
        title = kept.content["subject"] or kept.content.get("template_id") or "(no subject)"
        return Shown(title, kept.content["text"], kept.content["html"] or None)

    async def _scopes(self, request: Request) -> Response:
        return _json(200, {"scopes": ["mail.send", "user.profile.read"]}) if _authorised(request) else UNAUTHORISED

    async def _send(self, request: Request) -> Response:
        if not _authorised(request):
            return UNAUTHORISED
        try:
            mail = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            return _errors(400, None, "Bad Request")
        try:
            taken = list(self._read(mail))
        except Wrong as wrong:
            return _errors(400, wrong.field, str(wrong))
        message_id = uuid4().hex[:22]
        for to, content in taken:
            smtp_id = f"<{message_id}@geopod-ismtpd-0>"
            self.keep("message", to=to, content={**content, "smtp_id": smtp_id, "message_id": message_id})
        return Response(b"", 202, {"x-message-id": message_id})

    def _read(self, mail: Any) -> Iterable[tuple[str, dict[str, Any]]]:
        """Recipients, and what each gets. Nothing is taken before all of it is read. Raises Wrong."""
        if not isinstance(mail, dict):
            raise Wrong("", "Invalid type. Expected: object.")
        sender, personalizations, template = _address(mail.get("from"), "from"), mail.get("personalizations"), mail.get("template_id")
        if not isinstance(personalizations, list) or not 1 <= len(personalizations) <= A_CALL:
            raise Wrong(
                "personalizations", "The personalizations field is required and must have at least one and at most 1000 personalizations."
            )
        parts = mail.get("content") or []
        if not isinstance(parts, list) or not all(isinstance(part, dict) and part.get("type") and part.get("value") for part in parts):
            raise Wrong("content", "The content value must be a string at least one character in length.")
        if template is None and not parts:
            raise Wrong("content", "Unless a valid template_id is provided, the content parameter is required.")
        if [part["type"] for part in parts][1:2] == ["text/plain"]:
            raise Wrong("content", "If present, text/plain must be first, followed by text/html.")
        if template is not None and not TEMPLATE.fullmatch(template):
            raise Wrong("template_id", "The template_id must be a valid template ID, you provided an unknown one.")
        bodies = {part["type"]: part["value"] for part in parts}
        for number, one in enumerate(personalizations):
            field = f"personalizations.{number}"
            if not isinstance(one, dict):
                raise Wrong(field, "Invalid type. Expected: object.")
            if fault := self.refused(orjson.dumps(one).decode()):
                raise Wrong(f"{field}.to.0.email", fault.code or "Does not contain a valid address.")
            headers, arguments = one.get("headers", {}), one.get("custom_args", {})
            if reserved := RESERVED & {name.lower() for name in headers}:
                raise Wrong(f"{field}.headers", f"The header {sorted(reserved)[0]} is reserved.")
            if len(orjson.dumps(arguments)) >= ARGUMENTS:
                raise Wrong(f"{field}.custom_args", "The total size of custom_args must be less than 10000 bytes.")
            subject = one.get("subject") or mail.get("subject")
            if not subject and template is None:
                raise Wrong("subject", "The subject is required. You can get around this requirement if you use a template with a subject.")
            if not one.get("to"):
                raise Wrong(
                    f"{field}.to", "The to array is required for all personalization objects, and must have at least one email object."
                )
            for place, to in enumerate(one["to"]):
                yield (
                    _address(to, f"{field}.to.{place}"),
                    {
                        "from": sender,
                        "subject": subject or "",
                        "text": bodies.get("text/plain", ""),
                        "html": bodies.get("text/html", ""),
                        "headers": {**mail.get("headers", {}), **headers},
                        "unique_args": {**mail.get("custom_args", {}), **arguments},
                        "template_id": template,
                        "params": one.get("dynamic_template_data", {}),
                    },
                )

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        events = [_event(one, act) for one in pending for act in acts(one)]
        # SendGrid ends its body with CRLF, and signs that too.
        body = orjson.dumps(events) + b"\r\n"
        timestamp = str(int(time.time()))
        signature = KEY.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        headers = {
            "content-type": "application/json",
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
            "x-twilio-email-event-webhook-timestamp": timestamp,
        }
        yield Outgoing(body, len(events), headers)


def _event(one: Pending, act: Act) -> dict[str, Any]:
    kept = one.kept
    event, fields = EVENTS[act.kind]
    if act.kind in ("opened", "clicked"):
        fields = {**fields, "useragent": USER_AGENT, "ip": ADDRESS, **({"url": act.url} if act.url else {})}
    common = {
        "email": kept.to,
        "timestamp": int(one.at(act.at).timestamp()),
        "smtp-id": kept.content["smtp_id"],
        "event": event,
        "sg_event_id": base64.urlsafe_b64encode(event_id(one, act)).decode(),
        "sg_message_id": f"{kept.content.get('message_id') or f'sandbox{kept.id}'}.recvd-0",
    }
    return {**common, **kept.content["unique_args"], **fields}


def _address(given: Any, field: str) -> str:
    if not isinstance(given, dict) or not isinstance(given.get("email"), str) or not EMAIL.fullmatch(given["email"]):
        raise Wrong(f"{field}.email", "Does not contain a valid address.")
    return str(given["email"])


def _authorised(request: Request) -> bool:
    return request.headers.get("authorization") == f"Bearer {API_KEY}"


def _json(status: int, content: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, "application/json")


def _errors(status: int, field: str | None, message: str, headers: dict[str, str] | None = None) -> Response:
    return _json(status, {"errors": [{"message": message, "field": field, "help": None}]}, headers)


UNAUTHORISED = _errors(401, None, "The provided authorization grant is invalid, expired, or revoked")
