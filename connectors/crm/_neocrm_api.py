"""Calls to Neocrm's open platform, and questions in XOQL. What it publishes is little: whatever is not surely success is not taken for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from connectors.base import Answer, Fatal, Transient, Unanswered, impersonal

WELL = {0, 200}
EXPIRED = {20000002}  # seen beside 401 for a token that ran out
TOKEN_SECONDS = 6600  # of the two hours it is good


class Api:
    """Keeps the token that user and app were given, and replaces it once when a call says that it is no longer good."""

    def __init__(self, http: httpx.AsyncClient, address: str, options: Any) -> None:
        self._http, self._address, self._options = http, address, options
        self._token = ""
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def call(self, method: str, path: str, content: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """The answer, whatever its code; `more` may hold a form (`data`). Only questions are repeated by the transport."""
        if content is not None:
            more |= {"content": orjson.dumps(content), "headers": {"content-type": "application/json"}}
        token = await self.token()
        answer = await self._ask(method, path, token, more)
        if code(answer) in EXPIRED or answer.get("status") == 401:
            answer = await self._ask(method, path, await self.token(stale=token), more)
            if code(answer) in EXPIRED or answer.get("status") == 401:
                raise Fatal("UNAUTHORIZED", "Neocrm takes no token of this user: check the permissions of the app.")
        return answer

    async def query(self, xoql: str) -> list[dict[str, Any]]:
        """Records that answer. Raises Fatal when the question is refused: then the object, or a field, is not there."""
        answer = await self.call("POST", "/rest/data/v2.0/query/xoql", data={"xoql": xoql})
        if code(answer) not in WELL or not isinstance(answer.get("data"), dict):
            raise Fatal(str(code(answer)), f"Neocrm refuses the question: {impersonal(words(answer))}")
        return list(answer["data"].get("records") or [])

    async def token(self, stale: str = "") -> str:
        async with self._asking:
            if not self._token or self._token == stale or time.monotonic() > self._good_until:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        options = self._options
        form = {
            "grant_type": "password",
            "client_id": options.client_id.get_secret_value(),
            "client_secret": options.client_secret.get_secret_value(),
            "redirect_uri": options.redirect_uri,
            "username": options.username.get_secret_value(),
            "password": options.password.get_secret_value() + options.security_token.get_secret_value(),
        }
        try:
            response = await self._http.post(self._address + options.token_path, data=form)
            Answer("Neocrm", idempotent=True).raise_for(response)
            answer = orjson.loads(response.content)
        except (httpx.TransportError, orjson.JSONDecodeError) as error:
            raise Transient("NO_TOKEN", "Neocrm did not answer the request for a token; nothing was sent.") from error
        if not isinstance(answer, dict) or not answer.get("access_token"):
            raise Fatal("UNAUTHORIZED", "Neocrm gave no token: check client_id, client_secret, username, password and security_token.")
        self._token, self._good_until = str(answer["access_token"]), time.monotonic() + TOKEN_SECONDS

    async def _ask(self, method: str, path: str, token: str, more: Mapping[str, Any]) -> dict[str, Any]:
        headers = {**more.get("headers", {}), "authorization": f"Bearer {token}"}
        response = await self._http.request(method, self._address + path, **{**more, "headers": headers})
        if response.status_code == 401:
            return {"status": 401}
        told = Answer("Neocrm", idempotent=path.endswith("/xoql"))
        told.raise_for(response)
        answer = told.json(response)
        if not isinstance(answer, dict) or code(answer) is None:
            raise Unanswered("BAD_ANSWER", f"Neocrm answered {response.status_code} with no result in it.")
        return answer


def code(answer: Mapping[str, Any]) -> int | None:
    """The code of an answer; None where it has none."""
    found = answer.get("code", answer.get("error_code"))
    return int(found) if isinstance(found, int) or (isinstance(found, str) and found.isdecimal()) else None


def words(answer: Mapping[str, Any]) -> str:
    """What an answer says in words."""
    return str(answer.get("msg") or answer.get("message") or "")
