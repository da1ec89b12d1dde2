"""SendGrid: our requests are what the vendor's own library builds, its answers are sorted, and its events find their message."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from mail_rows import mail, templated
from python_http_client.exceptions import BadRequestsError, UnauthorizedError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Content, CustomArg, Header, Mail, Personalization, TemplateId, To

from connectors.base import Batch, Callback, ConnectorError, Fatal, Outcome, Refused, Row, Transient, Unanswered
from connectors.email.sendgrid import SendGrid
from connectors.sandbox import Fault, Pending, Sandbox

KEY = "SG.sandbox.sluice-sandbox-sendgrid-key"
TEMPLATE = "d-0123456789abcdef0123456789abcdef"
SENDER = "Sluice 水闸 <news@sender.example>"


def batch(*rows: dict[str, Any], kind: str = "messages") -> Batch:
    made = [Row(n, f"k{n}", orjson.dumps(fields), None, f"m_{n:032x}") for n, fields in enumerate(rows or (mail(0),))]
    return Batch(kind, "add", made, "r1", 1)


def connector(address: str, http: httpx.AsyncClient, **options: Any) -> SendGrid:
    defaults = {name: info.json_schema_extra["sandbox"] for name, info in SendGrid.Options.model_fields.items() if info.json_schema_extra}
    return SendGrid(SendGrid.Options(**{**defaults, "sender": SENDER, **options}), http, address)


async def recorded(what: Batch, answer: httpx.Response) -> tuple[list[Any], list[Outcome] | ConnectorError]:
    """What the connector sends to a server that always answers so."""
    seen: list[Any] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(orjson.loads(request.content))
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        try:
            return seen, await connector("http://127.0.0.1:9", client).deliver(what)
        except ConnectorError as error:
            return seen, error


def as_the_library_writes_it(row: dict[str, Any], number: int, template: str | None = None) -> Mail:
    theirs = Mail(from_email=("news@sender.example", "Sluice 水闸"))
    one = Personalization()
    one.add_to(To(f"person{number}@example.com", "李雷"))
    one.add_header(Header("List-Unsubscribe", f"<{row['unsubscribe_url']}>"))
    one.add_header(Header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    one.add_custom_arg(CustomArg("message_id", f"m_{number:032x}"))
    if template:
        one.dynamic_template_data = {"subject": row["params"]["subject"], "city": ""}
        theirs.template_id = TemplateId(template)
    else:
        theirs.subject = row["subject"]
        theirs.content = [Content("text/plain", row["text"]), Content("text/html", row["html"])]
    theirs.add_personalization(one)
    return theirs


async def test_a_mail_is_written_as_the_vendors_library_writes_it() -> None:
    ([ours], [outcome]) = await recorded(batch(mail(0)), httpx.Response(202, headers={"x-message-id": "abc"}))
    assert ours == as_the_library_writes_it(mail(0), 0).get()
    assert outcome == Outcome("sent", provider_id="abc")


async def test_a_mail_by_template_is_written_as_the_vendors_library_writes_it() -> None:
    row = templated(0, TEMPLATE)
    ([ours], _) = await recorded(batch(row, kind="batch_messages"), httpx.Response(202))
    assert ours == as_the_library_writes_it(row, 0, TEMPLATE).get()


async def test_a_batch_leaves_in_one_call_and_each_sees_only_what_is_theirs(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    rows = [templated(number, TEMPLATE) for number in range(1000)]
    outcomes = await connector(sandbox.addresses.http, http).deliver(batch(*rows, kind="batch_messages"))
    assert {outcome.status for outcome in outcomes} == {"sent"}
    kept = sandbox.journal.kept
    assert [one.to for one in kept] == [f"person{number}@example.com" for number in range(1000)]
    assert {one.content["message_id"] for one in kept} == {outcome.provider_id for outcome in outcomes}
    for number in (0, 999):
        assert kept[number].content["unique_args"] == {"message_id": f"m_{number:032x}"}
        assert kept[number].content["headers"]["List-Unsubscribe"] == f"<https://x.example/u/{number}>"
        assert kept[number].content["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


async def test_the_vendors_own_client_gets_along_with_the_sandbox(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    client = SendGridAPIClient(KEY, host=sandbox.addresses.http)
    answer = await asyncio.to_thread(client.send, as_the_library_writes_it(mail(0), 0))
    assert (answer.status_code, answer.body) == (202, b"")
    await connector(sandbox.addresses.http, http).deliver(batch(mail(0)))
    theirs, ours = [{**kept.content, "message_id": "", "smtp_id": ""} for kept in sandbox.journal.kept]
    assert ours == theirs
    with pytest.raises(UnauthorizedError):
        await asyncio.to_thread(SendGridAPIClient("SG.other", host=sandbox.addresses.http).send, as_the_library_writes_it(mail(0), 0))
    with pytest.raises(BadRequestsError) as refused:
        await asyncio.to_thread(client.send, Mail("news@sender.example", "nobody@nowhere", "s", "t"))
    assert b"Does not contain a valid address." in refused.value.body


async def test_rows_that_cannot_become_a_mail_do_not_keep_the_others_back(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    rows = [
        templated(0, TEMPLATE),
        {**templated(1, TEMPLATE), "to": "nobody"},
        {**templated(2, TEMPLATE), "to": "李雷@例子.公司"},
        {**templated(3, TEMPLATE), "unsubscribe_url": "https://x.example/\r\nBcc: a@b.example"},
        templated(4, TEMPLATE),
    ]
    outcomes = await connector(sandbox.addresses.http, http).deliver(batch(*rows, kind="batch_messages"))
    assert [outcome.code for outcome in outcomes] == ["", "BAD_EMAIL", "SMTPUTF8_NOT_OFFERED", "BAD_UNSUBSCRIBE_URL", ""]
    assert [kept.to for kept in sandbox.journal.kept] == ["person0@example.com", "person4@example.com"]


@pytest.mark.parametrize("odd", [{"template": "d-" + "f" * 32}, {"from": "other@sender.example"}])
async def test_rows_of_two_templates_or_senders_are_not_sent_in_one_call(odd: dict[str, str]) -> None:
    what = batch(templated(0, TEMPLATE), {**templated(1, TEMPLATE), **odd}, kind="batch_messages")
    seen, error = await recorded(what, httpx.Response(202))
    assert seen == []
    assert isinstance(error, Refused)


def errors(field: str | None, message: str = "no") -> bytes:
    return orjson.dumps({"errors": [{"message": message, "field": field, "help": None}]})


@pytest.mark.parametrize(
    ("answer", "becomes"),
    [
        (httpx.Response(400, content=errors("personalizations.0.to.0.email", "person0@example.com is none")), "rejected"),
        (httpx.Response(400, content=errors("content.0.value")), "rejected"),
        (httpx.Response(413, content=errors(None)), "rejected"),
        (httpx.Response(400, content=errors("from.email")), Fatal),
        (httpx.Response(400, content=b"<html>"), Fatal),
        (httpx.Response(403, content=errors("from", "The from address does not match a verified Sender Identity.")), Fatal),
        (httpx.Response(401, content=errors(None)), Fatal),
        (httpx.Response(429, headers={"retry-after": "9"}), Transient),
        (httpx.Response(503), Transient),
        (httpx.Response(500), Unanswered),
        (httpx.Response(200, content=b"{}"), Unanswered),
        (httpx.Response(302, headers={"location": "https://elsewhere.example"}), Unanswered),
    ],
)
async def test_answers_are_sorted_by_what_the_caller_must_do(answer: httpx.Response, becomes: Any) -> None:
    _, result = await recorded(batch(mail(0)), answer)
    if isinstance(becomes, str):
        assert isinstance(result, list)
        assert (result[0].status, bool(result[0].code)) == (becomes, True)
        assert "person0" not in result[0].reason
    else:
        assert type(result) is becomes


async def test_a_batch_with_one_bad_address_is_refused_so_that_it_can_be_split(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.faults.add(Fault(vendor="sendgrid", kind="partial", match="person1@"))
    with pytest.raises(Refused) as caught:
        await connector(sandbox.addresses.http, http).deliver(batch(*[templated(n, TEMPLATE) for n in range(3)], kind="batch_messages"))
    assert "personalizations.1.to.0.email" in caught.value.reason
    assert sandbox.journal.kept == []


async def test_without_a_key_or_a_sender_nothing_leaves_and_events_still_come_in(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    for missing, code in (("api_key", "NO_API_KEY"), ("sender", "NO_SENDER")):
        with pytest.raises(Fatal) as caught:
            await connector(sandbox.addresses.http, http, **{missing: None}).deliver(batch())
        assert caught.value.code == code
    assert sandbox.journal.kept == []


async def test_the_events_of_a_mail_carry_its_message_id_and_the_providers(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sender = connector(sandbox.addresses.http, http)
    [outcome] = await sender.deliver(batch(mail(0)))
    now = datetime.now(UTC)
    [post] = sandbox.emulators["sendgrid"].receipts([Pending(sandbox.journal.kept[0], now - timedelta(hours=1), now)], "")
    received = sender.receive(Callback("POST", "", {}, post.headers, post.body, now))
    assert {event["message_id"] for event in received.events} == {f"m_{0:032x}"}
    assert {event["sg_message_id"].split(".")[0] for event in received.events} == {outcome.provider_id}
