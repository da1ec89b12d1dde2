"""A Slack channel with an incoming webhook. It answers in plain words: `ok`, or what is wrong with a status that fits."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.sandbox._room import Room
from connectors.sandbox.faults import Fault

HOOK = "T0SANDBOX/B0SANDBOX/sandbox-slack-hook"


class Slack(Room):
    """Takes text for the right webhook; too many messages get 429 with the seconds to wait."""

    def routes(self) -> Sequence[Route]:
        return [Route("/services/{hook:path}", self.send, methods=["POST"])]

    def refuse(self, fault: Fault) -> Response:
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        return PlainTextResponse("rate_limited", 429, headers) if fault.kind == "rate_limit" else PlainTextResponse("rollup_error", 500)

    async def send(self, request: Request) -> Response:
        if request.path_params["hook"] != HOOK:
            return PlainTextResponse("no_service", 404)
        try:
            text = orjson.loads(await request.body())["text"]
        except (ValueError, KeyError, TypeError):
            return PlainTextResponse("invalid_payload", 400)
        if not isinstance(text, str) or not text:
            return PlainTextResponse("no_text", 400)
        if fault := self.refused(text):
            return PlainTextResponse(fault.code or "invalid_payload", 400)
        self.take(text)
        return PlainTextResponse("ok")
