"""Tencent Ads as seen from outside: files of identifiers for customer file audiences, and what came of each file."""

from __future__ import annotations

import hmac
import io
import re
import time
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.emulator import Emulator, Kept, Shown
from connectors.sandbox.faults import KINDS, Fault

TOKEN = "sandbox-tencent-ads-token"
SKEW = 300
NONCES = 100_000
LINES = {
    "HASH_MOBILE_PHONE": re.compile(r"[0-9a-f]{32}"),
    "SHA256_MOBILE_PHONE": re.compile(r"[0-9a-f]{64}"),
    "WECHAT_OPENID": re.compile(r"[A-Za-z0-9_-]{28}"),
    "WX_UNIONID": re.compile(r"[A-Za-z0-9_-]{28}"),
    "OAID": re.compile(r"[0-9a-zA-Z-]{16,64}"),
    "IDFA": re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}"),
}


class TencentAds(Emulator):
    """Any account with the sandbox's token, and any audience but those whose id begins with 404. A file is read at once; lines that are no
    identifiers of its kind are counted and left out, so there is no `partial` fault. `held` keeps files from being read."""

    kinds: ClassVar[frozenset[str]] = KINDS - {"partial"}

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.audiences: dict[str, set[str]] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.held = False
        self._nonces: OrderedDict[str, None] = OrderedDict()

    def routes(self) -> Sequence[Route]:
        return [
            Route("/v3.0/custom_audience_files/add", self.add, methods=["POST"]),
            Route("/v3.0/custom_audience_files/get", self.get, methods=["GET"]),
            Route("/v3.0/custom_audiences/get", self.list, methods=["GET"]),
        ]

    def refuse(self, fault: Fault) -> Response:
        if fault.kind == "rate_limit":
            return _answer(11017, "Application has reached the request limit per minute.")
        return _answer(10000, "We are unable to process your request at this time. Please retry your request.")

    def apply(self, kept: Kept) -> None:
        members = self.audiences.setdefault(kept.content["audience"], set())
        (members.discard if kept.kind == "removed" else members.add)(kept.to)

    def state(self) -> Any:
        return {"audiences": {name: sorted(members) for name, members in self.audiences.items()}}

    def shown(self, kept: Kept) -> Shown:
        return Shown(f"{kept.kind} {'from' if kept.kind == 'removed' else 'to'} audience {kept.content['audience']}", kept.to)

    async def list(self, request: Request) -> Response:
        page = {"page": 1, "page_size": 1, "total_number": len(self.audiences), "total_page": len(self.audiences)}
        return self._refuses(request) or _answer(list=[], page_info=page)

    async def get(self, request: Request) -> Response:
        if refusal := self._refuses(request):
            return refusal
        file = self.files.get(request.query_params.get("custom_audience_file_id", ""))
        if file and self.held:
            file = {**file, "process_status": "PROCESSING"}
        return _answer(
            list=[file] if file else [], page_info={"page": 1, "page_size": 10, "total_number": int(bool(file)), "total_page": 1}
        )

    async def add(self, request: Request) -> Response:
        if refusal := self._refuses(request):
            return refusal
        async with request.form() as form:
            given = {name: value for name, value in form.items() if isinstance(value, str)}
            upload = form.get("file")
            content = await upload.read() if isinstance(upload, UploadFile) else b""
        kind, operation = given.get("user_id_type", ""), given.get("operation_type", "APPEND")
        if (
            not given.get("account_id", "").isdigit()
            or not given.get("audience_id", "").isdigit()
            or given["audience_id"].startswith("404")
        ):
            return _answer(18005, "The audience does not exist.")
        if kind not in LINES or operation not in {"APPEND", "REDUCE"} or (kind == "WECHAT_OPENID") != ("open_app_id" in given):
            return _answer(13005, "A parameter is not valid.")
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                lines = [line for name in archive.namelist() for line in archive.read(name).decode().splitlines()]
        except (zipfile.BadZipFile, UnicodeDecodeError):
            return _answer(18010, "The file is not a zip file of text.")
        return self._take(given, kind, operation, lines)

    def _take(self, given: Mapping[str, str], kind: str, operation: str, lines: Sequence[str]) -> Response:
        valid = [line for line in lines if LINES[kind].fullmatch(line)]
        for line in valid:
            self.keep("removed" if operation == "REDUCE" else "added", to=line, content={"audience": given["audience_id"], "kind": kind})
        file_id = str(10_000_000 + len(self.files))
        self.files[file_id] = {
            "audience_id": int(given["audience_id"]),
            "custom_audience_file_id": int(file_id),
            "user_id_type": kind,
            "operation_type": operation,
            "process_status": "SUCCESS",
            "process_code": 0,
            "error_message": "",
            "line_count": len(lines),
            "valid_line_count": len(valid),
            "user_count": len(set(valid)),
        }
        return _answer(custom_audience_file_id=int(file_id))

    def _refuses(self, request: Request) -> Response | None:
        query = request.query_params
        if not hmac.compare_digest(query.get("access_token", "").encode(), TOKEN.encode()):
            return _answer(11002, "Access token is invalid.")
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > SKEW:
            return _answer(12002, "The timestamp is expired.")
        if not nonce or len(nonce) > 32 or nonce in self._nonces:
            return _answer(12003, "The nonce is not valid, or was used before.")
        self._nonces[nonce] = None
        if len(self._nonces) > NONCES:
            self._nonces.popitem(last=False)
        return None


def _answer(code: int = 0, message: str = "", **content: Any) -> Response:
    """Every answer is HTTP 200."""
    return Response(orjson.dumps({"code": code, "message": message, "message_cn": message, "data": content}), media_type="application/json")
