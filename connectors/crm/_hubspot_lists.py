"""Members of a HubSpot list that is kept by hand (MANUAL or SNAPSHOT): contacts come and go by their record ids."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from connectors.base import Batch, Fatal, Outcome, Row, Strict
from connectors.crm._hubspot_api import Api, answer
from connectors.crm._matches import NO_MATCH, NOTHING_TO_DO


class ListMembers(Strict):
    """`list_id` is the list's number, `id_property` the unique property that `match_on` holds: `email`, or one of your own."""

    list_id: str = Field(pattern=r"^[0-9]+$")
    id_property: str = Field(default="email", pattern=r"^[a-z][a-z0-9_]*$")


async def members(api: Api, batch: Batch, rows: Sequence[Row], settings: ListMembers) -> dict[int, Outcome]:
    """Outcomes by row index. Who is in the list already, or is not in it any more, is as was asked."""
    if batch.operation == "remove" and batch.on_removed != "remove_from_list":
        return dict.fromkeys((row.index for row in rows), NOTHING_TO_DO)
    ids = await api.ids("contacts", rows, settings.id_property)
    found = dict.fromkeys((row.index for row in rows), NO_MATCH)
    if ids:
        verb = "remove" if batch.operation == "remove" else "add"
        response = await api.call("PUT", f"/crm/v3/lists/{settings.list_id}/memberships/{verb}", list(ids.values()))
        if response.status_code == 400:
            raise Fatal("LIST_REFUSED", "HubSpot takes no members for this list: it must be a MANUAL or SNAPSHOT list of contacts.")
        missing = set(map(str, answer(response).get("recordIdsMissing") or []))
        gone = Outcome("rejected", "RECORD_MISSING", "HubSpot found this contact a moment ago, and now does not.")
        found |= {index: gone if id in missing else Outcome("sent", provider_id=id) for index, id in ids.items()}
    return found
