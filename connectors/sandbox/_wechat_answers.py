"""What WeChat says: HTTP 200 and JSON, whatever happened."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from connectors.sandbox.emulator import fate

OPENID = re.compile(r"o[A-Za-z0-9_-]{27}")
ERRMSG = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40003: "invalid openid",
    40013: "invalid appid",
    40032: "invalid openid list size",
    40033: "invalid charset. please check your request, if include \\uxxxx will create fail!",
    40037: "invalid template_id",
    40130: "invalid openid list size, at least two openid",
    40125: "invalid appsecret",
    42001: "access_token expired",
    43004: "require subscribe",
    43101: "user refuse to accept the msg",
    44004: "empty content",
    40008: "invalid message type",
    45009: "reach max api daily quota limit",
    45015: "response out of time limit or subscription is canceled",
    45047: "out of response count limit",
    45065: "clientmsgid exist",
    45066: "same clientmsgid retry too fast",
    45067: "clientmsgid size out of limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45056: "too many tags, can not create new",
    45059: "can't tag this user any more",
    45157: "invalid tag name",
    45158: "tag name too long",
    45159: "invalid tag id",
    47001: "data format error",
    50005: "user is unsubscribed",
    76003: "cgi_path not found",
}


def answer(content: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(content), media_type="application/json; encoding=utf-8")


def error(code: int, said: str = "") -> Response:
    """A refusal, with the request id that WeChat adds to its words."""
    rid = "-".join((f"{int(time.time()):x}", secrets.token_hex(4), secrets.token_hex(4)))
    return answer({"errcode": code, "errmsg": f"{said or ERRMSG.get(code, 'error')} rid: {rid}"})


def json_object(body: bytes) -> dict[str, Any] | None:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def follows(openid: str) -> bool:
    """2 in 100 do not."""
    return fate(openid, "follows") >= 0.02
