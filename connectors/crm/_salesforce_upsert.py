"""Records of Salesforce by an external id: looked for first where the policy wants it, then created, changed, cleared or deleted."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from connectors.base import Batch, Outcome, Row, Strict
from connectors.crm._matches import ALREADY_EXISTS, CONTACT_EXISTS, NO_MATCH, SEVERAL
from connectors.crm._salesforce_bulk import Jobs
from connectors.crm._salesforce_records import COLLECTION, GONE, delete, find, record, write
from connectors.crm._salesforce_session import Session

FIELD = r"^[A-Za-z][A-Za-z0-9_]*$"
KINDS = {"contacts": "Contact", "leads": "Lead", "tasks": "Task"}


class Records(Strict):
    """`external_id_field` is the field that `match_on` holds the values of."""

    external_id_field: str = Field(pattern=FIELD)


class Leads(Records):
    """No lead is made where a contact has the same value in the field `contact_by`. Null: nobody looks."""

    contact_by: str | None = Field(default="Email", pattern=FIELD)


class Custom(Records):
    """`sobject` is the object's API name: Account, Opportunity, or one of your own such as Event_Visit__c."""

    sobject: str = Field(pattern=FIELD)


async def upsert(session: Session, jobs: Jobs, batch: Batch, rows: Sequence[Row]) -> dict[int, Outcome]:
    """Outcomes by row index. More rows than one call takes go as a job."""
    settings = batch.settings
    kind = settings.sobject if batch.object == "records" else KINDS[batch.object]
    key, contact_by = settings.external_id_field, getattr(settings, "contact_by", None)
    if batch.operation == "remove":
        return await _remove(session, batch, kind, key, rows)
    found: dict[int, Outcome] = {}
    if batch.match_policy != "upsert" or contact_by:
        there, found = await _there(session, kind, key, rows)
        if batch.match_policy == "update_only":
            changes = [(row, record(kind, row.fields, id=there[row.index])) for row in rows if row.index in there]
            return dict.fromkeys((row.index for row in rows), NO_MATCH) | found | await write(session, "PATCH", "", changes)
        if batch.match_policy == "create_only":
            found = dict.fromkeys(there, ALREADY_EXISTS) | found
        if contact_by:
            found |= await _known(session, contact_by, [r for r in rows if r.index not in {*there, *found} and not r.provider_id])
    left = [row for row in rows if row.index not in found]
    if batch.operation == "add" and batch.match_policy == "upsert":
        # Found over there by something else than the match value, which is written to it now.
        by_id = [(row, record(kind, row.fields, id=row.provider_id, **{key: row.match})) for row in left if row.provider_id]
        found |= {index: one for index, one in (await write(session, "PATCH", "", by_id)).items() if one.code not in GONE}
        left = [row for row in left if row.index not in found]
    if len(left) > COLLECTION:
        return found | await jobs.upsert(kind, key, left)
    return found | await write(session, "PATCH", f"/{kind}/{key}", [(row, record(kind, row.fields, **{key: row.match})) for row in left])


async def _known(session: Session, field: str, rows: Sequence[Row]) -> dict[int, Outcome]:
    """Rows whose contact is there already."""
    values = {row.index: str(row.fields[field]) for row in rows if row.fields.get(field)}
    contacts = await find(session, "Contact", field, values.values())
    return {index: CONTACT_EXISTS for index, value in values.items() if value.lower() in contacts}


async def _there(session: Session, kind: str, key: str, rows: Sequence[Row]) -> tuple[dict[int, str], dict[int, Outcome]]:
    """Record ids by row index, and the rows for which there are several."""
    found = await find(session, kind, key, [str(row.match) for row in rows])
    ids = {row.index: found[str(row.match).lower()] for row in rows if str(row.match).lower() in found}
    return {index: one[0] for index, one in ids.items() if len(one) == 1}, {i: SEVERAL for i, one in ids.items() if len(one) > 1}


async def _remove(session: Session, batch: Batch, kind: str, key: str, rows: Sequence[Row]) -> dict[int, Outcome]:
    there, several = await _there(session, kind, key, rows)
    found = dict.fromkeys((row.index for row in rows), NO_MATCH) | several
    if batch.on_removed == "delete":
        return found | await delete(session, there, rows)
    cleared = [
        (row, record(kind, {name: None for name in row.fields if name != key}, id=there[row.index])) for row in rows if row.index in there
    ]
    return found | await write(session, "PATCH", "", cleared)
