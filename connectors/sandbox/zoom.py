"""Zoom as seen from outside: people are registered for a webinar, and its webhooks tell who registered, came and left.

Everybody has a registrant id; a part of those who come are told of without their address, as Zoom does of guests.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown, fate

SECRET_TOKEN = b"sandbox-zoom-secret-token"
TOPIC = "产品直播 🎉"


class Zoom(Emulator):
    """Takes registrations under any bearer token; 300 is what Zoom answers to a body that it does not take."""

    destination = "zoom"

    def routes(self) -> Sequence[Route]:
        return [Route("/v2/webinars/{webinar}/registrants", self._register, methods=["POST"])]

    async def _register(self, request: Request) -> Response:
        if not request.headers.get("authorization", "").startswith("Bearer "):
            return _json(401, {"code": 124, "message": "Invalid access token."})
        try:
            person = orjson.loads(await request.body())
            email, first_name = str(person["email"]), str(person["first_name"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _json(400, {"code": 300, "message": "Validation Failed."})
        if "@" not in email or self.refused(email):
            return _json(400, {"code": 300, "message": "Invalid email."})
        webinar = request.path_params["webinar"]
        about = {"webinar": webinar, "registrant_id": registrant_id(webinar, email), "first_name": first_name}
        kept = self.keep("registrant", to=email, content={**about, "last_name": str(person.get("last_name") or "")})
        return _json(201, {"registrant_id": kept.content["registrant_id"], "id": webinar, "topic": TOPIC})

    def shown(self, kept: Kept) -> Shown:
        return Shown(f"registered for {kept.content['webinar']}", f"{kept.content['first_name']} {kept.content['last_name']}".strip())

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        for one in pending:
            for event, moment, person in events(one):
                about = {"uuid": "4444AAAiAAAAAiAiAiiAii==", "id": one.kept.content["webinar"], "topic": TOPIC, "type": 5}
                yield posted(event, {"account_id": "AAAAAABBBB", "object": {**about, **person}}, moment)


def validation(plain: str) -> Outgoing:
    """The question whether an address is ours: it wants `plain` back, signed."""
    return posted("endpoint.url_validation", {"plainToken": plain}, datetime.now().astimezone())


def posted(event: str, payload: Mapping[str, Any], moment: datetime) -> Outgoing:
    """One event, signed with the app's secret token over the time of the call and the body."""
    body = orjson.dumps({"event": event, "payload": payload, "event_ts": int(moment.timestamp() * 1000)})
    timestamp = str(int(time.time()))
    signature = hmac.new(SECRET_TOKEN, b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    headers = {"x-zm-request-timestamp": timestamp, "x-zm-signature": f"v0={signature}", "content-type": "application/json"}
    return Outgoing(body, headers=headers)


def events(one: Pending) -> Iterator[tuple[str, datetime, dict[str, Any]]]:
    """What somebody did: registered; of ten, seven came; of those one in four as a guest."""
    said, email = one.kept.content, one.kept.to
    who = {"id": said["registrant_id"], "email": email, "first_name": said["first_name"], "last_name": said["last_name"]}
    yield "webinar.registration_created", one.at(0.1), {"registrant": {**who, "status": "approved"}}
    if fate(email, said["webinar"], "comes") >= 0.7:
        return
    guest = fate(email, said["webinar"], "is a guest") < 0.25
    name = f"{said['first_name']} {said['last_name']}".strip()
    there = {"registrant_id": said["registrant_id"], "user_name": name, "email": "" if guest else email, "id": "", "user_id": "16782040"}
    came, left = one.at(0.3), one.at(0.3 + 0.6 * fate(email, said["webinar"], "stays"))
    yield "webinar.participant_joined", came, {"participant": {**there, "join_time": _zulu(came)}}
    yield "webinar.participant_left", left, {"participant": {**there, "leave_time": _zulu(left), "leave_reason": "left the webinar"}}


def registrant_id(webinar: str, email: str) -> str:
    return hashlib.sha256(f"{webinar} {email.lower()}".encode()).hexdigest()[:22]


def _zulu(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(status: int, content: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
