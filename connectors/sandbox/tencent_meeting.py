"""Tencent Meeting as seen from outside: people are enrolled for a meeting, and its event subscription tells who came and left.

Enrolling is 导入会议报名信息 of the REST API, signed as its JWT authentication says (HMAC-SHA256 over method, key, nonce, time, path and body).

Nobody is told of by an address: a participant has the id that Tencent Meeting gave them. Events are encrypted where the subscription has a
key, which that of the sandbox does not have.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown, fate

TOKEN = "sandboxtencentmeetingtoken"
SECRET_ID, SECRET_KEY = "sandbox-meeting-secret-id", "sandbox-meeting-secret-key"
MOST = 1000  # people of one call
SKEW = 300  # seconds
SUBJECT = "产品直播 🎉"


class TencentMeeting(Emulator):
    """Takes lists of people by a signed call; what is no list gets 400, and who has neither id nor telephone number is left out."""

    destination = "tencent_meeting"

    def routes(self) -> Sequence[Route]:
        return [Route("/v1/meetings/{meeting}/enroll/import", self._enroll, methods=["POST"])]

    async def _enroll(self, request: Request) -> Response:
        body = await request.body()
        if wrong := _unsigned(request, body):
            return _json(401, {"error_info": {"error_code": 200003, "message": wrong}})
        try:
            asked = orjson.loads(body)
            people = [(str(one.get("nick_name") or ""), _who(one)) for one in asked["enroll_list"]]
            fits = len(people) <= MOST and asked["operator_id"] and asked["operator_id_type"] in (1, 2) and asked["instanceid"]
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            fits = False
        if not fits:
            return _json(400, {"error_info": {"error_code": 10000, "message": "invalid parameter"}})
        enrolled = []
        for name, who in people:
            if who and not self.refused(who):
                kept = self.keep("enrolled", to=who, content={"meeting": request.path_params["meeting"], "name": name})
                enrolled.append({"enroll_id": kept.id, "nick_name": name, "userid": who})
        return _json(200, {"total_count": len(enrolled), "enroll_list": enrolled})

    def shown(self, kept: Kept) -> Shown:
        return Shown(f"enrolled for {kept.content['meeting']}", kept.content["name"])

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        for one in pending:
            for event, moment in events(one):
                operator = {"userid": one.kept.to, "uuid": f"We{one.kept.to}", "user_name": one.kept.content["name"], "instance_id": "1"}
                meeting = {"meeting_id": one.kept.content["meeting"], "meeting_code": "907111122", "subject": SUBJECT, "meeting_type": 0}
                told = {"operate_time": int(moment.timestamp() * 1000), "operator": operator, "meeting_info": meeting}
                yield posted(orjson.dumps({"event": event, "trace_id": f"{one.kept.id}", "payload": [told]}))


def signature(method: str, path: str, body: bytes, nonce: str, timestamp: str) -> str:
    """As a caller signs."""
    text = f"{method}\nX-TC-Key={SECRET_ID}&X-TC-Nonce={nonce}&X-TC-Timestamp={timestamp}\n{path}\n".encode() + body
    return base64.b64encode(hmac.new(SECRET_KEY.encode(), text, hashlib.sha256).hexdigest().encode()).decode()


def _unsigned(request: Request, body: bytes) -> str:
    """Why this call is not believed; empty when it is."""
    key, nonce, timestamp, given = (request.headers.get(f"x-tc-{name}", "") for name in ("key", "nonce", "timestamp", "signature"))
    if not given:
        return "signature is empty"
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > SKEW:
        return "timestamp is expired"
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    right = signature(request.method, path, body, nonce, timestamp)
    return "" if key == SECRET_ID and hmac.compare_digest(given, right) else "signature verification failed"


def _who(one: Mapping[str, Any]) -> str:
    return str(one.get("open_id") or one.get("userid") or one.get("phone_number") or "")


def posted(message: bytes) -> Outgoing:
    """One event: in base64, and signed with what stands in the headers."""
    data = base64.b64encode(message).decode()
    return Outgoing(orjson.dumps({"data": data}), headers={**signed(data), "content-type": "application/json"})


def check(text: str) -> tuple[str, dict[str, str]]:
    """The `check_str` of the question whether an address is ours, and its headers: it wants `text` back."""
    data = base64.b64encode(text.encode()).decode()
    return data, signed(data)


def signed(data: str) -> dict[str, str]:
    timestamp, nonce = str(int(time.time())), str(secrets.randbelow(10**10))
    digest = hashlib.sha1("".join(sorted([TOKEN, timestamp, nonce, data])).encode(), usedforsecurity=False).hexdigest()
    return {"timestamp": timestamp, "nonce": nonce, "signature": digest}


def events(one: Pending) -> Iterator[tuple[str, datetime]]:
    """What somebody did: of ten, seven came, and left."""
    who, meeting = one.kept.to, one.kept.content["meeting"]
    if fate(who, meeting, "comes") < 0.7:
        yield "meeting.participant-joined", one.at(0.3)
        yield "meeting.participant-left", one.at(0.3 + 0.6 * fate(who, meeting, "stays"))


def _json(status: int, content: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
