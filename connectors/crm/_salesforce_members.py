"""Members of a Salesforce campaign: contacts, or leads, who are found by their external ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from connectors.base import Batch, Outcome, Row
from connectors.crm._matches import NO_MATCH
from connectors.crm._salesforce_records import ALREADY, delete, find, record, write
from connectors.crm._salesforce_session import Session
from connectors.crm._salesforce_upsert import Records


class Members(Records):
    """`match_on` holds the external ids of the campaign's contacts, or leads."""

    campaign_id: str = Field(pattern=r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$")
    member: Literal["Contact", "Lead"] = "Contact"


async def members(session: Session, batch: Batch, rows: Sequence[Row]) -> dict[int, Outcome]:
    """Outcomes by row index. Who is in the campaign already, or is not in it any more, is as was asked."""
    settings: Members = batch.settings
    person = f"{settings.member}.{settings.external_id_field}"
    campaign = f"CampaignId = '{settings.campaign_id}' AND "
    there = await find(session, "CampaignMember", person, [str(row.match) for row in rows], campaign)
    ids = {row.index: there[str(row.match).lower()][0] for row in rows if str(row.match).lower() in there}
    if batch.operation == "remove":
        return dict.fromkeys((row.index for row in rows), NO_MATCH) | await delete(session, ids, rows)
    changes = [(row, record("CampaignMember", row.fields, id=ids[row.index])) for row in rows if row.index in ids]
    made = [
        (row, record("CampaignMember", {**row.fields, person: row.match}, CampaignId=settings.campaign_id))
        for row in rows
        if row.index not in ids
    ]
    found = await write(session, "POST", "", made)
    # Somebody else was faster: the person is in the campaign, as was asked.
    found = {index: Outcome("sent", "ALREADY_MEMBER") if one.code in ALREADY else one for index, one in found.items()}
    return found | await write(session, "PATCH", "", changes)
