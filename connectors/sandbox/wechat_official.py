"""A WeChat service account as seen from outside: tokens, messages of every kind, followers and their tags, and encrypted events."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox._wechat_answers import OPENID, answer, error, follows, json_object
from connectors.sandbox._wechat_door import Post, Tokens
from connectors.sandbox._wechat_followers import Followers
from connectors.sandbox._wechat_messages import Speech
from connectors.sandbox._wechat_tags import FanTags
from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown, fate
from connectors.sandbox.faults import Fault

APPID = "wx5f1e2d3c4b5a6978"
APP_SECRET = "sandbox-wechat-app-secret"
CALLBACK_TOKEN = "sandboxWechatToken"
ENCODING_AES_KEY = "c2FuZGJveC13ZWNoYXQtYWVzLWtleS0zMi1ieXRlcyE"
ACCOUNT = "gh_5f1e2d3c4b5a"

FIRST_MSGID = 3_100_000_000_000_000_000
NO_REPEAT = timedelta(minutes=10)
SPOKEN = {"notice", "service", "mass"}
TOKEN_TROUBLES = {40001, 40014, 42001}


class WechatOfficial(Emulator):
    """Answers are HTTP 200, and `errcode` says. A `partial` fault refuses a message, or a whole call of tagging or mass sending, with `code`
    (default 43004, 43101 for notices, 45015 for customer service, and 40003 for tags and mass messages); with 40001, 40014 or 42001 it expires all tokens too. `rate_limit` is 45011, `server_error` -1.

    2 in 100 openids do not follow. Of those who get a message, 3 in 100 have blocked the account and 1 in 100 stops following.
    """

    destination = "wechat"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._tokens = Tokens()
        self._post = Post(APPID, CALLBACK_TOKEN, ENCODING_AES_KEY, ACCOUNT)
        self._messages = 0
        self._repeats: dict[tuple[str, str], Kept] = {}
        self.tags = FanTags(self)
        self.speech = Speech(self)
        self.followers = Followers(self)

    def routes(self) -> Sequence[Route]:
        def post(path: str, handle: Callable[[Mapping[str, Any]], Response]) -> Route:
            return Route(f"/cgi-bin/{path}", self._authorised(handle), methods=["POST"])

        return [
            Route("/cgi-bin/stable_token", self._stable_token, methods=["POST"]),
            Route("/cgi-bin/token", self._token, methods=["GET"]),
            Route("/cgi-bin/tags/get", self._authorised(self.tags.listed), methods=["GET"]),
            post("tags/create", self.tags.create),
            post("tags/members/batchtagging", lambda sent: self.tags.mark(sent, "tagged")),
            post("tags/members/batchuntagging", lambda sent: self.tags.mark(sent, "untagged")),
            post("message/template/send", self._send),
            post("message/subscribe/bizsend", self.speech.notice),
            post("message/custom/send", self.speech.service),
            post("message/mass/send", self.speech.to_openids),
            post("message/mass/sendall", self.speech.to_tag),
            post("message/mass/get", self.speech.status),
            Route("/cgi-bin/user/get", self._authorised(self.followers.listed), methods=["GET"]),
            post("user/info/batchget", self.followers.info),
            post("openapi/quota/get", self.followers.quota),
        ]

    async def _stable_token(self, request: Request) -> Response:
        sent = json_object(await request.body())
        if sent is None or sent.get("grant_type") != "client_credential":
            return error(47001 if sent is None else 40002)
        if trouble := _credentials_trouble(sent.get("appid"), sent.get("secret")):
            return error(trouble)
        given = self._tokens.stable(fresh=bool(sent.get("force_refresh")))
        return error(45011) if given is None else answer({"access_token": given[0], "expires_in": given[1]})

    async def _token(self, request: Request) -> Response:
        if trouble := _credentials_trouble(request.query_params.get("appid"), request.query_params.get("secret")):
            return error(trouble)
        return answer({"access_token": self._tokens.issue(), "expires_in": 7200})

    def _authorised(self, handle: Callable[[Mapping[str, Any]], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            if trouble := self._tokens.trouble(request.query_params.get("access_token", "")):
                return error(*trouble)
            body = await request.body()
            if re.search(rb"\\u[0-9a-fA-F]{4}", body):
                return error(40033)
            sent = dict(request.query_params) if request.method == "GET" else json_object(body)
            self.followers.calls[request.url.path] += 1
            return error(47001) if sent is None else handle(sent)

        return checked

    def refusal(self, text: str, otherwise: int) -> Response | None:
        fault = self.refused(text)
        if fault is None:
            return None
        code = int(fault.code or otherwise)
        if code in TOKEN_TROUBLES:
            self._tokens.expire()
        return error(code)

    def malformed(self, sent: Mapping[str, Any]) -> Response | None:
        """The refusal of what is no message by a template."""
        openid, template, data = sent.get("touser"), sent.get("template_id"), sent.get("data")
        if not isinstance(openid, str) or not OPENID.fullmatch(openid):
            return error(40003)
        if not isinstance(template, str) or not template:
            return error(40037)
        if not isinstance(data, dict):
            return error(47001)
        for name, field in data.items():
            value = field.get("value") if isinstance(field, dict) else None
            if not isinstance(value, str) or not value or (name.startswith("thing") and len(value) > 20):
                return error(47003, f"argument invalid! data.{name}.value invalid")
        return None

    def _send(self, sent: Mapping[str, Any]) -> Response:
        if refused := self.refusal(orjson.dumps(sent).decode(), otherwise=43004) or self.malformed(sent):
            return refused
        openid = sent["touser"]
        if not follows(openid):
            return error(43004)
        kept = self._repeats.get((openid, str(sent.get("client_msg_id"))))
        if kept is None or time.time() - kept.at.timestamp() > NO_REPEAT.total_seconds():
            kept = self.keep("message", to=openid, content={**sent, "msgid": FIRST_MSGID + self._messages})
        return answer({"errcode": 0, "errmsg": "ok", "msgid": kept.content["msgid"]})

    def apply(self, kept: Kept) -> None:
        if kept.kind == "message":
            self._messages += 1
            if "client_msg_id" in kept.content:
                self._repeats[kept.to, str(kept.content["client_msg_id"])] = kept
        elif kept.kind in SPOKEN:
            self.speech.apply(kept)
        else:
            self.tags.apply(kept)

    def state(self) -> Any:
        return {"messages": self._messages, "tags": self.tags.state()}

    def shown(self, kept: Kept) -> Shown:
        if kept.kind in ("service", "mass"):
            return Shown(f"{kept.kind} message", orjson.dumps(kept.content.get(str(kept.content.get("msgtype")))).decode())
        if kept.kind not in ("message", "notice"):
            return Shown(f"{kept.kind} {kept.content['name']}")
        values = [f"{name}: {field['value']}" for name, field in kept.content["data"].items()]
        return Shown(f"template {kept.content['template_id']}", "\n".join([*values, str(kept.content.get("url") or "")]))

    def refuse(self, fault: Fault) -> Response:
        return error(45011 if fault.kind == "rate_limit" else -1)

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        for one in pending:
            if one.kept.kind == "mass":
                yield self._mass_done(one)
            if one.kept.kind != "message":
                continue
            # The start, so that an event that is sent again says the same.
            openid, moment, chance = one.kept.to, int(one.start.timestamp()), fate(one.kept.to, "blocks")
            status = "failed:user block" if chance < 0.03 else "failed: system failed" if chance < 0.04 else "success"
            done = {"Event": "TEMPLATESENDJOBFINISH", "MsgID": str(one.kept.content["msgid"]), "Status": status}
            yield self._post.event(openid, moment, done)
            if status == "success" and fate(openid, "leaves") < 0.01:
                yield self._post.event(openid, moment, {"Event": "unsubscribe", "EventKey": ""})

    def _mass_done(self, one: Pending) -> Outgoing:
        total, sent = len(one.kept.content["openids"]), len(one.kept.content["reached"])
        counts = {"TotalCount": total, "FilterCount": total, "SentCount": sent, "ErrorCount": total - sent}
        done = {"Event": "MASSSENDJOBFINISH", "MsgID": str(one.kept.content["msg_id"]), "Status": "send success"}
        return self._post.event("mphelper", int(one.start.timestamp()), done | {name: str(count) for name, count in counts.items()})


def _credentials_trouble(appid: Any, secret: Any) -> int | None:
    if appid != APPID:
        return 40013
    return None if secret == APP_SECRET else 40125
