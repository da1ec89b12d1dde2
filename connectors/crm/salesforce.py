"""Salesforce: records by an external id, campaign members, tasks; leads, contacts, accounts and opportunities with their history as a source.

An upsert is 200 records a call (sObject Collections), each with its own result in an answer that is always 200; plans of many rows go as jobs
of Bulk API 2.0. `match_on` holds the values of the external id field, which should be unique over there; a record is then never made twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import Field

from connectors.base import Batch, Connector, Fatal, Object, Outcome, Pulled, Row, SecretStr, Strict, secret
from connectors.crm import _salesforce_pull
from connectors.crm._salesforce_bulk import Jobs
from connectors.crm._salesforce_records import ALREADY, COLLECTION, GONE, delete, find, record, write
from connectors.crm._salesforce_session import ANSWER, Session

FIELD = r"^[A-Za-z][A-Za-z0-9_]*$"
NO_MATCH = Outcome("skipped", "NO_MATCH", "Salesforce has no record with this match value.")
ALREADY_EXISTS = Outcome("skipped", "ALREADY_EXISTS", "Salesforce has this record already.")
CONTACT_EXISTS = Outcome("skipped", "CONTACT_EXISTS", "A contact with this value is there: no lead is made of somebody who is known.")
SEVERAL = Outcome("rejected", "SEVERAL_MATCHES", "Several records have this match value. Make the external id field unique.")
NO_RESULT = Outcome("unknown", "NO_RESULT", "Salesforce's answer did not mention this row.")


class Records(Strict):
    """`external_id_field` is the field that `match_on` holds the values of."""

    external_id_field: str = Field(pattern=FIELD)


class Leads(Records):
    """No lead is made where a contact has the same value in the field `contact_by`. Null: nobody looks."""

    contact_by: str | None = Field(default="Email", pattern=FIELD)


class Custom(Records):
    """`sobject` is the object's API name: Account, Opportunity, or one of your own such as Event_Visit__c."""

    sobject: str = Field(pattern=FIELD)


