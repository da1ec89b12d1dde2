"""Calls to an account's interface, each with a token that is good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from connectors.base import Answer, Fatal, SecretStr, Transient, Unanswered
from connectors.wechat._errcode import WECHAT, WECOM, Errcodes


class Api:
    """Keeps the token it was given, and replaces it once when a call says that it is no longer good.

    A vendor gives all processes of an account the same token until it is renewed, so processes that ask do not disturb one another.
    """

    codes: Errcodes

    def __init__(self, http: httpx.AsyncClient, address: str) -> None:
        self._http = http
        self._address = address.rstrip("/")
        self._token = ""
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def call(
        self, path: str, content: Mapping[str, Any] | None = None, *, idempotent: bool, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """GET, or POST the content as raw UTF-8. Returns the answer whatever its errcode; raises for what HTTP itself says."""
        token = await self.token()
        answer = await self._ask(path, {**(query or {}), "access_token": token}, content, idempotent)
        if answer.get("errcode") in self.codes.reauth:
            token = await self.token(stale=token)
            answer = await self._ask(path, {**(query or {}), "access_token": token}, content, idempotent)
        return answer

    async def token(self, stale: str = "") -> str:
        """The token, other than the `stale` one. Raises Fatal when none is given."""
        async with self._asking:
            if not self._token or self._token == stale or time.monotonic() > self._good_until:
                self._keep(await self._given(stale))
            return self._token

    async def _given(self, stale: str) -> dict[str, Any]:
        """The vendor's answer with the token that is good now."""
        raise LookupError(self.codes.vendor)

    async def _ask_for_token(self, path: str, query: Mapping[str, str], content: Mapping[str, Any] | None) -> dict[str, Any]:
        try:
            return await self._ask(path, query, content, idempotent=True)
        except (httpx.TransportError, Unanswered) as error:
            # Only the token is missing: what it was wanted for has not left, and must not count as unanswered.
            raise Transient("NO_TOKEN", f"{self.codes.vendor} did not answer the request for a token; nothing was sent.") from error

    def _keep(self, answer: Mapping[str, Any]) -> None:
        if not answer.get("access_token"):
            if answer.get("errcode"):
                self.codes.sort(answer)
            raise Fatal(str(answer.get("errcode", "NO_TOKEN")), f"{self.codes.reason(answer)}. Without a token nothing can be sent.")
        self._token = answer["access_token"]
        # The platform renews 5 minutes early and honours both tokens meanwhile.
        self._good_until = time.monotonic() + float(answer.get("expires_in", 0)) - 60

    async def _ask(self, path: str, query: Mapping[str, str], content: Mapping[str, Any] | None, idempotent: bool) -> dict[str, Any]:
        url = self._address + path
        if content is None:
            response = await self._http.get(url, params=query)
        else:
            headers = {"content-type": "application/json"}
            response = await self._http.post(url, params=query, content=orjson.dumps(content), headers=headers)
        Answer(self.codes.vendor, idempotent).raise_for(response)
        try:
            answer = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise Unanswered("BAD_ANSWER", f"{self.codes.vendor} answered {response.status_code} with no result in it.")
        return answer


class AccountApi(Api):
    """An Official Account's. Asked without force, stable_token gives every process the same token until the platform renews it."""

    codes = WECHAT

    def __init__(self, http: httpx.AsyncClient, address: str, appid: SecretStr, app_secret: SecretStr) -> None:
        super().__init__(http, address)
        self._credentials = (appid, app_secret)

    async def _given(self, stale: str) -> dict[str, Any]:
        answer = await self._stable_token(force=False)
        if answer.get("access_token") != stale:
            return answer
        # 20 a day and 30 seconds apart: only when the platform itself still believes in a token that it refuses.
        forced = await self._stable_token(force=True)
        # Another process was here before us: what it was given is the token now.
        return await self._stable_token(force=False) if forced.get("errcode") in WECHAT.busy | WECHAT.day_is_used_up else forced

    async def _stable_token(self, force: bool) -> dict[str, Any]:
        appid, secret = (credential.get_secret_value() for credential in self._credentials)
        content = {"grant_type": "client_credential", "appid": appid, "secret": secret, "force_refresh": force}
        return await self._ask_for_token("/cgi-bin/stable_token", {}, content)


class CorpApi(Api):
    """One app's of a WeCom corp. Asking again gives the same token while it is good."""

    codes = WECOM

    def __init__(self, http: httpx.AsyncClient, address: str, corpid: SecretStr, secret: SecretStr) -> None:
        super().__init__(http, address)
        self._credentials = (corpid, secret)

    async def _given(self, stale: str) -> dict[str, Any]:
        corpid, secret = (credential.get_secret_value() for credential in self._credentials)
        return await self._ask_for_token("/cgi-bin/gettoken", {"corpid": corpid, "corpsecret": secret}, None)
