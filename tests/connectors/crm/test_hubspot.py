from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from hubspot.crm.contacts import (
    ApiClient,
    BatchApi,
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchInputSimplePublicObjectId,
    Configuration,
    SimplePublicObjectBatchInputUpsert,
    SimplePublicObjectId,
)
from hubspot.crm.contacts.exceptions import ApiException
from hubspot.utils.signature import Signature

from connectors.base import Batch, Callback, ConnectorError, Fatal, Outcome, Refused, Row, Transient, Unanswered
from connectors.crm.hubspot import Contacts, HubSpot
from connectors.sandbox import Fault, Sandbox

TOKEN = "pat-sandbox-hubspot-token"
SECRET = "sandbox-hubspot-client-secret"


def batch(*emails: str | None, settings: Contacts | None = None, provider_ids: tuple[str | None, ...] = (), **changes: Any) -> Batch:
    rows = [
        Row(index, f"k{index}", orjson.dumps({"email": email, "firstname": f"李{index}"}), email, None, (*provider_ids, *[None] * 9)[index])
        for index, email in enumerate(emails)
    ]
    return Batch(**{"object": "contacts", "operation": "add", "rows": rows, "run_id": "r1", "number": 1, "settings": settings, **changes})


async def deliver(address: str, http: httpx.AsyncClient, what: Batch) -> list[Outcome]:
    async with HubSpot(HubSpot.Options(token=TOKEN, client_secret=SECRET), http, address) as connector:
        return await connector.deliver(what)


