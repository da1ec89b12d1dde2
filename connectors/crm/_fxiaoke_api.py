"""Calls to Fxiaoke's open platform: always POST, always HTTP 200, `errorCode` says what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import httpx
import orjson

from connectors.base import Answer, Fatal, Outcome, Row, Transient, Unanswered, impersonal

EXPIRED = {20016, 20017, 10006}  # the vendor's table says 20016; the others were seen for the same
QUOTA = {30002, 30003}  # the calls of the day, or of the contract, are used up
QUOTA_SECONDS = 3600.0
PAGE = 100
INVALID = {"invalid", "作废"}  # the life_status of what a person, or we, took out of use
CHINA = timezone(timedelta(hours=8))


class Api:
    """Keeps the token, which all processes of an app share for 6600 seconds, and replaces it once when a call says that it ran out."""

    def __init__(self, http: httpx.AsyncClient, address: str, options: Any) -> None:
        self._http, self._address, self._options = http, address, options
        self._token: dict[str, str] = {}
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def call(self, object_name: str, verb: str, content: Mapping[str, Any], idempotent: bool = False) -> dict[str, Any]:
        """The answer, whatever its errorCode but those that speak of the whole destination."""
        room = "custom/v2" if object_name.endswith("__c") else "v2"
        token = await self.token()
        answer = await self._ask(f"/cgi/crm/{room}/data/{verb}", content, token, idempotent)
        if answer.get("errorCode") in EXPIRED:
            answer = await self._ask(f"/cgi/crm/{room}/data/{verb}", content, await self.token(stale=token), idempotent)
        code = answer.get("errorCode")
        if code in EXPIRED:
            raise Fatal(str(code), "Fxiaoke takes no token of this app: check the app, and its permission for this company.")
        if code in QUOTA:
            raise Transient(str(code), "Fxiaoke takes no more calls: the quota is used up.", QUOTA_SECONDS)
        return answer

    async def query(self, kind: str, **search: Any) -> list[dict[str, Any]]:
        """Records of a kind. Raises Fatal when it is refused: then the kind, or a field, is not there."""
        content = {"data": {"dataObjectApiName": kind, "search_query_info": search}, "find_explicit_total_num": False}
        answer = await self.call(kind, "query", content, idempotent=True)
        if answer.get("errorCode") != 0:
            raise Fatal(str(answer.get("errorCode")), f"Fxiaoke refuses to look for {kind}: {impersonal(str(answer.get('errorMessage')))}")
        return list((answer.get("data") or {}).get("dataList") or [])

    async def token(self, stale: Mapping[str, str] | None = None) -> dict[str, str]:
        """Headers, or fields of the body, that prove who calls; other than the `stale` ones."""
        async with self._asking:
            if not self._token or self._token == stale or time.monotonic() > self._good_until:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        options = self._options
        asked = {
            "appId": options.app_id.get_secret_value(),
            "appSecret": options.app_secret.get_secret_value(),
            "permanentCode": options.permanent_code.get_secret_value(),
        }
        legacy = options.style == "corp"
        path = "/cgi/corpAccessToken/get/V2" if legacy else "/oauth2.0/token"
        try:
            answer = await self._ask(path, asked if legacy else {**asked, "grantType": "app_secret"}, {}, idempotent=True)
        except (httpx.TransportError, Unanswered) as error:
            raise Transient("NO_TOKEN", "Fxiaoke did not answer the request for a token; nothing was sent.") from error
        given = {**answer, **(answer.get("data") or {})}
        if answer.get("errorCode") in QUOTA:
            raise Transient(str(answer["errorCode"]), "Fxiaoke gives no token for now.", QUOTA_SECONDS)
        if answer.get("errorCode") or not (given.get("accessToken") or given.get("corpAccessToken")):
            raise Fatal(str(answer.get("errorCode", "NO_TOKEN")), "Fxiaoke gave no token: check app_id, app_secret and permanent_code.")
        if legacy:
            self._token = {"corpAccessToken": given["corpAccessToken"], "corpId": given["corpId"], "currentOpenUserId": options.user_id}
        else:
            self._token = {"authorization": f"Bearer {given['accessToken']}", "x-fs-ea": str(given["ea"]), "x-fs-userid": options.user_id}
        # The same token is given for 6600 of its 7200 seconds; asking is limited to ten times a minute.
        self._good_until = time.monotonic() + float(given.get("expiresIn") or 7200) - 600

    async def _ask(self, path: str, content: Mapping[str, Any], token: Mapping[str, str], idempotent: bool) -> dict[str, Any]:
        legacy = "corpAccessToken" in token
        headers = {"content-type": "application/json", **({} if legacy else token)}
        body = orjson.dumps({**token, **content} if legacy else content)
        url = f"{self._address}{path}"
        response = await self._http.post(url, params={"thirdTraceId": str(uuid4())}, content=body, headers=headers)
        told = Answer("Fxiaoke", idempotent)
        told.raise_for(response)
        answer = told.json(response)
        if not isinstance(answer, dict) or not isinstance(answer.get("errorCode", 0), int):
            raise Unanswered("BAD_ANSWER", f"Fxiaoke answered {response.status_code} with no result in it.")
        return answer


class FxiaokeDesk:
    """Find, create, change and invalidate. Flows of approval and work are not set off by what a sync writes."""

    def __init__(self, api: Api, dates: Sequence[str]) -> None:
        self._api, self._dates = api, dates

    async def find(self, kind: str, field: str, values: Iterable[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        wanted = sorted(set(values))
        rule = {"field_name": field, "operator": "IN", "field_values": wanted}
        offset = 0
        while True:
            orders = [{"fieldName": "_id", "isAsc": True}]
            page = await self._api.query(kind, limit=PAGE, offset=offset, filters=[rule], orders=orders)
            for one in page:
                if one.get("life_status") in INVALID:
                    continue
                found.setdefault(str(one.get(field)).lower(), []).append(str(one["_id"]))
            if len(page) < PAGE:
                return found
            offset += PAGE

    async def create(self, kind: str, row: Row, fields: Mapping[str, Any]) -> Outcome:
        answer = await self._write(kind, "create", {name: value for name, value in fields.items() if value is not None})
        if answer.get("errorCode") == 0:
            return Outcome("sent", "CREATED", provider_id=answer.get("dataId"))
        return _rejected(answer, row)

    async def change(self, kind: str, row: Row, record: str, fields: Mapping[str, Any]) -> Outcome:
        # An owner is set when a record is made; afterwards it changes hands over there.
        answer = await self._write(kind, "update", {"_id": record, **{name: value for name, value in fields.items() if name != "owner"}})
        return Outcome("sent", provider_id=record) if answer.get("errorCode") == 0 else _rejected(answer, row)

    async def remove(self, kind: str, row: Row, record: str) -> Outcome:
        content = {"data": {"dataObjectApiName": kind, "object_data_id": record}}
        answer = await self._api.call(kind, "invalid", content)
        return Outcome("sent", provider_id=record) if answer.get("errorCode") == 0 else _rejected(answer, row)

    async def _write(self, kind: str, verb: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        made = {name: _milliseconds(value) if name in self._dates else _text(value) for name, value in fields.items()}
        content = {"triggerApprovalFlow": False, "triggerWorkFlow": False, "data": {"object_data": {"dataObjectApiName": kind, **made}}}
        return await self._api.call(kind, verb, content)


def _rejected(answer: Mapping[str, Any], row: Row) -> Outcome:
    return Outcome("rejected", str(answer.get("errorCode")), impersonal(str(answer.get("errorMessage") or ""), row))


def _text(value: Any) -> Any:
    """Numbers are strings over there; yes, no, nothing and lists are themselves."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _milliseconds(value: Any) -> Any:
    """A moment as milliseconds since 1970; without a zone it is UTC, and a mere date is that day in China."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    zone = CHINA if len(value) == 10 else UTC
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000)
