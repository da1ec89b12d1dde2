"""Mailgun: what recipients of a batch see is theirs alone, answers are sorted, and a webhook's token is good for one event."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from mail_rows import mail, templated
from mailgun.client import Client
from specimens import mailgun as specimen

from connectors.base import BadSignature, Batch, Callback, ConnectorError, Fatal, Outcome, Refused, Row, Transient, Unanswered
from connectors.email.mailgun import Mailgun
from connectors.sandbox import Pending, Sandbox

KEY = "key-sandbox-mailgun-00000000000001"
NOW = datetime(2026, 10, 31, 2, tzinfo=UTC)


def batch(*rows: dict[str, Any], kind: str = "messages") -> Batch:
    made = [Row(n, f"k{n}", orjson.dumps(fields), None, f"m_{n:032x}") for n, fields in enumerate(rows or (mail(0),))]
    return Batch(kind, "add", made, "r1", 1)


def connector(address: str = "", http: httpx.AsyncClient | None = None, **options: Any) -> Mailgun:
    keys = {"api_key": KEY, "signing_key": "sandbox-mailgun-webhook-signing-key"}
    return Mailgun(Mailgun.Options(**{**keys, **specimen.OPTIONS, **options}), http, address)


async def result(what: Batch, answer: httpx.Response) -> list[Outcome] | ConnectorError:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer)) as client:
        try:
            return await connector("http://127.0.0.1:9", client).deliver(what)
        except ConnectorError as error:
            return error


async def test_each_recipient_of_a_batch_gets_only_what_is_theirs(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    outcomes = await connector(sandbox.addresses.http, http).deliver(
        batch(*[templated(n, "autumn") for n in range(3)], kind="batch_messages")
    )
    assert {(outcome.status, outcome.provider_id) for outcome in outcomes} == {("sent", sandbox.journal.kept[0].content["message_id"])}
    for number, kept in enumerate(sandbox.journal.kept):
        assert kept.content["to"] == [f'"李雷" <person{number}@example.com>']
        assert kept.content["user_variables"] == {"message_id": f"m_{number:032x}"}
        assert kept.content["headers"] == {
            "List-Unsubscribe": f"<https://x.example/u/{number}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        assert orjson.loads(kept.content["t:variables"]) == {"subject": f"你好 {number} 🎉", "city": ""}


async def test_an_address_that_comes_twice_leaves_once_and_the_other_row_may_leave_later(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    again = {**templated(0, "autumn"), "to": "PERSON0@example.com"}
    outcomes = await connector(sandbox.addresses.http, http).deliver(
        batch(templated(0, "autumn"), again, templated(1, "autumn"), kind="batch_messages")
    )
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [("sent", ""), ("skipped", "ADDRESS_TWICE"), ("sent", "")]
    assert [kept.to for kept in sandbox.journal.kept] == ["person0@example.com", "person1@example.com"]


async def test_rows_with_a_link_to_unsubscribe_and_rows_without_one_do_not_share_a_call() -> None:
    what = batch(templated(0, "autumn"), {**templated(1, "autumn"), "unsubscribe_url": None}, kind="batch_messages")
    assert isinstance(await result(what, httpx.Response(200)), Refused)


async def test_the_vendors_own_client_and_our_connector_say_the_same_to_the_sandbox(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    row = mail(0)
    data = {
        "from": '"Sluice 水闸" <news@sender.example>',
        "to": '"李雷" <person0@example.com>',
        **{name: row[name] for name in ("subject", "text", "html")},
        "h:List-Unsubscribe": "<https://x.example/u/0>",
        "h:List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "v:message_id": f"m_{0:032x}",
    }
    client = Client(auth=("api", KEY), api_url=sandbox.addresses.http)
    answer = await asyncio.to_thread(client.messages.create, data=data, domain="mg.sender.example")
    assert answer.status_code == 200, answer.text
    [outcome] = await connector(sandbox.addresses.http, http).deliver(batch(row))
    theirs, ours = [{**kept.content, "message_id": ""} for kept in sandbox.journal.kept]
    assert ours == theirs
    assert outcome.provider_id == sandbox.journal.kept[1].content["message_id"]
    wrong = Client(auth=("api", "key-other"), api_url=sandbox.addresses.http)
    assert (await asyncio.to_thread(wrong.messages.create, data=data, domain="mg.sender.example")).status_code == 401


def said(status: int, message: str, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=headers, content=orjson.dumps({"message": message}))


@pytest.mark.parametrize(
    ("answer", "becomes"),
    [
        (said(400, "'to' parameter is not a valid address: person0@example.com. please check documentation"), "rejected"),
        (said(413, "too large"), "rejected"),
        (said(400, "'from' parameter is not a valid address. please check documentation"), Fatal),
        (said(400, "template 'autumn' not found"), Fatal),
        (said(403, "Sandbox subdomains are for test purposes only."), Fatal),
        (httpx.Response(401, content=b"Forbidden"), Fatal),
        (said(404, "Domain not found: mg.sender.example"), Fatal),
        (said(500, "Internal Server Error"), Unanswered),
        (httpx.Response(200, content=b"<html>"), Unanswered),
        (said(200, "Queued. Thank you."), Unanswered),
    ],
)
async def test_answers_are_sorted_by_what_the_caller_must_do(answer: httpx.Response, becomes: Any) -> None:
    outcome = await result(batch(), answer)
    if isinstance(becomes, str):
        assert isinstance(outcome, list)
        assert outcome[0].status == becomes
        assert "person0" not in outcome[0].reason
    else:
        assert type(outcome) is becomes


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (said(429, "try again after 42 seconds"), 42.0),
        (said(429, "slow down", **{"retry-after": "3"}), 3.0),
        (said(429, "slow down"), None),
    ],
)
async def test_too_many_requests_wait_as_the_message_says(answer: httpx.Response, after: float | None) -> None:
    error = await result(batch(), answer)
    assert isinstance(error, Transient)
    assert error.after == after


async def test_the_events_of_a_mail_carry_its_message_id_and_the_providers(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sender = connector(sandbox.addresses.http, http)
    [outcome] = await sender.deliver(batch())
    now = datetime.now(UTC)
    posts = list(sandbox.emulators["mailgun"].receipts([Pending(sandbox.journal.kept[0], now - timedelta(hours=1), now)], ""))
    assert len(posts) >= 2
    for post in posts:
        [event] = sender.receive(Callback("POST", "", {}, post.headers, post.body, now)).events
        assert event["user-variables"]["message_id"] == f"m_{0:032x}"
        assert event["message"]["headers"]["message-id"] == outcome.provider_id
        assert (event["vendor"], event["email"]) == ("mailgun", "person0@example.com")


def test_a_token_is_good_for_one_event_and_for_that_one_again() -> None:
    receiver = connector()
    genuine = specimen.callback(NOW)
    [event] = receiver.receive(genuine).events
    assert receiver.receive(genuine).events == [event]
    complaint = genuine.body.replace(b'"opened"', b'"complained"')
    with pytest.raises(BadSignature, match="another event"):
        receiver.receive(dataclasses.replace(genuine, body=complaint))
    assert receiver.receive(specimen.callback(NOW, {**specimen.EVENT, "event": "complained"}, "another-token")).events


def test_without_a_signing_key_no_webhook_is_believed() -> None:
    with pytest.raises(BadSignature):
        connector(signing_key=None).receive(specimen.callback(NOW))


def test_what_an_event_claims_of_itself_does_not_change_whose_it_is() -> None:
    [event] = connector().receive(specimen.callback(NOW, {**specimen.EVENT, "vendor": "ses", "event_id": "x"})).events
    assert (event["vendor"], event["event_id"]) == ("mailgun", "e1.1793412000.5")
