"""Tencent Meeting as seen from outside: people are enrolled for a meeting, and its event subscription tells who came and left.

Nobody is told of by an address: a participant has the id that Tencent Meeting gave them. Events are encrypted where the subscription has a
key, which that of the sandbox does not have.
"""

from __future__ import annotations

import base64
import hashlib
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
SUBJECT = "产品直播 🎉"


class TencentMeeting(Emulator):
    """Takes lists of people under any signed call; what is no list gets 400."""

    destination = "tencent_meeting"

    def routes(self) -> Sequence[Route]:
        return [Route("/v1/meetings/{meeting}/enroll/import", self._enroll, methods=["POST"])]

    async def _enroll(self, request: Request) -> Response:
        if not request.headers.get("x-tc-signature"):
            return _json(401, {"error_info": {"error_code": 200003, "message": "signature is empty"}})
        try:
            people = [(str(one["nick_name"]), str(one["userid"])) for one in orjson.loads(await request.body())["enroll_list"]]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _json(400, {"error_info": {"error_code": 10000, "message": "invalid parameter"}})
        taken = [(name, userid) for name, userid in people if not self.refused(userid)]
        for name, userid in taken:
            self.keep("enrolled", to=userid, content={"meeting": request.path_params["meeting"], "name": name})
        return _json(200, {"total_count": len(taken)})

    def shown(self, kept: Kept) -> Shown:
        return Shown(f"enrolled for {kept.content['meeting']}", kept.content["name"])

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        for one in pending:
            for event, moment in events(one):
                operator = {"userid": one.kept.to, "uuid": f"We{one.kept.to}", "user_name": one.kept.content["name"], "instance_id": "1"}
                meeting = {"meeting_id": one.kept.content["meeting"], "meeting_code": "907111122", "subject": SUBJECT, "meeting_type": 0}
                told = {"operate_time": int(moment.timestamp() * 1000), "operator": operator, "meeting_info": meeting}
                yield posted(orjson.dumps({"event": event, "trace_id": f"{one.kept.id}", "payload": [told]}))


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
