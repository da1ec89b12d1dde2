"""Salesforce: records by an external id, campaign members, tasks; leads, contacts, accounts and opportunities with their history as a source.

An upsert is 200 records a call (sObject Collections), each with its own result in an answer that is always 200; plans of many rows go as jobs
of Bulk API 2.0. `match_on` holds the values of the external id field, which should be unique over there; a record is then never made twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from typing import ClassVar

from pydantic import Field

from connectors.base import Batch, Connector, Object, Outcome, Pulled, Row, SecretStr, Strict, secret
from connectors.crm import _salesforce_pull
from connectors.crm._matches import each_once
from connectors.crm._salesforce_bulk import Jobs
from connectors.crm._salesforce_members import Members, members
from connectors.crm._salesforce_records import COLLECTION
from connectors.crm._salesforce_session import ANSWER, Session
from connectors.crm._salesforce_upsert import Custom, Leads, Records, upsert


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
        return await each_once(batch.rows, lambda rows: self._carry_out(batch, list(rows.values())))

    async def check(self) -> str:
        limits = ANSWER.json(await self._session.call("GET", "limits"))
        left = limits.get("DailyApiRequests", {}) if isinstance(limits, dict) else {}
        return f"a token was given; {left.get('Remaining', '?')} of {left.get('Max', '?')} calls of today are left"

    async def pull(self, name: str, cursor: str | None) -> AsyncIterator[Pulled]:
        async for page in _salesforce_pull.pages(self._session, self.lands_in(name), name, cursor, self.options.pull_fields):
            yield page

    async def _carry_out(self, batch: Batch, rows: Sequence[Row]) -> dict[int, Outcome]:
        """Outcomes by row index."""
        if batch.object == "campaign_members":
            return await members(self._session, batch, rows)
        return await upsert(self._session, self._jobs, batch, rows)
