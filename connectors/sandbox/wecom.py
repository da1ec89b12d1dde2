"""A WeCom corp as seen from outside: an app that writes to employees, and its customers: tags, contacts, tasks of group messages, events."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox._wechat_answers import answer, json_object
from connectors.sandbox._wechat_door import Post
from connectors.sandbox._wecom_customers import Customers, events
from connectors.sandbox.emulator import Emulator, Kept, Outgoing, Pending, Shown
from connectors.sandbox.faults import Fault

CORPID = "ww5f1e2d3c4b5a6978"
SECRETS = {"sandbox-wecom-customer-secret": 0, "sandbox-wecom-app-secret": 1000002}  # with the app each is of
CALLBACK_TOKEN = "sandboxWecomToken"
ENCODING_AES_KEY = "c2FuZGJveC13ZWNvbS1hZXMta2V5LTMyLWJ5dGVzISE"
ERRMSG = {
    -1: "system error",
    40001: "invalid credential",
    40003: "invalid UserID",
    40008: "invalid message type",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40033: "invalid charset",
    40056: "invalid agentid",
    40058: "invalid Request Parameter",
    40068: "invalid tagid",
    40071: "tag name already exist",
    42001: "access_token expired",
    44004: "empty content",
    45009: "api freq out of limit",
    47001: "data format error",
    48002: "API forbidden",
    81013: "user & party & tag all invalid",
    84061: "not external contact",
}
TOKEN_TROUBLES = {40014, 42001}
LONGEST = 2048
USERID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
CONTENT = {"text": "content", "markdown": "content", "textcard": "url"}


class Wecom(Emulator):
    """Answers are HTTP 200, and `errcode` says. A `partial` fault refuses a message to employees or a marking with `code` (default 40003 and
    84061), and puts a customer on the `fail_list` of a group message. `rate_limit` is 45009, `server_error` -1.

    Userids that begin with `left` are nobody's. Members confirm tasks when they are told to, and after an hour.
    """

    destination = "wecom"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.customers = Customers(self)
        self._post = Post(CORPID, CALLBACK_TOKEN, ENCODING_AES_KEY, CORPID)
        self._tokens: dict[str, str] = {}  # by secret
        self._expired: set[str] = set()
        self._said: list[Kept] = []
        self.given = 0

    def routes(self) -> Sequence[Route]:
        def post(path: str, handle: Callable[[Mapping[str, Any]], Response]) -> Route:
            return Route(f"/cgi-bin/{path}", self._authorised(handle), methods=["POST"])

        def get(path: str, handle: Callable[[Mapping[str, Any]], Response]) -> Route:
            return Route(f"/cgi-bin/{path}", self._authorised(handle), methods=["GET"])

        here = self.customers
        return [
            Route("/cgi-bin/gettoken", self._token, methods=["GET"]),
            post("message/send", self._say),
            get("externalcontact/get_follow_user_list", here.members),
            get("externalcontact/list", here.of_member),
            post("externalcontact/batch/get_by_user", here.batch),
            post("externalcontact/get_corp_tag_list", here.tags),
            post("externalcontact/add_corp_tag", here.make_tag),
            post("externalcontact/mark_tag", here.mark),
            post("externalcontact/add_msg_template", here.make_task),
            post("externalcontact/get_groupmsg_list_v2", here.tasks),
            post("externalcontact/get_groupmsg_task", here.task_members),
            post("externalcontact/get_groupmsg_send_result", here.task_results),
        ]

    def expire(self) -> None:
        """No token that was given is good any more."""
        self._expired |= set(self._tokens.values())
        self._tokens.clear()

    async def _token(self, request: Request) -> Response:
        query = request.query_params
        if query.get("corpid") != CORPID:
            return self.error(40013)
        secret = query.get("corpsecret", "")
        if secret not in SECRETS:
            return self.error(40001)
        if secret not in self._tokens:
            self.given += 1
            self._tokens[secret] = secrets.token_urlsafe(160)
        return self.well(access_token=self._tokens[secret], expires_in=7200)

    def _authorised(self, handle: Callable[[Mapping[str, Any]], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            token = request.query_params.get("access_token", "")
            secret = next((secret for secret, given in self._tokens.items() if given == token), None)
            if secret is None:
                return self.error(42001 if token in self._expired else 40014)
            sent = dict(request.query_params) if request.method == "GET" else json_object(await request.body())
            if sent is None:
                return self.error(47001)
            app = SECRETS[secret]
            if bool(app) == ("externalcontact" in request.url.path):
                return self.error(48002)
            return handle({**sent, "agent of the token": app} if app else sent)

        return checked

    def well(self, **content: Any) -> Response:
        return answer({"errcode": 0, "errmsg": "ok", **content})

    def error(self, code: int) -> Response:
        hint = f"hint: [{int(time.time())}{secrets.randbelow(10**6):06}], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e={code}"
        return answer({"errcode": code, "errmsg": f"{ERRMSG.get(code, 'error')}, {hint}"})

    def refusal(self, text: str, otherwise: int) -> Response | None:
        fault = self.refused(text)
        if fault is None:
            return None
        code = int(fault.code or otherwise)
        if code in TOKEN_TROUBLES:
            self.expire()
        return self.error(code)

    def _say(self, sent: Mapping[str, Any]) -> Response:
        kind = str(sent.get("msgtype"))
        said = sent.get(kind)
        text = str(said.get(CONTENT.get(kind, "")) or "") if isinstance(said, dict) else ""
        if refused := self.refusal(f"{sent.get('touser')} {text}", otherwise=40003):
            return refused
        if sent.get("agentid") != sent["agent of the token"]:
            return self.error(40056)
        if kind not in CONTENT or not isinstance(said, dict):
            return self.error(40008)
        if not text:
            return self.error(44004)
        to = [name for name in str(sent.get("touser") or "").split("|") if name]
        invalid = [name for name in to if name != "@all" and (not USERID.fullmatch(name) or name.startswith("left"))]
        if len(invalid) == len(to):
            return self.error(81013)
        # What is too long is cut.
        content = {"msgtype": kind, **said} | ({"content": text.encode()[:LONGEST].decode(errors="ignore")} if "content" in said else {})
        reached = "|".join(name for name in to if name not in invalid)
        since = time.time() - (int(sent.get("duplicate_check_interval", 1800)) if sent.get("enable_duplicate_check") == 1 else 0)
        if not any(kept.to == reached and kept.content == content and kept.at.timestamp() > since for kept in self._said):
            self.keep("message", to=reached, content=content)
        return self.well(invaliduser="|".join(invalid).lower(), invalidparty="", invalidtag="", msgid=secrets.token_urlsafe(32))

    def apply(self, kept: Kept) -> None:
        if kept.kind == "message":
            self._said.append(kept)
        else:
            self.customers.apply(kept)

    def state(self) -> Any:
        return {"messages": len(self._said), **self.customers.state()}

    def shown(self, kept: Kept) -> Shown:
        words = kept.content.get("text") or {}
        if kept.kind == "task":
            return Shown(f"{kept.content['sender']} is asked to send", str(words.get("content") or ""))
        if kept.kind == "message":
            return Shown(f"{kept.content['msgtype']} to employees", str(kept.content.get("content") or kept.content.get("title")))
        return Shown(kept.kind)

    def refuse(self, fault: Fault) -> Response:
        return self.error(45009 if fault.kind == "rate_limit" else -1)

    def receipts(self, pending: Sequence[Pending], url: str) -> Iterable[Outgoing]:
        for one in pending:
            for said in events(one.kept, int(one.start.timestamp())):
                post = self._post.post({"ToUserName": CORPID, **said}, "")
                query = {name: value for name, value in post.query.items() if name in {"timestamp", "nonce", "msg_signature"}}
                yield Outgoing(post.body, headers=post.headers, query=query)
