"""HubSpot's tasks, members of lists, and what is pulled from it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
import pytest
from hubspot.crm import contacts as contacts_sdk
from hubspot.crm import deals as deals_sdk
from hubspot.crm import lists as lists_sdk
from hubspot.crm.associations import v4 as associations_sdk
from hubspot.crm.objects import tasks as tasks_sdk

from connectors.base import Batch, ConnectorError, Fatal, Outcome, Pulled, Row
from connectors.crm.hubspot import Contacts, HubSpot, ListMembers, Tasks
from connectors.sandbox import Fault, Sandbox

TOKEN = "pat-sandbox-hubspot-token"


def batch(kind: str, settings: Any, rows: dict[str, dict[str, Any]], **changes: Any) -> Batch:
    made = [Row(place, f"k{place}", orjson.dumps(fields), match) for place, (match, fields) in enumerate(rows.items())]
    return Batch(**{"object": kind, "operation": "add", "rows": made, "run_id": "r1", "number": 1, "settings": settings, **changes})


async def deliver(sandbox: Sandbox, http: httpx.AsyncClient, what: Batch) -> list[Outcome]:
    return await HubSpot(HubSpot.Options(token=TOKEN), http, sandbox.addresses.http).deliver(what)


async def pulled(sandbox: Sandbox, http: httpx.AsyncClient, name: str, cursor: str | None = None) -> list[Pulled]:
    return [page async for page in HubSpot(HubSpot.Options(token=TOKEN), http, sandbox.addresses.http).pull(name, cursor)]


def said(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return [(outcome.status, outcome.code) for outcome in outcomes]


def client(sdk: Any, address: str) -> Any:
    configuration = sdk.Configuration(host=address)
    configuration.access_token = TOKEN
    return sdk.ApiClient(configuration)


TASK = {"hs_task_subject": "致电", "hs_timestamp": "2026-10-31T02:00:00Z"}


async def test_the_vendors_own_clients_get_along_with_the_sandbox(sandbox: Sandbox) -> None:
    address = sandbox.addresses.http

    def use() -> None:
        inputs = [tasks_sdk.SimplePublicObjectBatchInputUpsert(id="t1", id_property="sluice_task_id", properties=TASK)]
        made = tasks_sdk.BatchApi(client(tasks_sdk, address)).upsert(tasks_sdk.BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
        assert [result.new for result in made.results] == [True]
        members = lists_sdk.MembershipsApi(client(lists_sdk, address))
        added = members.add("7", ["9000001", "1"])
        assert (added.records_ids_added, added.record_ids_missing) == (["9000001"], ["1"])
        assert members.remove("7", ["9000001"]).record_ids_removed == ["9000001"]
        asked = contacts_sdk.PublicObjectSearchRequest(filter_groups=[], sorts=[], properties=["email"], limit=5, after="0")
        assert contacts_sdk.SearchApi(client(contacts_sdk, address)).do_search(asked).total == 0

    await asyncio.to_thread(use)


async def test_a_task_is_written_once_and_tied_to_its_contact(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    settings = Tasks(contact_by="badge")
    tasks = {"t1": {**TASK, "contact": "B5"}, "t2": {**TASK, "contact": "b5"}, "t3": {**TASK, "contact": "nobody"}, "t4": TASK}
    first = await deliver(sandbox, http, batch("tasks", settings, tasks))
    assert said(first) == [("sent", "CREATED"), ("sent", "CREATED"), ("rejected", "NO_CONTACT"), ("sent", "CREATED")]
    again = await deliver(sandbox, http, batch("tasks", settings, tasks))
    assert said(again) == [("sent", ""), ("sent", ""), ("rejected", "NO_CONTACT"), ("sent", "")]
    kept = sandbox.emulators["hubspot"].state()["tasks"]
    assert [task["contacts"] for task in kept] == [["9000005"], ["9000005"], []]
    assert "contact" not in kept[0]["properties"]


async def test_a_task_that_was_not_tied_is_not_done() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/read"):
            return httpx.Response(200, json={"results": [{"id": "5", "properties": {"badge": "B5"}}]})
        if request.url.path.endswith("/upsert"):
            return httpx.Response(200, json={"results": [{"id": "70", "objectWriteTraceId": "0"}]})
        return httpx.Response(207, json={"results": [], "numErrors": 1})

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        connector = HubSpot(HubSpot.Options(token=TOKEN), http, "http://127.0.0.1:9")
        outcomes = await connector.deliver(batch("tasks", Tasks(contact_by="badge"), {"t1": {**TASK, "contact": "B5"}}))
    assert said(outcomes) == [("rejected", "NOT_TIED")]


async def test_members_of_a_list_come_and_go(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    settings = ListMembers(list_id="7", id_property="badge")
    who = {"B1": {}, "B2": {}, "B9999": {}}
    sandbox.faults.add(Fault(vendor="hubspot", kind="partial", match="9000002"))
    first = await deliver(sandbox, http, batch("list_members", settings, who))
    assert said(first) == [("sent", ""), ("rejected", "RECORD_MISSING"), ("skipped", "NO_MATCH")]
    assert said(await deliver(sandbox, http, batch("list_members", settings, who)))[:2] == [("sent", ""), ("sent", "")]
    assert sandbox.emulators["hubspot"].state()["lists"] == {"7": ["9000001", "9000002"]}
    left = batch("list_members", settings, {"B1": {}}, operation="remove", on_removed="remove_from_list")
    assert said(await deliver(sandbox, http, left)) == [("sent", "")]
    assert said(await deliver(sandbox, http, batch("list_members", settings, {"B2": {}}, operation="remove"))) == [
        ("skipped", "NOTHING_TO_DO")
    ]
    assert sandbox.emulators["hubspot"].state()["lists"] == {"7": ["9000002"]}


@pytest.mark.parametrize("list_id", ["400", "404"])
async def test_a_list_that_takes_no_members_stops_the_run(sandbox: Sandbox, http: httpx.AsyncClient, list_id: str) -> None:
    with pytest.raises(Fatal):
        await deliver(sandbox, http, batch("list_members", ListMembers(list_id=list_id, id_property="badge"), {"B1": {}}))


async def test_contacts_are_pulled_oldest_first_page_by_page(
    sandbox: Sandbox, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = {f"p{place}@x.example": {"email": f"p{place}@x.example", "firstname": "李"} for place in range(7)}
    await deliver(sandbox, http, batch("contacts", Contacts(), people))
    monkeypatch.setattr("connectors.crm._hubspot_pull.PAGE", 3)
    pages = await pulled(sandbox, http, "contacts")
    assert [len(page.events) for page in pages] == [3, 3, 1]
    assert [event["fields"]["email"] for page in pages for event in page.events] == list(people)
    assert {(event["system"], event["object"], event["fields"]["firstname"]) for page in pages for event in page.events} == {
        ("hubspot", "contacts", "李")
    }
    again = await pulled(sandbox, http, "contacts", pages[-1].cursor)
    assert [event["id"] for page in again for event in page.events] == [event["id"] for page in pages for event in page.events]
    assert await pulled(sandbox, http, "contacts", "2999-01-01T00:00:00+00:00") == []


async def test_a_pull_deeper_than_a_search_reaches_goes_on_by_a_new_search(
    sandbox: Sandbox, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(6):
        await deliver(sandbox, http, batch("contacts", Contacts(), {f"p{place}@x.example": {"email": f"p{place}@x.example"}}))
        await asyncio.sleep(0.002)  # another millisecond, which is what a search tells apart
    monkeypatch.setattr("connectors.crm._hubspot_pull.PAGE", 2)
    monkeypatch.setattr("connectors.crm._hubspot_pull.DEEPEST", 4)
    pages = await pulled(sandbox, http, "contacts")
    assert {event["fields"]["email"] for page in pages for event in page.events} == {f"p{place}@x.example" for place in range(6)}


async def test_a_deal_is_pulled_with_the_contacts_it_is_about(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    people = await deliver(sandbox, http, batch("contacts", Contacts(), {f"p{place}@x.example": {} for place in range(2)}))
    ids = [str(one.provider_id) for one in people]

    def make() -> Any:
        deals = deals_sdk.BasicApi(client(deals_sdk, sandbox.addresses.http))
        for name, contacts in (("座席 🎉", ids), ("nobody's", [])):
            kind = deals_sdk.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=3)
            about = [deals_sdk.PublicAssociationsForObject(to=deals_sdk.PublicObjectId(id=one), types=[kind]) for one in contacts]
            deals.create(deals_sdk.SimplePublicObjectInputForCreate(properties={"dealname": name}, associations=about))
        pairs = associations_sdk.BatchApi(client(associations_sdk, sandbox.addresses.http))
        asked = [{"id": record} for record in sandbox.emulators["hubspot"]._deals.deals]  # type: ignore[attr-defined]
        return pairs.get_page("deals", "contacts", associations_sdk.BatchInputPublicFetchAssociationsBatchRequest(inputs=asked))

    told = await asyncio.to_thread(make)  # what the vendor's own client reads of it
    assert [one.to_object_id for result in told.results for one in result.to] == ids
    assert told.num_errors == 1
    [page] = await pulled(sandbox, http, "deals")
    assert [(deal["fields"]["dealname"], deal["fields"].get("contact_id")) for deal in page.events] == [
        ("座席 🎉", ids[0]),
        ("nobody's", None),
    ]
    assert page.events[0]["fields"]["contact_ids"] == ids


async def test_what_cannot_be_pulled_is_said(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    for name, cursor in (("tickets", None), ("contacts", "yesterday")):
        with pytest.raises(ConnectorError):
            await pulled(sandbox, http, name, cursor)
