"""Records of Salesforce, and the session in which they are written."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from salesforce_org import (
    BY,
    CAMPAIGN,
    KEY,
    PEM,
    PUBLIC,
    USER,
    batch,
    deliver,
    opened,
    rows,
    said,
    their_client,
    there,
    vendors_session,
)
from simple_salesforce import SalesforceLogin
from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceExpiredSession

from connectors.base import Batch, ConnectorError, Fatal, Outcome, Refused, Row, Transient, Unanswered
from connectors.crm import _salesforce_session
from connectors.crm._salesforce_members import Members
from connectors.crm._salesforce_upsert import Custom, Leads, Records
from connectors.crm.salesforce import Salesforce
from connectors.sandbox import Fault, Sandbox

# -- tokens ---------------------------------------------------------------------------------------------------------------


async def test_a_known_client_logs_in_and_its_assertion_says_what_ours_says(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.emulators["salesforce"].public_keys = [PUBLIC]
    session, nearby = vendors_session(sandbox)
    await asyncio.to_thread(SalesforceLogin, session=session, username=USER, consumer_key=KEY, privatekey=PEM)
    theirs = jwt.decode(parse_qs(nearby.seen[0].body)["assertion"][0], options={"verify_signature": False})
    options = Salesforce.Options(consumer_key=KEY, private_key=PEM, username=USER)
    ours = _salesforce_session.assertion(options, int(theirs["exp"]) - 180)
    assert jwt.decode(ours, PUBLIC, algorithms=["RS256"], audience=theirs["aud"]) == {**theirs, "exp": int(theirs["exp"])}
    assert nearby.seen[0].url.endswith("/services/oauth2/token")


async def test_a_token_is_given_to_who_signs_with_the_certificate(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    by_jwt = {"consumer_secret": None, "private_key": PEM, "username": USER}
    with pytest.raises(Fatal):
        await opened(sandbox.addresses.http, http, **by_jwt).check()
    sandbox.emulators["salesforce"].public_keys = [PUBLIC]
    assert "are left" in await opened(sandbox.addresses.http, http, **by_jwt).check()
    with pytest.raises(Fatal) as caught:
        await opened(sandbox.addresses.http, http, **by_jwt | {"username": "nobody@sluice.example"}).check()
    assert "nobody" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"consumer_secret": None}, "NO_CREDENTIALS"),
        ({"private_key": PEM}, "NO_USERNAME"),
        ({"private_key": "x", "username": USER}, "BAD_KEY"),
    ],
)
async def test_credentials_that_cannot_do_are_said_to(sandbox: Sandbox, http: httpx.AsyncClient, options: Any, code: str) -> None:
    with pytest.raises(Fatal) as caught:
        await opened(sandbox.addresses.http, http, **options).check()
    assert caught.value.code == code


async def test_a_token_that_ran_out_is_replaced_once(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    connector, emulator = opened(sandbox.addresses.http, http), sandbox.emulators["salesforce"]
    await connector.check()
    emulator.tokens.clear()
    assert said(await connector.deliver(batch(rows({"LastName": "李"})))) == [("sent", "CREATED")]
    assert len(emulator.tokens) == 1


async def test_a_session_that_is_refused_again_stops_the_run() -> None:
    asked = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "instance_url": "https://x.my.salesforce.com"})
        return httpx.Response(401, json=[{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}])

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        with pytest.raises(Fatal):
            await opened("https://x.my.salesforce.com", client).deliver(batch(rows({"LastName": "李"})))
    assert sum(path.endswith("/token") for path in asked) == 2


async def test_nothing_is_sent_to_an_instance_without_https() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"access_token": "t", "instance_url": "http://x.my.salesforce.com"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        with pytest.raises(Fatal) as caught:
            await opened("https://x.my.salesforce.com", client).check()
    assert caught.value.code == "NOT_HTTPS"


# -- records ----------------------------------------------------------------------------------------------------------------


async def test_a_known_client_gets_along_with_the_sandbox(sandbox: Sandbox) -> None:
    def use() -> None:
        client = their_client(sandbox)
        records = [{"attributes": {"type": "Contact"}, BY: "a", "LastName": "李"}, {"attributes": {"type": "Contact"}, BY: "b"}]
        done, missing = client.restful(f"composite/sobjects/Contact/{BY}", method="PATCH", json={"allOrNone": False, "records": records})
        assert (done["success"], done["created"]) == (True, True)
        assert missing["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
        assert client.query(f"SELECT Id, LastName FROM Contact WHERE {BY} = 'a'")["records"][0]["LastName"] == "李"
        results = client.bulk2.Contact.upsert(
            records=[{BY: "a", "LastName": "王"}, {BY: "c", "LastName": "张"}], external_id_field=BY, wait=0.01
        )
        assert results[0]["numberRecordsTotal"] == 2
        sandbox.emulators["salesforce"].tokens.clear()
        with pytest.raises(SalesforceExpiredSession):
            client.query("SELECT Id FROM Contact")
        session, _ = vendors_session(sandbox)
        with pytest.raises(SalesforceAuthenticationFailed):
            SalesforceLogin(session=session, consumer_key=KEY, consumer_secret="wrong", domain="sluice.my")

    await asyncio.to_thread(use)
    assert {one["LastName"] for one in there(sandbox, "Contact")} == {"王", "张"}


async def test_each_record_has_its_own_outcome(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    what = batch(
        [
            *rows({"LastName": "李"}, {"LastName": "王", "Email": "nowhere"}, {"FirstName": "雷"}),
            Row(3, "k", b"{}"),
            Row(4, "k", b'{"LastName":"x"}', "P_0"),
        ]
    )
    outcomes = await deliver(sandbox, http, what)
    assert said(outcomes) == [
        ("sent", "CREATED"), ("rejected", "INVALID_EMAIL_ADDRESS"), ("rejected", "REQUIRED_FIELD_MISSING"),
        ("rejected", "NO_MATCH_VALUE"), ("rejected", "DUPLICATE_MATCH"),
    ]  # fmt: skip
    assert outcomes[0].provider_id == there(sandbox, "Contact")[0]["Id"]
    assert "nowhere" not in outcomes[1].reason


async def test_a_record_is_made_once_and_changed_then(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    first = await deliver(sandbox, http, batch(rows({"LastName": "李", "Phone": "1"})))
    second = await deliver(sandbox, http, batch(rows({"LastName": "李", "Phone": None})))
    assert said(first + second) == [("sent", "CREATED"), ("sent", "")]
    assert there(sandbox, "Contact")[0]["Phone"] is None


async def test_update_only_makes_nobody_and_create_only_changes_nobody(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox, http, batch(rows({"LastName": "李"})))
    both = rows({"LastName": "王"}, {"LastName": "张"})
    assert said(await deliver(sandbox, http, batch(both, match_policy="create_only"))) == [
        ("skipped", "ALREADY_EXISTS"),
        ("sent", "CREATED"),
    ]
    more = rows({"LastName": "赵"}, {"LastName": "赵"}, {"LastName": "赵"})
    outcomes = await deliver(sandbox, http, batch(more, match_policy="update_only"))
    assert said(outcomes) == [("sent", ""), ("sent", ""), ("skipped", "NO_MATCH")]
    assert [one["LastName"] for one in there(sandbox, "Contact")] == ["赵", "赵"]


async def test_a_record_that_was_found_by_something_else_gets_the_match_value(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    by_email = batch(rows(**{"a@x.example": {"LastName": "李"}}), settings=Records(external_id_field="Email"))
    [made] = await deliver(sandbox, http, by_email)
    found = [
        Row(0, "k0", b'{"LastName":"\xe7\x8e\x8b"}', "p_0", None, made.provider_id),
        Row(1, "k1", b'{"LastName":"x"}', "p_1", None, "003GONE"),
    ]
    outcomes = await deliver(sandbox, http, batch(found))
    assert said(outcomes) == [("sent", ""), ("sent", "CREATED")]
    assert outcomes[0].provider_id == made.provider_id
    assert [(one["LastName"], one[BY]) for one in there(sandbox, "Contact")] == [("王", "p_0"), ("x", "p_1")]


async def test_of_several_records_with_one_match_value_none_is_changed(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox, http, batch(rows({"LastName": "李", "Email": "a@x.example"}, {"LastName": "王", "Email": "a@x.example"})))
    what = batch(rows(**{"a@x.example": {"LastName": "张"}}), settings=Records(external_id_field="Email"), match_policy="update_only")
    assert said(await deliver(sandbox, http, what)) == [("rejected", "SEVERAL_MATCHES")]


async def test_removed_records_are_deleted_or_lose_their_fields(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox, http, batch(rows({"LastName": "李", "Phone": "1"}, {"LastName": "王", "Phone": "2"})))
    cleared = batch(rows({"Phone": "1"}), operation="remove", on_removed="clear_fields")
    assert said(await deliver(sandbox, http, cleared)) == [("sent", "")]
    gone = batch(rows({}, {}, {})[1:], operation="remove", on_removed="delete")
    assert said(await deliver(sandbox, http, gone)) == [("sent", ""), ("skipped", "NO_MATCH")]
    assert [(one["LastName"], one["Phone"]) for one in there(sandbox, "Contact")] == [("李", None)]


async def test_match_values_with_quotes_are_looked_for_as_they_are(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    odd = "o'brien\\ ') OR Id != '' \n 北京"
    await deliver(sandbox, http, batch(rows({"LastName": "李"}, **{odd: {"LastName": "王"}})))
    outcomes = await deliver(sandbox, http, batch(rows(**{odd: {}}), operation="remove", on_removed="delete"))
    assert said(outcomes) == [("sent", "")]
    assert [one["LastName"] for one in there(sandbox, "Contact")] == ["李"]


async def test_no_lead_is_made_of_who_is_a_contact_already(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox, http, batch(rows({"LastName": "李", "Email": "Known@x.example"})))
    leads = rows(*({"LastName": "x", "Company": "y", "Email": email} for email in ("known@x.example", "new@x.example", None)))
    outcomes = await deliver(sandbox, http, batch(leads, "leads", Leads(external_id_field=BY)))
    assert said(outcomes) == [("skipped", "CONTACT_EXISTS"), ("sent", "CREATED"), ("sent", "CREATED")]
    anyhow = await deliver(sandbox, http, batch(leads, "leads", Leads(external_id_field=BY, contact_by=None)))
    assert said(anyhow) == [("sent", "CREATED"), ("sent", ""), ("sent", "")]


async def test_a_lead_that_is_there_is_kept_up_to_date_although_a_contact_came_meanwhile(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    leads = rows({"LastName": "x", "Company": "y", "Email": "a@x.example"})
    await deliver(sandbox, http, batch(leads, "leads", Leads(external_id_field=BY)))
    await deliver(sandbox, http, batch(rows({"LastName": "李", "Email": "a@x.example"})))
    assert said(await deliver(sandbox, http, batch(leads, "leads", Leads(external_id_field=BY)))) == [("sent", "")]


async def test_a_task_names_the_person_and_the_account_by_their_own_external_ids(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    await deliver(sandbox, http, batch(rows({"Name": "北京酒店"}), "records", Custom(external_id_field=BY, sobject="Account")))
    await deliver(sandbox, http, batch(rows({"LastName": "李"})))
    task = {"Subject": "致电", f"Contact:Who.{BY}": "p_0", f"Account:What.{BY}": "p_0"}
    outcomes = await deliver(sandbox, http, batch(rows(task, task | {f"Contact:Who.{BY}": "p_9"}), "tasks"))
    assert said(outcomes) == [("sent", "CREATED"), ("rejected", "INVALID_FIELD")]
    [made] = there(sandbox, "Task")
    assert (made["WhoId"], made["WhatId"]) == (there(sandbox, "Contact")[0]["Id"], there(sandbox, "Account")[0]["Id"])


async def test_campaign_members_come_change_and_go(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    settings = Members(external_id_field="Badge__c", campaign_id=CAMPAIGN)

    def members(**changes: Any) -> Batch:
        return batch(rows(B1={"Status": changes.pop("status", "Sent")}, B9999={"Status": "Sent"}), "campaign_members", settings, **changes)

    assert said(await deliver(sandbox, http, members())) == [("sent", "CREATED"), ("rejected", "INVALID_FIELD")]
    assert said(await deliver(sandbox, http, members(status="Responded")))[0] == ("sent", "")
    assert [one["Status"] for one in there(sandbox, "CampaignMember")] == ["Responded"]
    gone = await deliver(sandbox, http, members(operation="remove", on_removed="remove_from_list"))
    assert said(gone) == [("sent", ""), ("skipped", "NO_MATCH")]
    assert there(sandbox, "CampaignMember") == []


async def test_a_lock_is_met_with_a_second_try(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.faults.add(Fault(vendor="salesforce", kind="partial", match="王", code="UNABLE_TO_LOCK_ROW"))
    outcomes = await deliver(sandbox, http, batch(rows({"LastName": "李"}, {"LastName": "王"})))
    assert said(outcomes) == [("sent", "CREATED")] * 2


async def test_a_field_that_is_not_there_stops_the_run(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    with pytest.raises(Fatal) as caught:
        await deliver(sandbox, http, batch(rows({"LastName": "李", "nonsense": 1})))
    assert caught.value.code == "INVALID_FIELD"


async def test_too_many_calls_without_a_time_wait_a_quarter_of_an_hour(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.faults.add(Fault(vendor="salesforce", kind="rate_limit", match="composite"))
    with pytest.raises(Transient) as caught:
        await deliver(sandbox, http, batch(rows({"LastName": "李"})))
    assert caught.value.after == 900.0


async def answered(what: Batch, answer: httpx.Response) -> list[Outcome] | ConnectorError:
    def handle(request: httpx.Request) -> httpx.Response:
        token = {"access_token": "t", "instance_url": "https://x.my.salesforce.com"}
        return httpx.Response(200, json=token) if request.url.path.endswith("/token") else answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        try:
            return await opened("https://x.my.salesforce.com", client).deliver(what)
        except ConnectorError as error:
            return error


async def test_a_malformed_batch_is_refused_and_a_result_short_is_not_believed() -> None:
    two = batch(rows({"LastName": "李"}, {"LastName": "王"}))
    refusal = httpx.Response(400, json=[{"errorCode": "JSON_PARSER_ERROR", "message": "李 is wrong"}])
    assert isinstance(await answered(two, refusal), Refused)
    assert isinstance(await answered(two, httpx.Response(200, json=[{"success": True}])), Unanswered)
    assert isinstance(await answered(two, httpx.Response(403, json=[{"errorCode": "API_DISABLED_FOR_ORG"}])), Fatal)
    assert said(await answered(two, httpx.Response(200, json=[{"success": True}, None]))) == [("sent", ""), ("unknown", "NO_RESULT")]  # type: ignore[arg-type]
