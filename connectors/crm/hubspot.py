"""HubSpot contacts: batches of 100 by any unique property, each row with its own outcome, and HubSpot's webhooks (v3 signature).

An answer of 200 or 207 speaks of each input by the trace id we gave it. HubSpot does not support writing only some properties when the
match is by `email`; map all fields, or match by a unique property of your own (`id_property`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import httpx
import orjson
from pydantic import Field

from connectors.base import (
    Answer,
    Batch,
    Callback,
    Connector,
    Fatal,
    Object,
    Outcome,
    Received,
    Refused,
    Row,
    SecretStr,
    Strict,
    Transient,
    secret,
)
from connectors.crm._hubspot_answer import ALREADY_EXISTS, NO_MATCH, NO_RESULT, outcomes
from connectors.crm._hubspot_callback import believed

CONTACTS = "/crm/v3/objects/contacts"
ROLLING_WINDOW = 10.0  # seconds over which HubSpot counts requests; it does not always say how long to wait
VERBS = {"upsert": "upsert", "update_only": "update", "create_only": "create"}


class Contacts(Strict):
    """`id_property` is the unique property that `match_on` holds: `email`, or one of your own."""

    id_property: str = Field(default="email", pattern=r"^[a-z][a-z0-9_]*$")


class HubSpot(Connector):
    channel = "crm"
    base_url = "https://api.hubapi.com"
    receives = "crm_changes"
    objects: ClassVar = {
        "contacts": Object(
            batch_size=100,
            per_second=10,  # 100 in 10 seconds is what the smallest plan allows
            concurrency=4,
            modes=frozenset({"upsert", "mirror"}),
            match_policies=frozenset(VERBS),
            on_removed=frozenset({"nothing", "clear_fields", "archive"}),
            idempotent=True,
            settings=Contacts,
        )
    }

    class Options(Strict):
        """`token` is a private app's, `client_secret` signs its webhooks. Behind a proxy that changes addresses, `callback_url` is the
        address HubSpot was given, for it is part of the signature."""

        token: SecretStr = secret(sandbox="pat-sandbox-hubspot-token")
        client_secret: SecretStr | None = secret(sandbox="sandbox-hubspot-client-secret", default=None)
        callback_url: str | None = None

    async def deliver(self, batch: Batch) -> list[Outcome]:
        settings = batch.settings or Contacts()
        refused: dict[int, Outcome] = {}
        rows: dict[str, Row] = {}
        for place, row in enumerate(batch.rows):
            if not row.match:
                refused[place] = Outcome("rejected", "NO_MATCH_VALUE", "The row has no match value.")
            elif row.match.lower() in rows:
                # HubSpot refuses a whole batch in which a record is addressed twice.
                refused[place] = Outcome("rejected", "DUPLICATE_MATCH", "An earlier row of this batch addresses the same contact.")
            else:
                rows[row.match.lower()] = row
        found = await self._carry_out(batch, list(rows.values()), settings.id_property) if rows else {}
        return [refused.get(place) or found.get(row.index, NO_RESULT) for place, row in enumerate(batch.rows)]

    async def check(self) -> str:
        response = await self.http.get(f"{self.address}{CONTACTS}", params={"limit": "1"}, headers=self._headers())
        Answer("HubSpot", idempotent=True).raise_for(response)
        if not response.is_success:
            raise Fatal(f"HTTP_{response.status_code}", f"HubSpot answered {response.status_code} when asked for one contact.")
        return "the token may read contacts"

    def receive(self, callback: Callback) -> Received:
        return Received("crm_changes", believed(callback, self.options.client_secret, self.options.callback_url))

    async def _carry_out(self, batch: Batch, rows: Sequence[Row], id_property: str) -> dict[int, Outcome]:
        """Outcomes by row index."""
        if batch.operation != "remove":
            return await self._write(VERBS[batch.match_policy], rows, id_property)
        if batch.on_removed == "clear_fields":
            return await self._write("update", rows, id_property, clear=True)
        if batch.on_removed == "archive":
            return await self._archive(rows, id_property)
        return {row.index: Outcome("skipped", "NOTHING_TO_DO", "Removed rows are left as they are.") for row in rows}

    async def _write(self, verb: str, rows: Sequence[Row], id_property: str, clear: bool = False) -> dict[int, Outcome]:
        inputs: list[dict[str, Any]] = []
        for row in rows:
            properties = {name: "" if clear else _text(value) for name, value in row.fields.items() if not (clear and name == id_property)}
            if verb == "create":
                inputs.append({"properties": {id_property: row.match, **properties}, "objectWriteTraceId": str(row.index)})
            else:
                address = {"id": row.match, "idProperty": id_property}
                inputs.append({**address, "properties": properties, "objectWriteTraceId": str(row.index)})
        response = await self._post(verb, {"inputs": inputs}, idempotent=verb != "create")
        if response.status_code == 409 and len(rows) == 1:
            return {rows[0].index: ALREADY_EXISTS}
        return outcomes(self._answer(response), rows, id_property)

    async def _archive(self, rows: Sequence[Row], id_property: str) -> dict[int, Outcome]:
        """Archiving goes by record id, which earlier outcomes told us; where they did not, HubSpot is asked."""
        ids = {row.index: row.provider_id for row in rows if row.provider_id}
        asked = [row for row in rows if not row.provider_id]
        if asked:
            inputs = [{"id": row.match} for row in asked]
            body = {"idProperty": id_property, "properties": [id_property], "propertiesWithHistory": [], "inputs": inputs}
            found = outcomes(self._answer(await self._post("read", body)), asked, id_property)
            ids |= {index: outcome.provider_id for index, outcome in found.items() if outcome.provider_id}
        if ids:
            self._answer(await self._post("archive", {"inputs": [{"id": id} for id in ids.values()]}))
        return {row.index: Outcome("sent", provider_id=ids[row.index]) if row.index in ids else NO_MATCH for row in rows}

    async def _post(self, verb: str, body: Mapping[str, Any], idempotent: bool = True) -> httpx.Response:
        url = f"{self.address}{CONTACTS}/batch/{verb}"
        response = await self.http.post(url, content=orjson.dumps(body), headers=self._headers())
        if response.status_code == 429 and "retry-after" not in response.headers:
            raise Transient("RATE_LIMITED", "HubSpot answered 429: too many requests.", ROLLING_WINDOW)
        Answer("HubSpot", idempotent).raise_for(response)
        return response

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        """The body of an answer that speaks of each input. Raises when it speaks of the whole batch."""
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

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.options.token.get_secret_value()}", "content-type": "application/json"}


def _text(value: Any) -> str:
    """HubSpot's properties are strings: empty clears, several values are joined by semicolons."""
    if isinstance(value, list):
        return ";".join(map(_text, value))
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()
