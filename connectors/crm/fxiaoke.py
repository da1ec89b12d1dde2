"""纷享销客 (Fxiaoke): contacts, leads and records of any object, written one by one after a look for them; and the CRM as a source.

The platform has no upsert and no batch. An interface takes 100 calls in 20 seconds. An owner (`owner`, a list) is set when a record is made,
and never changed by us. What is gone is made invalid (作废), which a person can take back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar, Literal

from connectors.base import Batch, Connector, Fatal, Object, Outcome, Pulled, SecretStr, Strict, secret
from connectors.crm._desk import Custom, Leads, Records, deliver
from connectors.crm._fxiaoke_api import PAGE, Api
from connectors.crm._fxiaoke_desk import INVALID, FxiaokeDesk

KINDS = {"contacts": "ContactObj", "leads": "LeadsObj", "accounts": "AccountObj", "opportunities": "NewOpportunityObj"}
DEEPEST = 10_000  # records of one query; it goes on by a new one
OVERLAP = 600_000  # milliseconds: what changed may be found a while later


def records(settings: type[Strict]) -> Object:
    return Object(
        batch_size=50,
        per_second=4,  # 100 calls in 20 seconds are allowed, and others call too
        concurrency=1,
        modes=frozenset({"upsert", "mirror"}),
        match_policies=frozenset({"upsert", "update_only", "create_only"}),
        on_removed=frozenset({"nothing", "clear_fields", "archive"}),
        removed_by_key=frozenset({"nothing", "archive"}),
        settings=settings,
    )


class Fxiaoke(Connector):
    channel = "crm"
    base_url = "https://open.fxiaoke.com"
    objects: ClassVar = {"contacts": records(Records), "leads": records(Leads), "records": records(Custom)}
    pulls: ClassVar = dict.fromkeys(KINDS, "crm_records")

    class Options(Strict):
        """An app of the open platform. `user_id` is the employee in whose name it acts. `style` is how calls are signed: `oauth` by headers,
        `corp` as older apps do, by fields of the body."""

        app_id: SecretStr = secret(sandbox="FSAID_sandbox")
        app_secret: SecretStr = secret(sandbox="sandbox-fxiaoke-app-secret")
        permanent_code: SecretStr = secret(sandbox="sandbox-fxiaoke-permanent-code")
        user_id: str
        style: Literal["oauth", "corp"] = "oauth"

    @cached_property
    def _api(self) -> Api:
        return Api(self.http, self.address, self.options)

    async def deliver(self, batch: Batch) -> list[Outcome]:
        kind = batch.settings.object if batch.object == "records" else KINDS[batch.object]
        return await deliver(FxiaokeDesk(self._api, batch.settings.dates), batch, kind, KINDS["contacts"])

    async def check(self) -> str:
        await self._api.token()
        return "a token was given for this app"

    async def pull(self, name: str, cursor: str | None) -> AsyncIterator[Pulled]:
        source = self.lands_in(name)
        if cursor is not None and not cursor.isdecimal():
            raise Fatal("BAD_CURSOR", "This cursor is not one of this destination: pull anew without it.")
        start, offset = max(0, int(cursor) - OVERLAP) if cursor else 0, 0
        while True:
            since = {"field_name": "last_modified_time", "operator": "GTE", "field_values": [str(start)]}
            orders = [{"fieldName": "last_modified_time", "isAsc": True}]
            page = await self._api.query(KINDS[name], limit=PAGE, offset=offset, filters=[since], orders=orders)
            if not page:
                return
            last = int(page[-1]["last_modified_time"])
            yield Pulled(source, [_event(KINDS[name], one) for one in page], str(last))
            offset += PAGE
            if len(page) < PAGE:
                return
            if offset + PAGE > DEEPEST:
                if last <= start:
                    raise Fatal("TOO_MANY_AT_ONCE", f"More than {DEEPEST} {name} changed at one moment: a query cannot tell them all.")
                start, offset = last, 0


def _event(kind: str, one: dict[str, Any]) -> dict[str, Any]:
    changed = datetime.fromtimestamp(int(one["last_modified_time"]) / 1000, UTC).isoformat()
    deleted = one.get("life_status") in INVALID or bool(one.get("is_deleted"))
    return {"system": "fxiaoke", "object": kind, "id": one["_id"], "changed_at": changed, "deleted": deleted, "fields": one}
