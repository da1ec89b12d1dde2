"""Neocrm's open platform: a token for user and app, XOQL, and objects that are made, changed and deleted one by one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox._soql import BadQuery, Query
from connectors.sandbox.emulator import Emulator, Kept, Shown
from connectors.sandbox.faults import Fault

CLIENT = {"client_id": "sandbox-neocrm-client", "client_secret": "sandbox-neocrm-client-secret"}
USER = {"username": "integration@sluice.example", "password": "sandbox-neocrm-password8tokens8"}
NAMES = {"contact": "contactName", "lead": "name", "account": "accountName", "opportunity": "opportunityName"}


class Neocrm(Emulator):
    """Answers are `{"code", "msg", "data"}`. A record needs its object's name field, and an `email` must be one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.tokens: set[str] = set()
        self.records: dict[str, dict[int, dict[str, Any]]] = {}  # by object and id

    def routes(self) -> Sequence[Route]:
        root = "/rest/data/v2.0"
        return [
            Route("/oauth2/token", self._token, methods=["POST"]),
            Route(f"{root}/query/xoql", self._query, methods=["POST"]),
            Route(f"{root}/xobjects/{{kind}}", self._create, methods=["POST"]),
            Route(f"{root}/xobjects/{{kind}}/{{record:int}}", self._change, methods=["PATCH", "DELETE"]),
        ]

    def refuse(self, fault: Fault) -> Response:
        headers = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
        return _answer(
            429 if fault.kind == "rate_limit" else 500, fault.kind, status=429 if fault.kind == "rate_limit" else 500, headers=headers
        )

    def apply(self, kept: Kept) -> None:
        kind, record, now = kept.content["object"], kept.content["id"], int(kept.at.timestamp() * 1000)
        if kept.kind == "deleted":
            self.records[kind].pop(record, None)
            return
        known = self.records.setdefault(kind, {}).setdefault(record, {"id": record, "createdAt": now})
        known.update(kept.content["fields"], updatedAt=now)

    def state(self) -> Any:
        return {kind: list(records.values()) for kind, records in self.records.items()}

    def shown(self, kept: Kept) -> Shown:
        fields = orjson.dumps(kept.content.get("fields", {}), option=orjson.OPT_INDENT_2).decode()
        return Shown(f"{kept.content['object']} {kept.kind}", fields)

    async def _token(self, request: Request) -> Response:
        given = {name: values[0] for name, values in parse_qs((await request.body()).decode(errors="replace")).items()}
        if given.get("grant_type") != "password" or any(given.get(name) != value for name, value in {**CLIENT, **USER}.items()):
            return Response(b'{"error_code":20000001,"message":"invalid client or user"}', 400, media_type="application/json")
        token = secrets.token_hex(16)
        self.tokens.add(token)
        return Response(orjson.dumps({"access_token": token, "token_type": "Bearer"}), media_type="application/json")

    async def _query(self, request: Request) -> Response:
        if not self._authorised(request):
            return EXPIRED
        try:
            query = Query(parse_qs((await request.body()).decode())["xoql"][0])
        except (BadQuery, KeyError, UnicodeDecodeError):
            return _answer(300001, "the XOQL cannot be read")
        found = query.run(list(self.records.get(query.kind, {}).values()))
        rows = [{name: value for name, value in one.items() if name != "attributes"} for one in found]
        return _answer(200, "OK", {"totalSize": len(rows), "count": len(rows), "records": rows})

    async def _create(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        fields = await self._fields(request)
        if isinstance(fields, Response):
            return fields
        if not fields.get(NAMES.get(kind, "name")):
            return _answer(300010, "the name is required")
        record = 1_000_000 + len(self.sandbox.journal.kept)
        return self._take("created", kind, record, fields) or _answer(200, "OK", {"id": record})

    async def _change(self, request: Request) -> Response:
        kind, record = request.path_params["kind"], request.path_params["record"]
        fields = {} if request.method == "DELETE" else await self._fields(request)
        if isinstance(fields, Response):
            return fields
        if not self._authorised(request):
            return EXPIRED
        if record not in self.records.get(kind, {}):
            return _answer(300011, "the record is not there")
        return self._take("deleted" if request.method == "DELETE" else "changed", kind, record, fields) or _answer(200, "OK")

    async def _fields(self, request: Request) -> dict[str, Any] | Response:
        if not self._authorised(request):
            return EXPIRED
        try:
            return dict(orjson.loads(await request.body())["data"])
        except (ValueError, KeyError, TypeError):
            return _answer(300002, "the body cannot be read")

    def _take(self, what: str, kind: str, record: int, fields: Mapping[str, Any]) -> Response | None:
        if fault := self.refused(orjson.dumps(fields).decode()):
            return _answer(int(fault.code or 300020), f"not wanted: {fields.get('email')}")
        if fields.get("email") and "@" not in str(fields["email"]):
            return _answer(300021, f"{fields['email']} is no email")
        self.keep(what, to=str(record), content={"object": kind, "id": record, "fields": fields})
        return None

    def _authorised(self, request: Request) -> bool:
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self.tokens


def _answer(code: int, message: str, data: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = {"code": code, "msg": message, **({} if data is None else {"data": data})}
    return Response(orjson.dumps(content), status, headers, "application/json")


EXPIRED = Response(b'{"error_code":20000002,"message":"invalid token"}', 401, media_type="application/json")
