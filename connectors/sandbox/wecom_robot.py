"""A WeCom group with a robot. Every answer is 200; `errcode` says what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox._room import Room, answer
from connectors.sandbox.faults import Fault

KEY = "sandbox-wecom-robot-key"
LONGEST = 2048
CALLED = ("mentioned_list", "mentioned_mobile_list")


class WecomRobot(Room):
    """Takes text of at most 2048 bytes under the right key; 45009 is what too many messages get."""

    def routes(self) -> Sequence[Route]:
        return [Route("/cgi-bin/webhook/send", self.send, methods=["POST"])]

    def refuse(self, fault: Fault) -> Response:
        if fault.kind == "rate_limit":
            return answer(errcode=45009, errmsg="api freq out of limit")
        return Response(b"", 500)

    async def send(self, request: Request) -> Response:
        if request.query_params.get("key") != KEY:
            return answer(errcode=93000, errmsg="invalid webhook url")
        try:
            body = orjson.loads(await request.body())
            kind, text = body["msgtype"], body["text"]["content"]
        except (ValueError, KeyError, TypeError):
            return answer(errcode=40008, errmsg="invalid message type")
        if kind != "text" or not isinstance(text, str):
            return answer(errcode=40008, errmsg="invalid message type")
        if not text:
            return answer(errcode=44004, errmsg="empty content")
        if len(text.encode()) > LONGEST:
            return answer(errcode=40058, errmsg=f"text.content exceed max length {LONGEST}")
        if fault := self.refused(text):
            return answer(errcode=int(fault.code or 40008), errmsg="invalid message type")
        self.take(text, **{name: body["text"][name] for name in CALLED if name in body["text"]})
        return answer(errcode=0, errmsg="ok")
