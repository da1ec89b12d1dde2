from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from connectors.base import Batch, Fatal, Outcome, Pulled, Row, Transient
from connectors.crm._desk import Custom, Leads, Records
from connectors.crm.fxiaoke import Fxiaoke
from connectors.sandbox import Fault, Sandbox

SECRETS = {
    "app_id": "FSAID_sandbox",
    "user_id": "1000",
    "app_secret": "sandbox-fxiaoke-app-secret",
    "permanent_code": "sandbox-fxiaoke-permanent-code",
}
BY = Records(key_field="sluice_id__c")


def batch(rows: dict[str, dict[str, Any]], kind: str = "contacts", settings: Any = BY, **changes: Any) -> Batch:
    made = [Row(place, f"k{place}", orjson.dumps(fields), match) for place, (match, fields) in enumerate(rows.items())]
    return Batch(**{"object": kind, "operation": "add", "rows": made, "run_id": "r1", "number": 1, "settings": settings, **changes})


def opened(address: str, http: httpx.AsyncClient, **options: Any) -> Fxiaoke:
    return Fxiaoke(Fxiaoke.Options(**SECRETS, **options), http, address)


async def deliver(sandbox: Sandbox, http: httpx.AsyncClient, what: Batch) -> list[Outcome]:
    return await opened(sandbox.addresses.http, http).deliver(what)


async def pulled(sandbox: Sandbox, http: httpx.AsyncClient, name: str, cursor: str | None = None) -> list[Pulled]:
    return [page async for page in opened(sandbox.addresses.http, http).pull(name, cursor)]


