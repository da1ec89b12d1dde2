"""Fxiaoke's open platform: tokens of both styles, and query, create, update and invalid of preset and custom objects."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.emulator import Emulator, Kept, Shown
from connectors.sandbox.faults import Fault

APP = {"appId": "FSAID_sandbox", "appSecret": "sandbox-fxiaoke-app-secret", "permanentCode": "sandbox-fxiaoke-permanent-code"}
EA, CORP = "sandbox_ea", "FSCID_sandbox"
PAGE, DEEPEST = 100, 10_000
COMPARE: dict[str, Callable[[str, list[str]], bool]] = {
    "IN": lambda value, wanted: value.lower() in {one.lower() for one in wanted},
    "EQ": lambda value, wanted: value == wanted[0],
    "GTE": lambda value, wanted: int(value) >= int(wanted[0]),
}


class Fxiaoke(Emulator):
    """Everything is answered with HTTP 200 and an errorCode. A record needs a `name`, and an `email` must be one; a query for more than
    100 records, or deeper than 10,000, is refused."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.tokens: set[str] = set()
        self.records: dict[str, dict[str, dict[str, Any]]] = {}  # by object and id

    def routes(self) -> Sequence[Route]:
        return [
            Route("/oauth2.0/token", self._token, methods=["POST"]),
            Route("/cgi/corpAccessToken/get/V2", self._token, methods=["POST"]),
            Route("/cgi/crm/v2/data/{verb}", self._data, methods=["POST"]),
            Route("/cgi/crm/custom/v2/data/{verb}", self._data, methods=["POST"]),
        ]

    def refuse(self, fault: Fault) -> Response:
        if fault.kind == "rate_limit":
            return (
                _answer(30002, "over the limit")
                if fault.retry_after is None
                else Response(b"{}", 429, {"retry-after": str(fault.retry_after)})
            )
        return Response(b'{"errorCode":-1,"errorMessage":"system error"}', 500, media_type="application/json")

    def apply(self, kept: Kept) -> None:
        content = kept.content
        known = self.records.setdefault(content["object"], {}).setdefault(content["id"], {"_id": content["id"], "life_status": "normal"})
        known.update(content["fields"], last_modified_time=int(kept.at.timestamp() * 1000))

    def state(self) -> Any:
        return {kind: list(records.values()) for kind, records in self.records.items()}

    def shown(self, kept: Kept) -> Shown:
        return Shown(f"{kept.content['object']} {kept.kind}", orjson.dumps(kept.content["fields"], option=orjson.OPT_INDENT_2).decode())

    async def _token(self, request: Request) -> Response:
        given = await _body(request)
        legacy = request.url.path.startswith("/cgi")
        if any(given.get(name) != value for name, value in APP.items()) or not (legacy or given.get("grantType") == "app_secret"):
            return _answer(20004, "the appSecret or the permanent code is wrong")
        token = secrets.token_hex(16)
        self.tokens.add(token)
        if legacy:
            return _answer(0, "OK", corpAccessToken=token, corpId=CORP, expiresIn=7200)
        return _answer(0, "OK", accessToken=token, ea=EA, expiresIn=7200)

    async def _data(self, request: Request) -> Response:
        given = await _body(request)
        headers = request.headers
        by_header = headers.get("authorization", "").removeprefix("Bearer ") in self.tokens and headers.get("x-fs-ea") == EA
        by_body = given.get("corpAccessToken") in self.tokens and given.get("corpId") == CORP and given.get("currentOpenUserId")
        if not (by_header and headers.get("x-fs-userid")) and not by_body:
            return _answer(20016, "the token is expired")
        if not request.query_params.get("thirdTraceId"):
            return _answer(10001, "thirdTraceId is missing")
        verbs = {"query": self._query, "create": self._create, "update": self._update, "invalid": self._invalid}
        try:
            return verbs[request.path_params["verb"]](request, given)
        except (KeyError, TypeError, ValueError, AttributeError):
            return _answer(10002, "parameter error")

    def _query(self, request: Request, given: Mapping[str, Any]) -> Response:
        data, search = given["data"], given["data"]["search_query_info"]
        self._right_room(request, data["dataObjectApiName"])
        if search["limit"] > PAGE or search["offset"] % search["limit"] or search["offset"] + search["limit"] > DEEPEST:
            return _answer(10003, "limit or offset is out of range")
        found = [
            one
            for one in self.records.get(data["dataObjectApiName"], {}).values()
            if all(COMPARE[rule["operator"]](str(one.get(rule["field_name"]) or ""), rule["field_values"]) for rule in search["filters"])
        ]
        for order in search.get("orders", []):
            found.sort(key=lambda one: one[order["fieldName"]], reverse=not order["isAsc"])
        page = found[search["offset"] : search["offset"] + search["limit"]]
        return _answer(0, "OK", data={"dataList": page, "total": len(found), "offset": search["offset"], "limit": search["limit"]})

    def _create(self, request: Request, given: Mapping[str, Any]) -> Response:
        fields = dict(given["data"]["object_data"])
        kind = fields.pop("dataObjectApiName")
        self._right_room(request, kind)
        if not fields.get("name"):
            return _answer(30001, "name is required")
        made = f"{len(self.sandbox.journal.kept) + 1:024x}"
        return self._take("created", kind, made, fields) or _answer(0, "OK", dataId=made)

    def _update(self, request: Request, given: Mapping[str, Any]) -> Response:
        fields = dict(given["data"]["object_data"])
        kind, record = fields.pop("dataObjectApiName"), fields.pop("_id")
        self._right_room(request, kind)
        if record not in self.records.get(kind, {}):
            return _answer(30010, "the record is not there")
        if "owner" in fields:
            return _answer(30011, "the owner cannot be updated")
        return self._take("changed", kind, record, fields) or _answer(0, "OK")

    def _invalid(self, request: Request, given: Mapping[str, Any]) -> Response:
        kind, record = given["data"]["dataObjectApiName"], given["data"]["object_data_id"]
        self._right_room(request, kind)
        if record not in self.records.get(kind, {}):
            return _answer(30010, "the record is not there")
        return self._take("invalid", kind, record, {"life_status": "invalid"}) or _answer(0, "OK")

    def _right_room(self, request: Request, kind: str) -> None:
        if kind.endswith("__c") != ("/custom/" in request.url.path):
            raise ValueError(kind)

    def _take(self, what: str, kind: str, record: str, fields: Mapping[str, Any]) -> Response | None:
        if fault := self.refused(orjson.dumps(fields).decode()):
            return _answer(int(fault.code or 30020), f"not wanted: {fields.get('name')}")
        if fields.get("email") and "@" not in str(fields["email"]):
            return _answer(30021, f"email {fields['email']} is not one")
        if any(isinstance(value, int | float) and not isinstance(value, bool) and value < 10**11 for value in fields.values()):
            return _answer(30022, "numbers are strings")
        self.keep(what, to=str(fields.get("name") or record), content={"object": kind, "id": record, "fields": fields})
        return None


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        body = None
    return body if isinstance(body, dict) else {}


def _answer(code: int, message: str, **more: Any) -> Response:
    return Response(orjson.dumps({"errorCode": code, "errorMessage": message, **more}), media_type="application/json")