class Members(Records):
    """`match_on` holds the external ids of the campaign's contacts, or leads."""

    campaign_id: str = Field(pattern=r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$")
    member: Literal["Contact", "Lead"] = "Contact"


def records(settings: type[Strict], *removals: str, policies: bool = True, bulk: bool = True) -> Object:
    return Object(
        batch_size=COLLECTION,
        per_second=10,
        concurrency=2,  # more would wait for each other's locks on the same account
        modes=frozenset({"upsert", "mirror"} if removals else {"upsert"}),
        match_policies=frozenset({"upsert", "update_only", "create_only"} if policies else {"upsert"}),
        on_removed=frozenset({"nothing", *removals}),
        removed_by_key=frozenset({"nothing", "delete"}),
        idempotent=True,
        bulk_above=2000 if bulk else 0,
        bulk_size=10_000,
        settings=settings,
    )


class Salesforce(Connector):
    channel = "crm"
    base_url = "https://login.salesforce.com"
    objects: ClassVar = {
        "contacts": records(Records, "clear_fields", "delete"),
        "leads": records(Leads, "clear_fields", "delete"),
        "tasks": records(Records, bulk=False),
        "records": records(Custom, "clear_fields", "delete"),
        "campaign_members": records(Members, "remove_from_list", policies=False, bulk=False),
    }
    pulls: ClassVar = dict.fromkeys(_salesforce_pull.PULLS, "crm_records")

    class Options(Strict):
        """The keys of a connected app. With `consumer_secret` by client credentials, at the org's own address (My Domain) as base_url; with
        `private_key` (PEM) and `username` by JWT, whose `audience` is the login host. `pull_fields` are custom fields to pull, by pull."""

        consumer_key: SecretStr = secret(sandbox="sandbox-salesforce-consumer-key")
        consumer_secret: SecretStr | None = secret(sandbox="sandbox-salesforce-consumer-secret", default=None)
        private_key: SecretStr | None = None
        username: str | None = None
        audience: str = "https://login.salesforce.com"
        api_version: str = Field(default="62.0", pattern=r"^[0-9]{2,3}\.0$")
        poll_seconds: float = Field(default=5.0, gt=0)
        job_seconds: float = Field(default=900.0, gt=0)
        pull_fields: dict[str, list[str]] = Field(default={})

    @cached_property
    def _session(self) -> Session:
        return Session(self.http, self.address, self.options)

    @cached_property
    def _jobs(self) -> Jobs:
        return Jobs(self._session, self.wait, self.options.poll_seconds, self.options.job_seconds)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        refused: dict[int, Outcome] = {}
        rows: dict[str, Row] = {}
        for place, row in enumerate(batch.rows):
            if not row.match:
                refused[place] = Outcome("rejected", "NO_MATCH_VALUE", "The row has no match value.")
            elif row.match.lower() in rows:
                # Salesforce refuses both of two records with one external id, which it compares without regard to case.
                refused[place] = Outcome("rejected", "DUPLICATE_MATCH", "An earlier row of this batch addresses the same record.")
            else:
                rows[row.match.lower()] = row
        found: Mapping[int, Outcome] = {}
        if rows:
            found = await (self._members if batch.object == "campaign_members" else self._records)(batch, list(rows.values()))
        return [refused.get(place) or found.get(row.index, NO_RESULT) for place, row in enumerate(batch.rows)]

    async def check(self) -> str:
        limits = ANSWER.json(await self._session.call("GET", "limits"))
        left = limits.get("DailyApiRequests", {}) if isinstance(limits, dict) else {}
        return f"a token was given; {left.get('Remaining', '?')} of {left.get('Max', '?')} calls of today are left"

    async def pull(self, name: str, cursor: str | None) -> AsyncIterator[Pulled]:
        if name not in self.pulls:
            raise Fatal("CANNOT_PULL", f"Salesforce has no `{name}` to pull. There are {', '.join(self.pulls)}.")
        async for page in _salesforce_pull.pages(self._session, self.pulls[name], name, cursor, self.options.pull_fields):
            yield page

    async def _records(self, batch: Batch, rows: Sequence[Row]) -> dict[int, Outcome]:
        settings = batch.settings
        kind = settings.sobject if batch.object == "records" else KINDS[batch.object]
        key = settings.external_id_field
        if batch.operation == "remove":
            return await self._remove(batch, kind, key, rows)
        found: dict[int, Outcome] = {}
        if batch.match_policy != "upsert" or getattr(settings, "contact_by", None):
            there, found = await self._there(kind, key, rows)
            if batch.match_policy == "update_only":
                changes = [(row, record(kind, row.fields, id=there[row.index])) for row in rows if row.index in there]
                return dict.fromkeys((row.index for row in rows), NO_MATCH) | found | await self._write("PATCH", "", changes)
            if batch.match_policy == "create_only":
                found = dict.fromkeys(there, ALREADY_EXISTS) | found
            if getattr(settings, "contact_by", None):
                found |= await self._known(settings.contact_by, [r for r in rows if r.index not in {*there, *found} and not r.provider_id])
        left = [row for row in rows if row.index not in found]
        if batch.operation == "add" and batch.match_policy == "upsert":
            # Found over there by something else than the match value, which is written to it now.
            there = {row.index: row.provider_id for row in left if row.provider_id}
            by_id = [(row, record(kind, row.fields, id=row.provider_id, **{key: row.match})) for row in left if row.index in there]
            found |= {index: one for index, one in (await self._write("PATCH", "", by_id)).items() if one.code not in GONE}
            left = [row for row in left if row.index not in found]
        if len(left) > COLLECTION:
            return found | await self._jobs.upsert(kind, key, left)
        return found | await self._write("PATCH", f"/{kind}/{key}", [(row, record(kind, row.fields, **{key: row.match})) for row in left])

    async def _known(self, field: str, rows: Sequence[Row]) -> dict[int, Outcome]:
        """Rows whose contact is there already."""
        values = {row.index: str(row.fields[field]) for row in rows if row.fields.get(field)}
        contacts = await find(self._session, "Contact", field, values.values()) if values else {}
        return {index: CONTACT_EXISTS for index, value in values.items() if value.lower() in contacts}

    async def _there(self, kind: str, key: str, rows: Sequence[Row]) -> tuple[dict[int, str], dict[int, Outcome]]:
        """Record ids by row index, and the rows for which there are several."""
        found = await find(self._session, kind, key, [str(row.match) for row in rows])
        ids = {row.index: found[str(row.match).lower()] for row in rows if str(row.match).lower() in found}
        return {index: one[0] for index, one in ids.items() if len(one) == 1}, {i: SEVERAL for i, one in ids.items() if len(one) > 1}

    async def _remove(self, batch: Batch, kind: str, key: str, rows: Sequence[Row]) -> dict[int, Outcome]:
        there, found = await self._there(kind, key, rows)
        found = dict.fromkeys((row.index for row in rows), NO_MATCH) | found
        if batch.on_removed == "delete":
            return found | await delete(self._session, there, rows)
        cleared = [
            (row, record(kind, {name: None for name in row.fields if name != key}, id=there[row.index]))
            for row in rows
            if row.index in there
        ]
        return found | await self._write("PATCH", "", cleared)

    async def _members(self, batch: Batch, rows: Sequence[Row]) -> dict[int, Outcome]:
        settings: Members = batch.settings
        person = f"{settings.member}.{settings.external_id_field}"
        campaign = f"CampaignId = '{settings.campaign_id}' AND "
        members = await find(self._session, "CampaignMember", person, [str(row.match) for row in rows], campaign)
        ids = {row.index: members[str(row.match).lower()][0] for row in rows if str(row.match).lower() in members}
        if batch.operation == "remove":
            return dict.fromkeys((row.index for row in rows), NO_MATCH) | await delete(self._session, ids, rows)
        changes = [(row, record("CampaignMember", row.fields, id=ids[row.index])) for row in rows if row.index in ids]
        made = [
            (row, record("CampaignMember", {**row.fields, person: row.match}, CampaignId=settings.campaign_id))
            for row in rows
            if row.index not in ids
        ]
        found = await self._write("POST", "", made)
        # Somebody else was faster: the person is in the campaign, as was asked.
        found = {index: Outcome("sent", "ALREADY_MEMBER") if one.code in ALREADY else one for index, one in found.items()}
        return found | await self._write("PATCH", "", changes)

    async def _write(self, method: str, below: str, rows: Sequence[tuple[Row, Mapping[str, Any]]]) -> dict[int, Outcome]:
        return await write(self._session, method, f"composite/sobjects{below}", rows) if rows else {}


KINDS = {"contacts": "Contact", "leads": "Lead", "tasks": "Task"}
