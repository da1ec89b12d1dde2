"""HubSpot: contacts, tasks and members of lists in batches of 100, each row with its own outcome; its webhooks, and the CRM as a source.

An answer of 200 or 207 speaks of each input by the trace id we gave it. HubSpot does not support writing only some properties when the
match is by `email`; map all fields, or match by a unique property of your own (`id_property`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from connectors.base import Batch, Callback, Connector, Fatal, Object, Outcome, Pulled, Received, Row, SecretStr, Strict, secret
from connectors.crm import _hubspot_pull
from connectors.crm._hubspot_answer import outcomes
from connectors.crm._hubspot_api import Api, answer, text
from connectors.crm._hubspot_callback import believed
from connectors.crm._hubspot_lists import ListMembers, members
from connectors.crm._hubspot_tasks import Tasks, tasks
from connectors.crm._matches import ALREADY_EXISTS, NO_MATCH, NOTHING_TO_DO, each_once

CONTACTS = "/crm/v3/objects/contacts"
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
            removed_by_key=frozenset({"nothing", "archive"}),
            idempotent=True,
            settings=Contacts,
        ),
        "tasks": Object(batch_size=100, per_second=10, idempotent=True, required=frozenset({"hs_timestamp"}), settings=Tasks),
        "list_members": Object(
            batch_size=100,
            per_second=10,
            modes=frozenset({"upsert", "mirror"}),
            on_removed=frozenset({"nothing", "remove_from_list"}),
            idempotent=True,
            settings=ListMembers,
        ),
    }
    pulls: ClassVar = dict.fromkeys(_hubspot_pull.PULLS, "crm_records")

    class Options(Strict):
        """`token` is a private app's, `client_secret` signs its webhooks. Behind a proxy that changes addresses, `callback_url` is the
        address HubSpot was given, for it is part of the signature. `pull_fields` are further properties to pull, by pull."""

        token: SecretStr = secret(sandbox="pat-sandbox-hubspot-token")
        client_secret: SecretStr | None = secret(sandbox="sandbox-hubspot-client-secret", default=None)
        callback_url: str | None = None
        pull_fields: dict[str, list[str]] = Field(default={})

    @cached_property
    def _api(self) -> Api:
        return Api(self.http, self.address, self.options.token)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        # HubSpot refuses a whole batch in which a record is addressed twice.
        return await each_once(batch.rows, lambda rows: self._carry_out(batch, list(rows.values())))

    async def check(self) -> str:
        response = await self._api.call("GET", CONTACTS, params={"limit": "1"})
        if not response.is_success:
            raise Fatal(f"HTTP_{response.status_code}", f"HubSpot answered {response.status_code} when asked for one contact.")
        return "the token may read contacts"

    async def pull(self, name: str, cursor: str | None) -> AsyncIterator[Pulled]:
        async for page in _hubspot_pull.pages(self._api, self.lands_in(name), name, cursor, self.options.pull_fields):
            yield page

    def receive(self, callback: Callback) -> Received:
        return Received("crm_changes", believed(callback, self.options.client_secret, self.options.callback_url))

    async def _carry_out(self, batch: Batch, rows: Sequence[Row]) -> dict[int, Outcome]:
        """Outcomes by row index."""
        if batch.object == "list_members":
            return await members(self._api, batch, rows, batch.settings)
        if batch.object == "tasks":
            return await tasks(self._api, rows, batch.settings or Tasks())
        id_property = (batch.settings or Contacts()).id_property
        if batch.operation != "remove":
            return await self._write(VERBS[batch.match_policy], rows, id_property)
        if batch.on_removed == "clear_fields":
            return await self._write("update", rows, id_property, clear=True)
        if batch.on_removed == "archive":
            return await self._archive(rows, id_property)
        return dict.fromkeys((row.index for row in rows), NOTHING_TO_DO)

    async def _write(self, verb: str, rows: Sequence[Row], id_property: str, clear: bool = False) -> dict[int, Outcome]:
        inputs: list[dict[str, Any]] = []
        for row in rows:
            properties = {name: "" if clear else text(value) for name, value in row.fields.items() if not (clear and name == id_property)}
            if verb == "create":
                inputs.append({"properties": {id_property: row.match, **properties}, "objectWriteTraceId": str(row.index)})
            else:
                address = {"id": row.match, "idProperty": id_property}
                inputs.append({**address, "properties": properties, "objectWriteTraceId": str(row.index)})
        response = await self._api.call("POST", f"{CONTACTS}/batch/{verb}", {"inputs": inputs}, idempotent=verb != "create")
        if response.status_code == 409 and len(rows) == 1:
            return {rows[0].index: ALREADY_EXISTS}
        return outcomes(answer(response), rows, id_property)

    async def _archive(self, rows: Sequence[Row], id_property: str) -> dict[int, Outcome]:
        """Archiving goes by record id, which earlier outcomes told us; where they did not, HubSpot is asked."""
        ids = {row.index: row.provider_id for row in rows if row.provider_id}
        ids |= await self._api.ids("contacts", [row for row in rows if not row.provider_id], id_property)
        if ids:
            await self._api.ask("POST", f"{CONTACTS}/batch/archive", {"inputs": [{"id": id} for id in ids.values()]})
        return {row.index: Outcome("sent", provider_id=ids[row.index]) if row.index in ids else NO_MATCH for row in rows}
