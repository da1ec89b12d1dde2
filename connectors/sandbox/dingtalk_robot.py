"""A DingTalk group with a custom robot that checks signatures. Every answer is 200; `errcode` says what came of it."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Mapping, Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox._room import Room, answer
from connectors.sandbox.faults import Fault

TOKEN = "sandbox-dingtalk-access-token"
SECRET = "SECsandbox-dingtalk-signing-secret"
GOOD_FOR = 3_600_000


class DingtalkRobot(Room):
    """Takes text for the right token, signed within the hour; 130101 is what too many messages get."""

    def routes(self) -> Sequence[Route]:
        return [Route("/robot/send", self.send, methods=["POST"])]

    def refuse(self, fault: Fault) -> Response:
        if fault.kind == "rate_limit":
            return answer(errcode=130101, errmsg="send too fast, exceed 20 times per minute")
        return Response(b"", 500)

    async def send(self, request: Request) -> Response:
        if request.query_params.get("access_token") != TOKEN:
            return answer(errcode=300001, errmsg="token is not exist")
        if not _signed(request.query_params):
            return answer(errcode=310000, errmsg="sign not match")
        try:
            body = orjson.loads(await request.body())
            kind, text = body["msgtype"], body["text"]["content"]
        except (ValueError, KeyError, TypeError):
            return answer(errcode=40035, errmsg="缺少参数 json")
        if kind != "text" or not isinstance(text, str) or not text:
            return answer(errcode=400801, errmsg="text content is empty")
        if fault := self.refused(text):
            return answer(errcode=int(fault.code or 430104), errmsg="the message is not accepted")
        self.take(text)
        return answer(errcode=0, errmsg="ok")


def _signed(query: Mapping[str, str]) -> bool:
    timestamp = query.get("timestamp", "")
    if not timestamp.isdigit() or abs(time.time() * 1000 - int(timestamp)) > GOOD_FOR:
        return False
    right = base64.b64encode(hmac.digest(SECRET.encode(), f"{timestamp}\n{SECRET}".encode(), "sha256"))
    return hmac.compare_digest(query.get("sign", "").encode(), right)
