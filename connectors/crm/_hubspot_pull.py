"""What changed in HubSpot since a cursor, by search: oldest first, a hundred a page.

A search tells nothing of whom a deal is about: that is asked for page by page, and stands in the deal's fields as `contact_id` (the first
of several, those with a label of one's own before the others) and `contact_ids`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.base import Fatal, Pulled
from connectors.crm._hubspot_api import Api

PAGE = 100
DEEPEST = 10_000  # results of one search; it goes on by a new one
OVERLAP = timedelta(minutes=10)  # what was written is found by search only a while later

# pull name -> the property it goes by, and the properties that are read
PULLS: Mapping[str, tuple[str, list[str]]] = {
    "contacts": (
        "lastmodifieddate",
        ["email", "phone", "firstname", "lastname", "company", "jobtitle", "city", "country", "lifecyclestage", "hs_lead_status",
         "hubspot_owner_id", "associatedcompanyid", "date_of_birth", "hs_email_optout", "createdate", "lastmodifieddate"],
    ),
    "companies": (
        "hs_lastmodifieddate",
        ["name", "domain", "industry", "numberofemployees", "annualrevenue", "city", "country", "hubspot_owner_id", "createdate", "hs_lastmodifieddate"],
    ),
    "deals": (
        "hs_lastmodifieddate",
        ["dealname", "dealstage", "pipeline", "amount", "deal_currency_code", "closedate", "hs_is_closed", "hs_is_closed_won", "hs_primary_associated_company", "hubspot_owner_id", "createdate", "hs_lastmodifieddate"],
    ),
}  # fmt: skip


async def pages(api: Api, source: str, name: str, cursor: str | None, more: Mapping[str, list[str]]) -> AsyncIterator[Pulled]:
    """Pages of `{"system", "object", "id", "changed_at", "deleted", "fields"}`. A cursor is the last moment that was read.

    Records that many were changed at one moment are read again, never left out.
    """
    by, properties = PULLS[name]
    start = _moment(cursor) - OVERLAP if cursor else datetime.fromtimestamp(0, UTC)
    last, after, read = start, "", 0
    while True:
        since = {"propertyName": by, "operator": "GTE", "value": str(int(start.timestamp() * 1000))}
        body: dict[str, Any] = {
            "filterGroups": [{"filters": [since]}],
            "sorts": [{"propertyName": by, "direction": "ASCENDING"}],
            "properties": [*properties, *more.get(name, [])],
            "limit": PAGE,
            **({"after": after} if after else {}),
        }
        answered = await api.ask("POST", f"/crm/v3/objects/{name}/search", body)
        results = answered.get("results") or []
        if not results:
            return
        events = [_event(name, one, by) for one in results]
        if name == "deals":
            await _name_contacts(api, events)
        last = _moment(events[-1]["changed_at"])
        yield Pulled(source, events, last.isoformat())
        read += len(results)
        after = str(((answered.get("paging") or {}).get("next") or {}).get("after") or "")
        if not after:
            return
        if read + PAGE > DEEPEST:
            if last <= start:
                raise Fatal(
                    "TOO_MANY_AT_ONCE", f"HubSpot has more than {DEEPEST} {name} changed at one moment: its search cannot tell them all."
                )
            start, after, read = last, "", 0


async def _name_contacts(api: Api, deals: Sequence[dict[str, Any]]) -> None:
    asked = {"inputs": [{"id": deal["id"]} for deal in deals]}
    answered = await api.ask("POST", "/crm/v4/associations/deals/contacts/batch/read", asked)
    about = {str(one["from"]["id"]): sorted(one.get("to") or [], key=_unlabelled) for one in answered.get("results") or []}
    for deal in deals:
        if contacts := [str(one["toObjectId"]) for one in about.get(deal["id"], [])]:
            deal["fields"] = {**deal["fields"], "contact_id": contacts[0], "contact_ids": contacts}


def _unlabelled(association: Mapping[str, Any]) -> bool:
    return not any(one.get("label") for one in association.get("associationTypes") or [])


def _event(name: str, one: Mapping[str, Any], by: str) -> dict[str, Any]:
    fields = one.get("properties") or {}
    changed = fields.get(by) or one.get("updatedAt")
    return {
        "system": "hubspot",
        "object": name,
        "id": one["id"],
        "changed_at": changed,
        "deleted": bool(one.get("archived")),
        "fields": fields,
    }


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise Fatal("BAD_CURSOR", "This cursor is not one of this destination: pull anew without it.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
