from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import httpx
import orjson
import pytest

from connectors.base import Batch, Fatal, Outcome, Pulled, Refused, Row
from connectors.crm._desk import Leads, Records
from connectors.crm.neocrm import Neocrm
from connectors.sandbox import Fault, Sandbox

SECRETS = {
    "client_id": "sandbox-neocrm-client",
    "username": "integration@sluice.example",
    "client_secret": "sandbox-neocrm-client-secret",
    "password": "sandbox-neocrm-password",
    "security_token": "8tokens8",
}
BY = Records(key_field="sluiceId__c")


def batch(rows: dict[str, dict[str, Any]], kind: str = "contacts", settings: Any = BY, **changes: Any) -> Batch:
    made = [Row(place, f"k{place}", orjson.dumps(fields), match) for place, (match, fields) in enumerate(rows.items())]
    return Batch(**{"object": kind, "operation": "add", "rows": made, "run_id": "r1", "number": 1, "settings": settings, **changes})


def opened(address: str, http: httpx.AsyncClient, **options: Any) -> Neocrm:
    return Neocrm(Neocrm.Options(**SECRETS, **options), http, address)


async def deliver(sandbox: Sandbox, http: httpx.AsyncClient, what: Batch) -> list[Outcome]:
    return await opened(sandbox.addresses.http, http).deliver(what)


async def pulled(sandbox: Sandbox, http: httpx.AsyncClient, name: str, cursor: str | None = None) -> list[Pulled]:
    return [page async for page in opened(sandbox.addresses.http, http).pull(name, cursor)]


def said(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return [(outcome.status, outcome.code) for outcome in outcomes]


async def test_what_leaves_is_what_is_known_of_the_platform() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.path == "/oauth2/token.action":
            return httpx.Response(200, json={"access_token": "t"})
        return httpx.Response(200, json={"code": 200, "msg": "OK", "data": {"id": 7, "records": []}})

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        connector = opened("https://api.xiaoshouyi.com", http, token_path="/oauth2/token.action")
        settings = Records(key_field="sluiceId__c", dates=["at"])
        outcomes = await connector.deliver(
            batch({"p_1": {"contactName": "李", "n": 1.5, "at": "2026-10-31T02:00:00", "none": None}}, settings=settings)
        )
    token, query, create = seen
    form = {name: values[0] for name, values in parse_qs(token.content.decode()).items()}
    assert (form["grant_type"], form["password"], form["client_id"]) == (
        "password",
        "sandbox-neocrm-password8tokens8",
        "sandbox-neocrm-client",
    )
    assert parse_qs(query.content.decode())["xoql"] == ["select id,sluiceId__c from contact where sluiceId__c in ('p_1')"]
    assert (create.method, create.url.path, create.headers["authorization"]) == ("POST", "/rest/data/v2.0/xobjects/contact", "Bearer t")
    assert orjson.loads(create.content) == {"data": {"contactName": "李", "n": 1.5, "at": 1793412000000, "sluiceId__c": "p_1"}}
    assert outcomes == [Outcome("sent", "CREATED", provider_id="7")]


async def test_a_record_is_made_once_changed_and_deleted(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    first = await deliver(sandbox, http, batch({"p_1": {"contactName": "李", "phone": "1"}}))
    second = await deliver(sandbox, http, batch({"p_1": {"contactName": "王"}, "p_2": {"contactName": ""}}))
    assert said(first + second) == [("sent", "CREATED"), ("sent", ""), ("rejected", "300010")]
    [kept] = sandbox.emulators["neocrm"].state()["contact"]
    assert (kept["contactName"], kept["phone"]) == ("王", "1")
    gone = batch({"p_1": {}, "p_9": {}}, operation="remove", on_removed="delete")
    assert said(await deliver(sandbox, http, gone)) == [("sent", ""), ("skipped", "NO_MATCH")]
    assert sandbox.emulators["neocrm"].state()["contact"] == []


async def test_no_lead_is_made_of_who_is_a_contact_already(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox, http, batch({"p_1": {"contactName": "李", "mobile": "13800000000"}}))
    leads = {"l_1": {"name": "x", "mobile": "13800000000"}, "l_2": {"name": "y", "mobile": None}}
    by = Leads(key_field="sluiceId__c", contact_by={"email": "email", "mobile": "mobile"})
    assert said(await deliver(sandbox, http, batch(leads, "leads", by))) == [("skipped", "CONTACT_EXISTS"), ("sent", "CREATED")]


async def test_a_match_value_that_could_change_the_question_is_not_asked_for(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    with pytest.raises(Refused):
        await deliver(sandbox, http, batch({"x') or id > 0 or a in ('": {"contactName": "李"}}))


async def test_a_creation_without_an_answer_is_unknown_and_looked_for_by_the_next_run(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.faults.add(Fault(vendor="neocrm", kind="reset", match='"王'))
    both = {"p_1": {"contactName": "王"}, "p_2": {"contactName": "李"}}
    assert said(await deliver(sandbox, http, batch(both))) == [("unknown", "NO_ANSWER"), ("sent", "CREATED")]
    assert said(await deliver(sandbox, http, batch(both))) == [("sent", "")] * 2


async def test_a_token_that_ran_out_is_replaced_once(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    connector = opened(sandbox.addresses.http, http)
    await connector.check()
    sandbox.emulators["neocrm"].tokens.clear()
    assert said(await connector.deliver(batch({"p_1": {"contactName": "李"}}))) == [("sent", "CREATED")]
    assert len(sandbox.emulators["neocrm"].tokens) == 1


async def test_an_answer_without_a_code_is_no_success() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json={"access_token": "t"})
        if request.url.path.endswith("/xoql"):
            return httpx.Response(200, json={"code": 200, "data": {"records": []}})
        return httpx.Response(200, json={"data": {"id": 7}})

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        outcomes = await opened("https://api.xiaoshouyi.com", http).deliver(batch({"p_1": {"contactName": "李"}}))
    assert said(outcomes) == [("unknown", "NO_ANSWER")]


async def test_contacts_are_pulled_oldest_first_page_by_page(
    sandbox: Sandbox, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver(sandbox, http, batch({f"p_{place}": {"contactName": f"李{place}"} for place in range(5)}))
    monkeypatch.setattr("connectors.crm.neocrm.PAGE", 2)
    pages = await pulled(sandbox, http, "contacts")
    assert [len(page.events) for page in pages] == [2, 2, 1]
    assert [event["fields"]["contactName"] for page in pages for event in page.events] == [f"李{place}" for place in range(5)]
    assert await pulled(sandbox, http, "contacts", "99999999999999|1") == []
    for name, cursor in (("tickets", None), ("contacts", "yesterday")):
        with pytest.raises(Fatal):
            await pulled(sandbox, http, name, cursor)
