"""A Salesforce org as a source."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from salesforce_org import (
    BY,
    batch,
    deliver,
    opened,
    rows,
)

from connectors.base import Fatal, Pulled
from connectors.crm._salesforce_upsert import Custom, Leads
from connectors.sandbox import Sandbox


async def pulled(sandbox: Sandbox, http: httpx.AsyncClient, name: str, cursor: str | None = None, **options: Any) -> list[Pulled]:
    return [page async for page in opened(sandbox.addresses.http, http, **options).pull(name, cursor)]


async def test_contacts_are_pulled_oldest_first_and_deleted_ones_too(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox, http, batch(rows({"LastName": "李", "HasOptedOutOfEmail": True}, {"LastName": "王"})))
    await deliver(sandbox, http, batch(rows({}, {})[1:], operation="remove", on_removed="delete"))
    pages = await pulled(sandbox, http, "contacts", pull_fields={"contacts": [BY]})
    events = [event for page in pages for event in page.events if event["fields"].get(BY)]
    assert {page.source for page in pages} == {"crm_records"}
    assert [(event["object"], event["fields"]["LastName"], event["fields"][BY], event["deleted"]) for event in events] == [
        ("Contact", "李", "p_0", False),
        ("Contact", "王", "p_1", True),
    ]
    assert events[0]["fields"]["HasOptedOutOfEmail"] is True


async def test_a_pull_goes_on_from_its_cursor_and_looks_back_a_little(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox, http, batch(rows({"Name": "a"}), "records", Custom(external_id_field=BY, sobject="Account")))
    [first] = await pulled(sandbox, http, "accounts")
    [again] = await pulled(sandbox, http, "accounts", first.cursor)
    assert again.events == first.events
    assert await pulled(sandbox, http, "accounts", "2999-01-01T00:00:00.000Z|001") == []
    with pytest.raises(Fatal):
        await pulled(sandbox, http, "accounts", "yesterday' OR Id != '")


async def test_full_pages_are_followed_by_the_next(sandbox: Sandbox, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    await deliver(sandbox, http, batch(rows(*({"LastName": f"李{place}"} for place in range(7)))))
    await deliver(
        sandbox, http, batch(rows(*({"LastName": "l", "Company": "c"} for place in range(7))), "leads", Leads(external_id_field=BY))
    )
    monkeypatch.setattr("connectors.crm._salesforce_pull.PAGE", 3)
    pages = await pulled(sandbox, http, "leads")
    assert [len(page.events) for page in pages] == [3, 3, 1]
    assert len({event["id"] for page in pages for event in page.events}) == 7


async def test_an_opportunity_comes_with_the_stages_it_went_through(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    settings = Custom(external_id_field=BY, sobject="Opportunity")
    for stage in ("Prospecting", "Closed Won"):
        await deliver(sandbox, http, batch(rows({"Name": "x", "StageName": stage, "CloseDate": "2026-12-31"}), "records", settings))
    [now], [before] = await pulled(sandbox, http, "opportunities"), await pulled(sandbox, http, "opportunity_history")
    assert [event["fields"]["StageName"] for event in now.events] == ["Closed Won"]
    assert [event["fields"]["StageName"] for event in before.events] == ["Prospecting", "Closed Won"]
    assert {event["fields"]["OpportunityId"] for event in before.events} == {now.events[0]["id"]}


async def test_what_cannot_be_pulled_is_said(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    with pytest.raises(Fatal) as caught:
        await pulled(sandbox, http, "campaigns")
    assert caught.value.code == "CANNOT_PULL"
