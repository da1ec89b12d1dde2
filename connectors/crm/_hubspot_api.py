"""Calls to HubSpot, and answers that speak of the whole of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import orjson

from connectors.base import Answer, Fatal, Refused, Row, SecretStr, Transient
from connectors.crm._hubspot_answer import outcomes

ROLLING_WINDOW = 10.0  # seconds over which HubSpot counts requests; it does not always say how long to wait


class Api:
    """Calls with a private app's token."""

    def __init__(self, http: httpx.AsyncClient, address: str, token: SecretStr) -> None:
        self._http, self._address, self._token = http, address, token

    async def call(self, method: str, path: str, content: Any = None, idempotent: bool = True, **more: Any) -> httpx.Response:
        """The answer, unless it speaks of credentials, of too many calls, or of trouble over there."""
        headers = {"authorization": f"Bearer {self._token.get_secret_value()}", "content-type": "application/json"}
        body = None if content is None else orjson.dumps(content)
        response = await self._http.request(method, self._address + path, content=body, headers=headers, **more)
        if response.status_code == 429 and "retry-after" not in response.headers:
            raise Transient("RATE_LIMITED", "HubSpot answered 429: too many requests.", ROLLING_WINDOW)
        Answer("HubSpot", idempotent).raise_for(response)
        return response

    async def ask(self, method: str, path: str, content: Any = None, idempotent: bool = True) -> dict[str, Any]:
        """The body of an answer that speaks of each input. Raises when it speaks of all of them."""
        return answer(await self.call(method, path, content, idempotent))

    async def ids(self, kind: str, rows: Sequence[Row], id_property: str) -> dict[int, str]:
        """Record ids by row index, of the rows whose match value HubSpot knows."""
        if not rows:
            return {}
        body = {
            "idProperty": id_property,
            "properties": [id_property],
            "propertiesWithHistory": [],
            "inputs": [{"id": row.match} for row in rows],
        }
        found = outcomes(await self.ask("POST", f"/crm/v3/objects/{kind}/batch/read", body), rows, id_property)
        return {index: outcome.provider_id for index, outcome in found.items() if outcome.provider_id}


def answer(response: httpx.Response) -> dict[str, Any]:
    if response.status_code == 204:
        return {}
    if response.is_success:
        body = Answer("HubSpot", idempotent=True).json(response)
        return body if isinstance(body, dict) else {}
    if b"PROPERTY_DOESNT_EXIST" in response.content:
        raise Fatal(
            "PROPERTY_DOESNT_EXIST", "HubSpot does not have one of the mapped properties: make it there, or leave it out of `fields`."
        )
    raise Refused(f"HTTP_{response.status_code}", f"HubSpot refused the batch with {response.status_code}.")


def text(value: Any) -> str:
    """HubSpot's properties are strings: empty clears, several values are joined by semicolons."""
    if isinstance(value, list):
        return ";".join(map(text, value))
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()
