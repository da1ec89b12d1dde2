"""Calls to Fxiaoke's open platform: always POST, always HTTP 200, `errorCode` says what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
import orjson

from connectors.base import Answer, Fatal, Transient, Unanswered, impersonal

EXPIRED = {20016, 20017, 10006}  # the vendor's table says 20016; the others were seen for the same
QUOTA = {30002, 30003}  # the calls of the day, or of the contract, are used up
QUOTA_SECONDS = 3600.0
PAGE = 100


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