def said(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return [(outcome.status, outcome.code) for outcome in outcomes]


def there(sandbox: Sandbox, kind: str = "ContactObj") -> list[dict[str, Any]]:
    return list(sandbox.emulators["fxiaoke"].state().get(kind, []))


async def test_what_leaves_is_what_the_platform_wants() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.path == "/oauth2.0/token":
            return httpx.Response(200, json={"errorCode": 0, "accessToken": "t", "ea": "e", "expiresIn": 7200})
        return httpx.Response(200, json={"errorCode": 0, "dataId": "1", "data": {"dataList": []}})

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        fields = {
            "name": "李",
            "n": 1.5,
            "yes": True,
            "owner": ["1001"],
            "day": "2026-10-31",
            "at": "2026-10-31T02:00:00+00:00",
            "none": None,
        }
        settings = Records(key_field="sluice_id__c", dates=["day", "at"])
        await opened("https://open.fxiaoke.com", http).deliver(batch({"p_1": fields}, settings=settings))
    token, query, create = seen
    assert orjson.loads(token.content) == {
        "appId": "FSAID_sandbox",
        "grantType": "app_secret",
        "appSecret": SECRETS["app_secret"],
        "permanentCode": SECRETS["permanent_code"],
    }
    assert (query.url.path, create.url.path) == ("/cgi/crm/v2/data/query", "/cgi/crm/v2/data/create")
    assert (create.headers["authorization"], create.headers["x-fs-ea"], create.headers["x-fs-userid"]) == ("Bearer t", "e", "1000")
    assert len({request.url.params["thirdTraceId"] for request in seen}) == 3
    made = {
        "dataObjectApiName": "ContactObj",
        "name": "李",
        "n": "1.5",
        "yes": True,
        "owner": ["1001"],
        "day": 1793376000000,
        "at": 1793412000000,
        "sluice_id__c": "p_1",
    }
    assert orjson.loads(create.content) == {"triggerApprovalFlow": False, "triggerWorkFlow": False, "data": {"object_data": made}}


async def test_older_apps_prove_themselves_in_the_body(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    connector = opened(sandbox.addresses.http, http, style="corp")
    assert said(await connector.deliver(batch({"p_1": {"name": "李"}}))) == [("sent", "CREATED")]


async def test_a_record_is_made_once_and_changed_then_without_its_owner(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    first = await deliver(sandbox, http, batch({"p_1": {"name": "李", "owner": ["1001"]}}))
    second = await deliver(sandbox, http, batch({"P_1": {"name": "王", "owner": ["1002"]}}))
    assert said(first + second) == [("sent", "CREATED"), ("sent", "")]
    assert first[0].provider_id == second[0].provider_id
    assert [(one["name"], one["owner"]) for one in there(sandbox)] == [("王", ["1001"])]


async def test_match_policies_and_removals(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox, http, batch({"p_1": {"name": "李", "tel": "1"}}))
    both = {"p_1": {"name": "王", "tel": "2"}, "p_2": {"name": "张", "tel": "3"}}
    assert said(await deliver(sandbox, http, batch(both, match_policy="update_only"))) == [("sent", ""), ("skipped", "NO_MATCH")]
    assert said(await deliver(sandbox, http, batch(both, match_policy="create_only"))) == [
        ("skipped", "ALREADY_EXISTS"),
        ("sent", "CREATED"),
    ]
    assert said(await deliver(sandbox, http, batch(both, operation="remove"))) == [("skipped", "NOTHING_TO_DO")] * 2
    cleared = batch({"p_1": {"tel": "2"}}, operation="remove", on_removed="clear_fields")
    assert said(await deliver(sandbox, http, cleared)) == [("sent", "")]
    gone = batch({"p_2": {}, "p_9": {}}, operation="remove", on_removed="archive")
    assert said(await deliver(sandbox, http, gone)) == [("sent", ""), ("skipped", "NO_MATCH")]
    assert [(one["tel"], one["life_status"]) for one in there(sandbox)] == [(None, "normal"), ("3", "invalid")]
    assert said(await deliver(sandbox, http, batch({"p_2": {"name": "张"}}))) == [("sent", "CREATED")]


async def test_no_lead_is_made_of_who_is_a_contact_already(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox, http, batch({"p_1": {"name": "李", "email": "Known@x.example"}}))
    leads = {"l_1": {"name": "x", "email": "known@x.example"}, "l_2": {"name": "y", "email": "new@x.example"}}
    by = Leads(key_field="sluice_id__c")
    assert said(await deliver(sandbox, http, batch(leads, "leads", by))) == [("skipped", "CONTACT_EXISTS"), ("sent", "CREATED")]
    anyhow = Leads(key_field="sluice_id__c", contact_by={})
    assert said(await deliver(sandbox, http, batch(leads, "leads", anyhow))) == [("sent", "CREATED"), ("sent", "")]


async def test_of_several_records_with_one_match_value_none_is_changed(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox, http, batch({"p_1": {"name": "李", "tel": "1"}, "p_2": {"name": "王", "tel": "1"}}))
    assert said(await deliver(sandbox, http, batch({"1": {"name": "张"}}, settings=Records(key_field="tel")))) == [
        ("rejected", "SEVERAL_MATCHES")
    ]


async def test_a_row_without_an_answer_does_not_stop_the_next_and_is_looked_for_before_it_is_made_again(
    sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    sandbox.faults.add(Fault(vendor="fxiaoke", kind="reset", match='"王'))
    both = {"p_1": {"name": "李"}, "p_2": {"name": "王"}, "p_3": {"name": "张"}}
    assert said(await deliver(sandbox, http, batch(both))) == [("sent", "CREATED"), ("unknown", "NO_ANSWER"), ("sent", "CREATED")]
    assert said(await deliver(sandbox, http, batch(both))) == [("sent", "")] * 3
    assert len(there(sandbox)) == 3


async def test_when_the_quota_ends_amid_a_batch_the_rest_is_skipped(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.faults.add(Fault(vendor="fxiaoke", kind="rate_limit", match='"王'))
    both = {"p_1": {"name": "李"}, "p_2": {"name": "王"}, "p_3": {"name": "张"}}
    assert said(await deliver(sandbox, http, batch(both))) == [("sent", "CREATED"), ("skipped", "30002"), ("skipped", "30002")]
    sandbox.faults.add(Fault(vendor="fxiaoke", kind="rate_limit"))
    with pytest.raises(Transient) as caught:
        await deliver(sandbox, http, batch(both))
    assert caught.value.after == 3600.0


async def test_a_token_that_ran_out_is_replaced_once(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    connector = opened(sandbox.addresses.http, http)
    await connector.check()
    sandbox.emulators["fxiaoke"].tokens.clear()
    assert said(await connector.deliver(batch({"p_1": {"name": "李"}}))) == [("sent", "CREATED")]
    assert len(sandbox.emulators["fxiaoke"].tokens) == 1


async def test_a_custom_object_has_a_room_of_its_own(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    settings = Custom(key_field="sluice_id__c", object="visit__c")
    assert said(await deliver(sandbox, http, batch({"p_1": {"name": "李"}}, "records", settings))) == [("sent", "CREATED")]
    assert len(there(sandbox, "visit__c")) == 1


async def test_contacts_are_pulled_oldest_first_and_what_was_made_invalid_too(
    sandbox: Sandbox, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver(sandbox, http, batch({f"p_{place}": {"name": f"李{place}"} for place in range(5)}))
    await deliver(sandbox, http, batch({"p_0": {}}, operation="remove", on_removed="archive"))
    monkeypatch.setattr("connectors.crm.fxiaoke.PAGE", 2)
    pages = await pulled(sandbox, http, "contacts")
    assert [len(page.events) for page in pages] == [2, 2, 1]
    events = [event for page in pages for event in page.events]
    assert [(event["fields"]["name"], event["deleted"]) for event in events][-1] == ("李0", True)
    assert len({event["id"] for event in events}) == 5
    again = await pulled(sandbox, http, "contacts", pages[-1].cursor)
    assert [event for page in again for event in page.events] == events
    with pytest.raises(Fatal):
        await pulled(sandbox, http, "contacts", "yesterday")
    with pytest.raises(Fatal):
        await pulled(sandbox, http, "tickets")
