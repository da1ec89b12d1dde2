"""Calls to an account's interface, each with a token that is good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from connectors.base import Answer, Fatal, SecretStr, Transient, Unanswered
from connectors.wechat._errcode import REAUTH, reason, sort


class Api:
    """Keeps the token that stable_token gave, and replaces it once when a call says it is no longer good.

    Tokens of stable_token are shared by all processes of an account: asking again gives the same one until the platform renews it.
    """

    def __init__(self, http: httpx.AsyncClient, address: str, appid: str, app_secret: SecretStr) -> None:
        self._http = http
        self._address = address.rstrip("/")
        self._appid = appid
        self._app_secret = app_secret
        self._token = ""
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def call(self, path: str, content: Mapping[str, Any] | None = None, *, idempotent: bool) -> dict[str, Any]:
        """GET, or POST the content as raw UTF-8. Returns the answer whatever its errcode; raises for what HTTP itself says."""
        token = await self.token()
        answer = await self._ask(f"{path}?access_token={token}", content, idempotent)
        if answer.get("errcode") in REAUTH:
            token = await self.token(stale=token)
            answer = await self._ask(f"{path}?access_token={token}", content, idempotent)
        return answer

    async def token(self, stale: str = "") -> str:
        """The token, other than the `stale` one. Raises Fatal when none is given."""
        async with self._asking:
            if not self._token or self._token == stale or time.monotonic() > self._good_until:
                await self._renew(force=False)
                if self._token == stale:
                    # 20 a day and 30 seconds apart: only when the platform itself still believes in the token.
                    await self._renew(force=True)
            return self._token

    async def _renew(self, force: bool) -> None:
        content = {
            "grant_type": "client_credential",
            "appid": self._appid,
            "secret": self._app_secret.get_secret_value(),
            "force_refresh": force,
        }
        try:
            answer = await self._ask("/cgi-bin/stable_token", content, idempotent=True)
        except (httpx.TransportError, Unanswered) as error:
            # Only the token is missing: what it was wanted for has not left, and must not count as unanswered.
            raise Transient("NO_TOKEN", "WeChat did not answer the request for a token; nothing was sent.") from error
        if not answer.get("access_token"):
            sort(answer)
            raise Fatal(str(answer.get("errcode", "NO_TOKEN")), f"{reason(answer)}. Without a token nothing can be sent.")
        self._token = answer["access_token"]
        # The platform renews 5 minutes early and honours both tokens meanwhile.
        self._good_until = time.monotonic() + float(answer.get("expires_in", 0)) - 60

    async def _ask(self, path: str, content: Mapping[str, Any] | None, idempotent: bool) -> dict[str, Any]:
        url = self._address + path
        if content is None:
            response = await self._http.get(url)
        else:
            response = await self._http.post(url, content=orjson.dumps(content), headers={"content-type": "application/json"})
        Answer("WeChat", idempotent).raise_for(response)
        try:
            answer = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise Unanswered("BAD_ANSWER", f"WeChat answered {response.status_code} with no result in it.")
        return answer
