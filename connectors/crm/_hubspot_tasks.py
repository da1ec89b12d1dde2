"""Tasks of HubSpot, each about a contact. A unique property of their own makes them one thing however often they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import Field

from connectors.base import Outcome, Row, Strict
from connectors.crm._hubspot_answer import outcomes
from connectors.crm._hubspot_api import Api, text

NO_CONTACT = Outcome("rejected", "NO_CONTACT", "HubSpot does not have the contact that this task is about.")
NOT_TIED = "The task was written, but HubSpot did not tie it to its contact."


class Tasks(Strict):
    """`id_property` is a unique property of tasks that `match_on` holds the values of; make it in HubSpot. The field `contact_field` of a row
    is no property: it says whom the task is about, by the contacts' property `contact_by`. A row without it is a task about nobody."""

    id_property: str = Field(default="sluice_task_id", pattern=r"^[a-z][a-z0-9_]*$")
    contact_field: str = "contact"
    contact_by: str = Field(default="email", pattern=r"^[a-z][a-z0-9_]*$")


async def tasks(api: Api, rows: Sequence[Row], settings: Tasks) -> dict[int, Outcome]:
    """Outcomes by row index."""
    people = [replace(row, match=str(row.fields[settings.contact_field])) for row in rows if row.fields.get(settings.contact_field)]
    contacts = await _contacts(api, people, settings.contact_by)
    found = {row.index: NO_CONTACT for row in people if row.index not in contacts}
    inputs: list[dict[str, Any]] = []
    written = [row for row in rows if row.index not in found]
    for row in written:
        properties = {name: text(value) for name, value in row.fields.items() if name != settings.contact_field}
        properties["hs_timestamp"] = _milliseconds(properties.get("hs_timestamp", ""))
        address = {"id": row.match, "idProperty": settings.id_property}
        inputs.append({**address, "properties": properties, "objectWriteTraceId": str(row.index)})
    if not inputs:
        return found
    answered = await api.ask("POST", "/crm/v3/objects/tasks/batch/upsert", {"inputs": inputs})
    found |= outcomes(answered, written, settings.id_property)
    made = {index: outcome.provider_id for index, outcome in found.items() if outcome.provider_id and index in contacts}
    if made:
        pairs = {index: {"from": {"id": task}, "to": {"id": contacts[index]}} for index, task in made.items()}
        tied = await api.ask("POST", "/crm/v4/associations/tasks/contacts/batch/associate/default", {"inputs": list(pairs.values())})
        done = {str((result.get("from") or {}).get("id")) for result in tied.get("results") or []}
        for index, task in made.items():
            if task not in done:
                found[index] = Outcome("rejected", "NOT_TIED", NOT_TIED, task)
    return found


def _milliseconds(moment: str) -> str:
    """When a task is due, as HubSpot takes it: milliseconds since 1970. What has no zone is UTC."""
    try:
        due = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return str(int((due if due.tzinfo else due.replace(tzinfo=UTC)).timestamp() * 1000))


async def _contacts(api: Api, people: Sequence[Row], contact_by: str) -> dict[int, str]:
    """Record ids of contacts by row index; several tasks may be about one contact, who is asked for once."""
    first: dict[str, Row] = {}
    for row in people:
        first.setdefault(str(row.match).lower(), row)
    asked = [Row(row.index, row.key, orjson.dumps({}), row.match) for row in first.values()]
    ids = await api.ids("contacts", asked, contact_by)
    return {row.index: ids[who] for row in people if (who := first[str(row.match).lower()].index) in ids}
