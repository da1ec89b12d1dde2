"""Calls to a Salesforce org, each with a token that is good: by OAuth client credentials, or by a JWT that a certificate signs."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import orjson

from connectors.base import Answer, Fatal, Refused, Transient, Unanswered, retry_after

ANSWER = Answer("Salesforce", idempotent=True)
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT_SECONDS = 180  # Salesforce takes an assertion for three minutes
LIMIT_WINDOW = 900.0  # seconds; calls are counted over rolling 24 hours, and nobody says when there is room again


class Session:
    """Keeps the token, and replaces it once when a call says INVALID_SESSION_ID. How long a token lives is the org's to say."""

    def __init__(self, http: httpx.AsyncClient, address: str, options: Any) -> None:
        self._http, self._address, self._options = http, address.rstrip("/"), options
        self._token = ""
        self._instance = ""
        self._asking = asyncio.Lock()

    async def call(self, method: str, path: str, content: Any = None, **more: Any) -> httpx.Response:
        """The answer to one call. `path` is below the versioned root, or begins with /services; `content` is bytes, or becomes JSON.

        Raises for what speaks of the whole request: whatever is not 2xx.
        """
        if not path.startswith("/services/"):
            path = f"/services/data/v{self._options.api_version}/{path}"
        if content is not None:
            kind = "text/csv; charset=UTF-8" if isinstance(content, bytes) else "application/json"
            more |= {"content": content if isinstance(content, bytes) else orjson.dumps(content)}
            more["headers"] = {"content-type": kind}
        token = await self.token()
        response = await self._ask(method, path, token, more)
        if response.status_code == 401 and trouble(response)[0] == "INVALID_SESSION_ID":
            response = await self._ask(method, path, await self.token(stale=token), more)
        if not response.is_success:
            raise sorted_trouble(response)
        return response

    async def token(self, stale: str = "") -> str:
        """The token, other than the `stale` one. Raises Fatal when none is given."""
        async with self._asking:
            if not self._token or self._token == stale:
                await self._renew()
            return self._token

    async def _ask(self, method: str, path: str, token: str, more: dict[str, Any]) -> httpx.Response:
        headers = {**more.get("headers", {}), "authorization": f"Bearer {token}"}
        return await self._http.request(method, self._instance + path, **{**more, "headers": headers})

    async def _renew(self) -> None:
        url = f"{self._address}/services/oauth2/token"
        try:
            response = await self._http.post(url, **self._grant())
        except httpx.TransportError as error:
            # Only the token is missing: what it was wanted for has not left, and must not count as unanswered.
            raise Transient("NO_TOKEN", "Salesforce did not answer the request for a token; nothing was sent.") from error
        if response.status_code in {400, 401, 403}:
            code = trouble(response)[0]
            raise Fatal("UNAUTHORIZED", f"Salesforce gave no token ({code}): check the credentials of this destination.")
        ANSWER.raise_for(response)
        try:
            answer = orjson.loads(response.content)
            self._instance, token = str(answer["instance_url"]).rstrip("/"), str(answer["access_token"])
        except (ValueError, KeyError, TypeError):
            raise Transient("NO_TOKEN", "Salesforce's answer to the request for a token holds none; nothing was sent.") from None
        if urlsplit(self._instance).scheme != "https" and self._instance != self._address:
            raise Fatal("NOT_HTTPS", "Salesforce named an instance without https: nothing is sent there.")
        self._token = token

    def _grant(self) -> dict[str, Any]:
        options = self._options
        key = options.consumer_key.get_secret_value()
        if options.private_key is not None:
            if not options.username:
                raise Fatal("NO_USERNAME", "A private_key signs for a user: give this destination its `username`.")
            return {"data": {"grant_type": JWT_BEARER, "assertion": assertion(options, time.time())}}
        if options.consumer_secret is not None:
            return {"data": {"grant_type": "client_credentials"}, "auth": (key, options.consumer_secret.get_secret_value())}
        raise Fatal("NO_CREDENTIALS", "Give this destination a `consumer_secret`, or a `private_key` and a `username`.")


def assertion(options: Any, now: float) -> str:
    """The signed statement that stands for a password: who asks (the consumer key), for whom, of which login host, until when."""
    claims = {
        "iss": options.consumer_key.get_secret_value(),
        "sub": options.username,
        "aud": options.audience,
        "exp": int(now) + JWT_SECONDS,
    }
    try:
        return jwt.encode(claims, options.private_key.get_secret_value(), algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        raise Fatal("BAD_KEY", "`private_key` is not a private RSA key in PEM.") from None


def trouble(response: httpx.Response) -> tuple[str, str]:
    """Code and words of an answer that is not well: a list of errors, or OAuth's own form."""
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = None
    first = body[0] if isinstance(body, list) and body else body
    if not isinstance(first, dict):
        return f"HTTP_{response.status_code}", ""
    code = first.get("errorCode") or first.get("error") or f"HTTP_{response.status_code}"
    return str(code), str(first.get("message") or first.get("error_description") or "")


def sorted_trouble(response: httpx.Response) -> Fatal | Transient | Refused | Unanswered:
    """The exception for an answer that speaks of the whole request."""
    status, (code, _) = response.status_code, trouble(response)
    if code in {"REQUEST_LIMIT_EXCEEDED", "TXN_SECURITY_METERING_ERROR"} or status == 429:
        after = retry_after(response)
        return Transient(code, "Salesforce takes no more calls of this org for now.", LIMIT_WINDOW if after is None else after)
    if status in {401, 403}:
        return Fatal(code, f"Salesforce answered {status} ({code}): check the credentials and the permissions of this destination's user.")
    if status == 404 or code in {"INVALID_FIELD", "INVALID_TYPE", "NOT_FOUND"}:
        return Fatal(
            code, f"Salesforce answered {code}: an object or field that is mapped, or the external id field, is not there for this user."
        )
    if status >= 500:
        return Transient("UNAVAILABLE", f"Salesforce answered {status}.", retry_after(response))
    return Refused(code, f"Salesforce refused the request with {status} ({code}).")
