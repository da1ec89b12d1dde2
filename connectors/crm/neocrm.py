"""销售易 (Neocrm): contacts, leads and records of any object, written one by one after a look for them; and the CRM as a source.

Of its interface little is published: the addresses and the way a token is asked for are options. A tenant may live at another host.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from connectors.base import Batch, Connector, Fatal, Object, Outcome, Pulled, SecretStr, Strict, secret
from connectors.crm._desk import Custom, Leads, Records, deliver
from connectors.crm._neocrm_api import Api
from connectors.crm._neocrm_desk import NeocrmDesk

KINDS = {"contacts": "contact", "leads": "lead", "accounts": "account", "opportunities": "opportunity"}
FIELDS = {
    "contacts": ["contactName", "email", "mobile", "phone", "post", "accountId", "ownerId"],
    "leads": ["name", "companyName", "email", "mobile", "phone", "status", "ownerId"],
    "accounts": ["accountName", "phone", "address", "industryId", "ownerId"],
    "opportunities": ["opportunityName", "accountId", "money", "saleStageId", "closeDate", "ownerId"],
}
PAGE = 100
OVERLAP = 600_000  # milliseconds: what changed may be found a while later


def records(settings: type[Strict]) -> Object:
    return Object(
        batch_size=50,
        per_second=4,  # no rate is published
        concurrency=1,
        modes=frozenset({"upsert", "mirror"}),
        match_policies=frozenset({"upsert", "update_only", "create_only"}),
        on_removed=frozenset({"nothing", "clear_fields", "delete"}),
        removed_by_key=frozenset({"nothing", "delete"}),
        settings=settings,
    )


class Neocrm(Connector):
    channel = "crm"
    base_url = "https://api.xiaoshouyi.com"
    objects: ClassVar = {"contacts": records(Records), "leads": records(Leads), "records": records(Custom)}
    pulls: ClassVar = dict.fromkeys(KINDS, "crm_records")

    class Options(Strict):
        """An app and the user in whose name it acts; `security_token` are the eight characters that follow the password. `pull_fields` are
        further fields to pull, by pull."""

        client_id: SecretStr = secret(sandbox="sandbox-neocrm-client")
        client_secret: SecretStr = secret(sandbox="sandbox-neocrm-client-secret")
        username: SecretStr = secret(sandbox="integration@sluice.example")
        password: SecretStr = secret(sandbox="sandbox-neocrm-password")
        security_token: SecretStr = secret(sandbox="8tokens8")
        redirect_uri: str = "https://crm.xiaoshouyi.com"
        token_path: str = Field(default="/oauth2/token", pattern=r"^/[A-Za-z0-9_./-]+$")
        pull_fields: dict[str, list[str]] = Field(default={})

    @cached_property
    def _api(self) -> Api:
        return Api(self.http, self.address, self.options)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        kind = batch.settings.object if batch.object == "records" else KINDS[batch.object]
        return await deliver(NeocrmDesk(self._api, batch.settings.dates), batch, kind, KINDS["contacts"])

    async def check(self) -> str:
        await self._api.token()
        return "a token was given for this user"

    async def pull(self, name: str, cursor: str | None) -> AsyncIterator[Pulled]:
        source = self.lands_in(name)
        moment, _, last = (cursor or "0|0").partition("|")
        if not (moment.isdecimal() and (last or "0").isdecimal()):
            raise Fatal("BAD_CURSOR", "This cursor is not one of this destination: pull anew without it.")
        start, after = max(0, int(moment) - OVERLAP), 0
        names = ",".join(["id", *FIELDS[name], *self.options.pull_fields.get(name, []), "createdAt", "updatedAt"])
        while True:
            # Two questions in one: the rest of the moment where the last page ended, and what is later.
            where = f"updatedAt > {start} or (updatedAt = {start} and id > {after})"
            page = await self._api.query(f"select {names} from {KINDS[name]} where {where} order by updatedAt, id limit {PAGE}")
            if not page:
                return
            start, after = int(page[-1]["updatedAt"]), int(page[-1]["id"])
            yield Pulled(source, [_event(KINDS[name], one) for one in page], f"{start}|{after}")
            if len(page) < PAGE:
                return


def _event(kind: str, one: dict[str, Any]) -> dict[str, Any]:
    changed = datetime.fromtimestamp(int(one["updatedAt"]) / 1000, UTC).isoformat()
    return {"system": "neocrm", "object": kind, "id": one["id"], "changed_at": changed, "deleted": False, "fields": one}
