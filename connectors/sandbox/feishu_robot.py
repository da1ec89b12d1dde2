"""A Feishu group with a custom robot that checks signatures. Every answer is 200; `code` says what came of it."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox._room import Room, answer
from connectors.sandbox.faults import Fault

HOOK = "sandbox-feishu-hook"
SECRET = "sandbox-feishu-signing-secret"
GOOD_FOR = 3600


class FeishuRobot(Room):
    """Takes text for the right hook, signed within the hour; 11232 is what too many messages get."""

    def routes(self) -> Sequence[Route]:
        return [Route("/open-apis/bot/v2/hook/{hook}", self.send, methods=["POST"])]

    def refuse(self, fault: Fault) -> Response:
        if fault.kind == "rate_limit":
            return answer(code=11232, msg="frequency limited psm[sandbox]")
        return Response(b"", 500)

    async def send(self, request: Request) -> Response:
        if request.path_params["hook"] != HOOK:
            return answer(code=19001, data={}, msg="param invalid: incoming webhook access token invalid")
        try:
            body = orjson.loads(await request.body())
            kind, text = body["msg_type"], body["content"]["text"]
        except (ValueError, KeyError, TypeError):
            return answer(code=9499, msg="Bad Request", data={})
        if not _signed(body):
            return answer(code=19021, data={}, msg="sign match fail or timestamp is not within one hour from current time")
        if kind != "text" or not isinstance(text, str) or not text:
            return answer(code=19002, data={}, msg="params error, text content is empty")
        if fault := self.refused(text):
            return answer(code=int(fault.code or 9499), msg="Bad Request", data={})
        self.take(text)
        return answer(code=0, msg="success", data={})


def _signed(body: dict[str, Any]) -> bool:
    timestamp, sign = str(body.get("timestamp", "")), str(body.get("sign", ""))
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > GOOD_FOR:
        return False
    right = base64.b64encode(hmac.digest(f"{timestamp}\n{SECRET}".encode(), b"", "sha256"))
    return hmac.compare_digest(sign.encode(), right)
