"""Access tokens of a Google service account: a JWT signed with its key is exchanged for one, which is kept for as long as it is good.

Rules: https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import jwt
import orjson

from connectors.base import Fatal, SecretStr, Transient, impersonal

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
NEEDED = ("client_email", "private_key", "token_uri")


class Tokens:
    def __init__(self, http: httpx.AsyncClient, key: SecretStr, scope: str, url: str | None = None) -> None:
        self._http, self._key, self._scope = http, read(key), scope
        self._url = url or self._key["token_uri"]
        self._token = ""
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def token(self, stale: str = "") -> str:
        """A token other than the `stale` one. Raises Fatal when none is given, Transient when nobody answers."""
        async with self._asking:
            if not self._token or self._token == stale or time.monotonic() > self._good_until:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        form = {"grant_type": GRANT, "assertion": assertion(self._key, self._scope, int(time.time()))}
        try:
            response = await self._http.post(self._url, data=form)
        except httpx.TransportError as error:
            # Only the token is missing: what it was wanted for has not left.
            raise Transient("NO_TOKEN", "Google did not answer the request for a token; nothing was sent.") from error
        try:
            answer = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            answer = None
        if response.status_code == 429 or response.status_code >= 500 or not isinstance(answer, dict):
            raise Transient("NO_TOKEN", f"Google answered {response.status_code} to the request for a token; nothing was sent.")
        if not answer.get("access_token"):
            said = impersonal(f"{answer.get('error')}: {answer.get('error_description')}")
            raise Fatal("NO_TOKEN", f"Google gives no token ({said}). To go on, check `service_account_key` and this machine's clock.")
        self._token = str(answer["access_token"])
        self._good_until = time.monotonic() + float(answer.get("expires_in", 0)) - 60


def assertion(key: dict[str, Any], scope: str, now: int) -> str:
    """The signed JWT, good for an hour."""
    claims = {"iat": now, "exp": now + 3600, "iss": key["client_email"], "aud": key["token_uri"], "scope": scope}
    return jwt.encode(claims, key["private_key"], "RS256", {"kid": key["private_key_id"]} if key.get("private_key_id") else None)


def read(key: SecretStr) -> dict[str, Any]:
    """The JSON key file as a mapping. Raises ValueError when it is none, without a word of what is in it."""
    try:
        found = orjson.loads(key.get_secret_value())
        missing = [name for name in NEEDED if not isinstance(found.get(name), str)]
        if missing:
            raise ValueError(f"is not the JSON key of a service account: it has no {missing[0]}")
        assertion(found, "", 0)
    except (orjson.JSONDecodeError, AttributeError):
        raise ValueError("is not the JSON key of a service account") from None
    except (jwt.PyJWTError, TypeError):
        raise ValueError("is not the JSON key of a service account: its private key cannot be read") from None
    return dict(found)
