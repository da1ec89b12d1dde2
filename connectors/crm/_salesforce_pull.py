"""What changed in a Salesforce org since a cursor, deletions and the history of stages included, oldest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

from connectors.base import Fatal, Pulled
from connectors.crm._salesforce_session import ANSWER, Session

PAGE = 2000
OVERLAP = timedelta(minutes=10)  # a change is stamped before it is committed: later pulls look back this far
CHANGES = "Field, OldValue, NewValue, CreatedById, CreatedDate"

# pull name -> object, what is read of it, the moment it goes by
PULLS: Mapping[str, tuple[str, str, str]] = {
    "leads": ("Lead", "FIELDS(STANDARD)", "SystemModstamp"),
    "contacts": ("Contact", "FIELDS(STANDARD)", "SystemModstamp"),
    "accounts": ("Account", "FIELDS(STANDARD)", "SystemModstamp"),
    "opportunities": ("Opportunity", "FIELDS(STANDARD)", "SystemModstamp"),
    "lead_history": ("LeadHistory", f"Id, LeadId, {CHANGES}", "CreatedDate"),
    "contact_history": ("ContactHistory", f"Id, ContactId, {CHANGES}", "CreatedDate"),
    "account_history": ("AccountHistory", f"Id, AccountId, {CHANGES}", "CreatedDate"),
    "opportunity_history": (
        "OpportunityHistory",
        "Id, OpportunityId, StageName, Amount, Probability, ForecastCategory, CloseDate, CreatedById, CreatedDate, SystemModstamp, IsDeleted",
        "SystemModstamp",
    ),
}


async def pages(session: Session, source: str, name: str, cursor: str | None, more: Mapping[str, list[str]]) -> AsyncIterator[Pulled]:
    """Pages of `{"system", "object", "id", "changed_at", "deleted", "fields"}`. A cursor is the last moment and id that were read."""
    kind, listed, stamp = PULLS[name]
    listed = ", ".join([listed, *more.get(name, [])])
    moment, _, last = (cursor or "").partition("|")
    if moment:
        moment, last = _earlier(moment), ""
    while True:
        where = ""
        if moment:
            where = f" WHERE {stamp} > {moment} OR ({stamp} = {moment} AND Id > '{last}')" if last else f" WHERE {stamp} >= {moment}"
        query = f"SELECT {listed} FROM {kind}{where} ORDER BY {stamp}, Id LIMIT {PAGE}"
        answer = ANSWER.json(await session.call("GET", f"queryAll?q={quote(query, safe='')}"))
        records = list(answer.get("records", []))
        while answer.get("nextRecordsUrl"):  # the org may cut pages shorter than was asked
            answer = ANSWER.json(await session.call("GET", answer["nextRecordsUrl"]))
            records += answer.get("records", [])
        if not records:
            return
        moment, last = _moment(str(records[-1][stamp])), str(records[-1]["Id"])
        yield Pulled(source, [_event(kind, one, stamp) for one in records], f"{moment}|{last}")
        if len(records) < PAGE:
            return


def _event(kind: str, one: Mapping[str, object], stamp: str) -> dict[str, object]:
    fields = {name: value for name, value in one.items() if name != "attributes"}
    deleted = bool(one.get("IsDeleted", False))
    return {"system": "salesforce", "object": kind, "id": one["Id"], "changed_at": one[stamp], "deleted": deleted, "fields": fields}


def _moment(stamp: str) -> str:
    """A moment as SOQL writes it: 2026-01-02T03:04:05.000+0000 becomes …05.000Z. Anything else than a moment is refused."""
    try:
        return datetime.fromisoformat(stamp).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    except ValueError:
        raise Fatal("BAD_CURSOR", "This cursor is not one of this destination: pull anew without it.") from None


def _earlier(moment: str) -> str:
    return _moment((datetime.fromisoformat(_moment(moment)) - OVERLAP).isoformat())