def contacts(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    return {one["properties"]["email"]: one["properties"] for one in sandbox.emulators["hubspot"].state()["contacts"]}


def vendors_client(address: str, token: str) -> BatchApi:
    configuration = Configuration(host=address)
    configuration.access_token = token
    return BatchApi(ApiClient(configuration))


async def recorded(what: Batch, answer: httpx.Response) -> tuple[list[httpx.Request], list[Outcome] | ConnectorError]:
    """What the connector sends to a server that always answers so."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        try:
            return seen, await deliver("http://127.0.0.1:9", client, what)
        except ConnectorError as error:
            return seen, error


async def test_the_vendors_own_client_gets_along_with_the_sandbox(sandbox: Sandbox) -> None:
    api = vendors_client(sandbox.addresses.http, TOKEN)
    inputs = [
        SimplePublicObjectBatchInputUpsert(id=email, id_property="email", properties={"email": email}, object_write_trace_id=email)
        for email in ("a@x.example", "not an address")
    ]

    def use() -> Any:
        answer = api.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
        api.archive(BatchInputSimplePublicObjectId(inputs=[SimplePublicObjectId(id=answer.results[0].id)]))
        return answer

    answer = await asyncio.to_thread(use)
    assert [result.new for result in answer.results] == [True]
    assert answer.num_errors == 1
    assert answer.errors[0].category == "VALIDATION_ERROR"
    assert answer.errors[0].context["objectWriteTraceId"] == ["not an address"]
    assert contacts(sandbox) == {}


async def test_the_vendors_own_client_is_refused_with_a_wrong_token(sandbox: Sandbox) -> None:
    api = vendors_client(sandbox.addresses.http, "wrong")
    with pytest.raises(ApiException) as caught:
        await asyncio.to_thread(api.upsert, BatchInputSimplePublicObjectBatchInputUpsert(inputs=[]))
    assert caught.value.status == 401


async def test_our_request_is_the_one_the_vendors_client_makes(sandbox: Sandbox) -> None:
    seen, _ = await recorded(batch("a@x.example"), httpx.Response(200, json={"results": []}))
    upsert = SimplePublicObjectBatchInputUpsert(
        id="a@x.example", id_property="email", properties={"email": "a@x.example", "firstname": "李0"}, object_write_trace_id="0"
    )
    theirs = ApiClient(Configuration()).sanitize_for_serialization(BatchInputSimplePublicObjectBatchInputUpsert(inputs=[upsert]))
    assert orjson.loads(seen[0].content) == theirs
    assert seen[0].url.path == "/crm/v3/objects/contacts/batch/upsert"
    assert seen[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_contact_is_made_and_then_changed(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    [made] = await deliver(sandbox.addresses.http, http, batch("A@x.example"))
    [changed] = await deliver(sandbox.addresses.http, http, batch("a@X.example"))
    assert (made.status, made.code, changed.code) == ("sent", "CREATED", "")
    assert made.provider_id == changed.provider_id
    assert len(contacts(sandbox)) == 1


async def test_update_only_makes_nobody_and_create_only_changes_nobody(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox.addresses.http, http, batch("known@x.example"))
    both = ("known@x.example", "new@x.example")
    updated = await deliver(sandbox.addresses.http, http, batch(*both, match_policy="update_only"))
    assert [(outcome.status, outcome.code) for outcome in updated] == [("sent", ""), ("skipped", "NO_MATCH")]
    made = await deliver(sandbox.addresses.http, http, batch(*both, match_policy="create_only"))
    assert [(outcome.status, outcome.code) for outcome in made] == [("skipped", "ALREADY_EXISTS"), ("sent", "CREATED")]


async def test_a_contact_that_exists_already_is_skipped_when_the_whole_batch_is_refused_for_it() -> None:
    _, outcomes = await recorded(batch("a@x.example", match_policy="create_only"), httpx.Response(409, json={"category": "CONFLICT"}))
    assert [outcome.code for outcome in outcomes] == ["ALREADY_EXISTS"]
    _, error = await recorded(batch("a@x.example", "b@x.example", match_policy="create_only"), httpx.Response(409, json={}))
    assert isinstance(error, Refused)


async def test_removed_contacts_are_archived_by_the_id_that_is_known_or_asked_for(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    made = await deliver(sandbox.addresses.http, http, batch("a@x.example", "b@x.example", "c@x.example"))
    gone = batch(
        "a@x.example", "b@x.example", "never@x.example", provider_ids=(made[0].provider_id,), operation="remove", on_removed="archive"
    )
    outcomes = await deliver(sandbox.addresses.http, http, gone)
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [("sent", ""), ("sent", ""), ("skipped", "NO_MATCH")]
    assert list(contacts(sandbox)) == ["c@x.example"]


async def test_removed_contacts_can_lose_their_fields_but_not_what_they_are_found_by(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox.addresses.http, http, batch("a@x.example"))
    gone = batch("a@x.example", "never@x.example", operation="remove", on_removed="clear_fields")
    outcomes = await deliver(sandbox.addresses.http, http, gone)
    assert [outcome.status for outcome in outcomes] == ["sent", "skipped"]
    assert contacts(sandbox)["a@x.example"] == {"email": "a@x.example", "firstname": ""}


async def test_removed_contacts_stay_unless_asked(http: httpx.AsyncClient) -> None:
    seen, outcomes = await recorded(batch("a@x.example", operation="remove"), httpx.Response(200, json={}))
    assert not seen
    assert [outcome.status for outcome in outcomes] == ["skipped"]


async def test_two_rows_for_one_contact_do_not_cost_the_batch(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    outcomes = await deliver(sandbox.addresses.http, http, batch("a@x.example", "A@X.example", None, "b@x.example"))
    assert [outcome.code for outcome in outcomes] == ["CREATED", "DUPLICATE_MATCH", "NO_MATCH_VALUE", "CREATED"]


async def test_a_property_of_ones_own_can_be_what_contacts_are_found_by(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    row = Row(0, "k", b'{"city":"\xe5\x8c\x97\xe4\xba\xac"}', "p_1")
    mine = Batch("contacts", "add", [row], "r", 1, settings=Contacts(id_property="sluice_profile_id"))
    [made] = await deliver(sandbox.addresses.http, http, mine)
    [again] = await deliver(sandbox.addresses.http, http, mine)
    assert made.provider_id == again.provider_id
    assert sandbox.emulators["hubspot"].state()["contacts"][0]["properties"] == {"city": "北京", "sluice_profile_id": "p_1"}


async def test_values_become_the_strings_that_hubspot_takes() -> None:
    fields = {"a": None, "b": True, "c": 1.5, "d": ["x", "y"], "e": "", "f": "北京"}
    what = Batch("contacts", "add", [Row(0, "k", orjson.dumps(fields), "a@x.example")], "r", 1)
    seen, _ = await recorded(what, httpx.Response(200, json={"results": []}))
    sent = orjson.loads(seen[0].content)["inputs"][0]["properties"]
    assert sent == {"a": "", "b": "true", "c": "1.5", "d": "x;y", "e": "", "f": "北京"}


async def test_a_mapped_property_that_hubspot_does_not_have_stops_the_run(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    what = Batch("contacts", "add", [Row(0, "k", b'{"Not A Property":"x"}', "a@x.example")], "r", 1)
    with pytest.raises(Fatal) as caught:
        await deliver(sandbox.addresses.http, http, what)
    assert caught.value.code == "PROPERTY_DOESNT_EXIST"


async def test_errors_find_their_row_without_a_trace_id_too() -> None:
    error = {"status": "error", "category": "VALIDATION_ERROR", "message": "b@x.example is wrong", "context": {"ids": ["B@x.example"]}}
    result = {"id": "7", "properties": {"email": "a@x.example"}}
    answer = httpx.Response(207, json={"results": [result], "numErrors": 1, "errors": [error]})
    _, outcomes = await recorded(batch("a@x.example", "b@x.example", "c@x.example"), answer)
    assert [outcome.status for outcome in outcomes] == ["sent", "rejected", "unknown"]
    assert outcomes[0].provider_id == "7"
    assert outcomes[1].reason == "… is wrong"


async def test_a_limit_without_a_time_waits_the_rolling_window(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.faults.add(Fault(vendor="hubspot", kind="rate_limit"))
    with pytest.raises(Transient) as caught:
        await deliver(sandbox.addresses.http, http, batch("a@x.example"))
    assert caught.value.after == 10.0


async def test_trouble_there_may_be_repeated_for_an_upsert_but_not_for_a_creation() -> None:
    _, upserting = await recorded(batch("a@x.example"), httpx.Response(500))
    _, creating = await recorded(batch("a@x.example", match_policy="create_only"), httpx.Response(500))
    assert isinstance(upserting, Transient)
    assert isinstance(creating, Unanswered)


def test_a_webhook_signed_by_the_vendors_own_code_is_believed() -> None:
    now, url, body = datetime.now(UTC), "https://c.example/hooks/hubspot", '[{"eventId":1,"propertyValue":"北京"}]'
    timestamp = str(int(time.time() * 1000))
    signature = Signature.get_signature(SECRET, body, "v3", url, "POST", timestamp)
    headers = {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": timestamp}
    seen = Callback("POST", "http://10.0.0.1/hooks/hubspot", {}, headers, body.encode(), now)  # behind a proxy
    connector = HubSpot(HubSpot.Options(token=TOKEN, client_secret=SECRET, callback_url=url))
    assert connector.receive(seen).events == [{"eventId": 1, "propertyValue": "北京"}]
