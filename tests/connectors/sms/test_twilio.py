"""Twilio: the vendor's SDK and our connector say the same, refusals are sorted, callbacks are believed when Twilio's own validator does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from connectors import sandbox as sandboxes
from connectors.base import BadSignature, Batch, Callback, ConnectorError, Fatal, Row, Transient, Unanswered
from connectors.sandbox import Fault, Pending, Sandbox, fate
from connectors.sms._twilio_signature import signature
from connectors.sms.twilio import Twilio

NOW = datetime(2026, 10, 31, 2, tzinfo=UTC)
SENDER = "+15017122661"
HOOK = "https://collect.example/hooks/twilio"
OPTIONS: dict[str, Any] = {
    "account_sid": "AC5a4d6f6e2f1b4c8d9e0a1b2c3d4e5f60",
    "auth_token": "sandbox-twilio-auth-token",
    "sender": SENDER,
    "status_callback": HOOK,
}

unhurried = settings(deadline=None, database=None)


class Rerouted(TwilioHttpClient):
    """The SDK's own HTTP client, which would only ever speak to api.twilio.com."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def request(self, method: str, url: str, *arguments: Any, **keywords: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self.address), *arguments, **keywords)


class Account:
    def __init__(self, sandbox: Sandbox, address: str, http: httpx.AsyncClient) -> None:
        self.sandbox, self.address, self.http = sandbox, address, http

    def connector(self, **options: Any) -> Twilio:
        return Twilio(Twilio.Options(**(OPTIONS | options)), self.http, self.address)

    def sdk(self, token: str = OPTIONS["auth_token"]) -> Client:
        return Client(OPTIONS["account_sid"], token, http_client=Rerouted(self.address))

    def fails(self, **fault: Any) -> None:
        self.sandbox.faults.add(Fault(vendor="twilio", **fault))

    @property
    def taken(self) -> list[tuple[str, dict[str, Any]]]:
        return [(kept.to, dict(kept.content)) for kept in self.sandbox.journal.kept]


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    sandbox = sandboxes.build()
    async with sandbox.serve(http_port=0, smtp_port=0) as addresses, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        yield Account(sandbox, addresses.http, http)


def row(index: int = 0, phone: str = "+13105551234", **fields: Any) -> Row:
    message = {"phone": phone, "sign_name": None, "text": "Hello 王小明 & co + 🎉"} | fields
    return Row(index, f"p{index}", orjson.dumps(message), message_id=f"m_{index:032x}")


def batch(*rows: Row) -> Batch:
    return Batch("messages", "add", rows or (row(),), "run-1", 7)


def post(fields: dict[str, str], query: str = "", url: str = HOOK, key: str = OPTIONS["auth_token"], **headers: str) -> Callback:
    """A callback signed by the SDK's validator."""
    url = f"{url}?{query}" if query else url
    algorithm = "HMAC_SHA256" if headers else None
    headers["x-twilio-signature"] = RequestValidator(key).compute_signature(url, fields, algorithm)
    return Callback("POST", url, {}, headers, urlencode(fields).encode(), NOW)


STATUS = {"MessageSid": "SM1", "MessageStatus": "delivered", "SmsStatus": "delivered", "To": "+13105551234", "From": SENDER}


# -- the SDK at our sandbox ---------------------------------------------------------------------------------------------


async def test_the_vendors_sdk_and_our_connector_say_the_same_to_the_sandbox(account: Account) -> None:
    callback = f"{HOOK}?message_id={row().message_id}"
    created = account.sdk().messages.create
    texted = {"to": "+13105551234", "from_": SENDER, "body": "Hello 王小明 & co + 🎉", "status_callback": callback}
    message = await asyncio.to_thread(created, **texted)
    content = {"content_sid": f"HX{'a' * 32}", "content_variables": '{"1":"王","2":""}', "messaging_service_sid": f"MG{'b' * 32}"}
    await asyncio.to_thread(created, to="+13105551234", status_callback=callback, **content)
    (outcome,) = await account.connector().deliver(batch())
    params = {"1": "王", "2": None}
    service = account.connector(sender=None, messaging_service_sid=f"MG{'b' * 32}")
    await service.deliver(batch(row(text=None, template_code=f"HX{'a' * 32}", params=params)))
    assert (message.sid, message.num_segments) == (account.taken[0][1]["sid"], "1")
    assert outcome.provider_id == account.taken[2][1]["sid"]
    said = [(to, {**content, "sid": ""}) for to, content in account.taken]
    assert said[:2] == said[2:]


async def test_a_wrong_token_is_refused_to_the_sdk_and_is_fatal_to_us(account: Account) -> None:
    with pytest.raises(TwilioRestException) as theirs:
        await asyncio.to_thread(account.sdk("wrong").messages.create, to="+13105551234", from_=SENDER, body="Hello")
    for call in (account.connector(auth_token="wrong").deliver(batch()), account.connector(auth_token="wrong").check()):
        with pytest.raises(Fatal) as ours:
            await call
        assert ours.value.code == str(theirs.value.code) == "20003"
    assert await account.connector().check() == "the account is active"


# -- sending ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fields", "sender"), [({}, SENDER), ({"sign_name": "Sluice"}, "Sluice")])
async def test_a_message_comes_from_its_sign_name_or_the_accounts_sender(account: Account, fields: dict[str, str], sender: str) -> None:
    (outcome,) = await account.connector().deliver(batch(row(**fields)))
    ((_, content),) = account.taken
    assert (outcome.status, content["from"]) == ("sent", sender)


async def test_a_message_without_a_sender_stops_the_run(account: Account) -> None:
    with pytest.raises(Fatal, match="NO_SENDER"):
        await account.connector(sender=None).deliver(batch())
    with pytest.raises(Fatal, match="21212"):
        await account.connector(sender="云闸科技").deliver(batch())
    assert account.taken == []


async def test_a_message_that_says_nothing_is_rejected_before_any_call(account: Account) -> None:
    await account.http.aclose()
    (outcome,) = await account.connector().deliver(batch(row(text="")))
    assert (outcome.status, outcome.code) == ("rejected", "NO_TEXT")


async def test_answers_are_sorted_by_what_the_caller_must_do(account: Account) -> None:
    expected: dict[type[ConnectorError] | str, str] = {
        "rejected": "21610 21211 21612 21614 21408 21608 21617 21656 99999",
        Fatal: "20003 20005 20404 21212 21603 21606 21655 21701 21705",
        Transient: "20429 21611 30001",
    }
    sorted_into: dict[type[ConnectorError] | str, list[str]] = {kind: [] for kind in expected}
    for code in " ".join(expected.values()).split():
        account.fails(kind="partial", code=code)
        try:
            (outcome,) = await account.connector().deliver(batch())
            sorted_into[outcome.status].append(outcome.code)
        except ConnectorError as error:
            sorted_into[type(error)].append(error.code)
    assert {kind: " ".join(codes) for kind, codes in sorted_into.items()} == expected
    assert account.taken == []


@pytest.mark.parametrize(
    ("status", "answer", "comes_of_it"),
    [
        (201, b"{", Unanswered),
        (201, b'{"status": "queued"}', Unanswered),
        (500, b"", Unanswered),
        (503, b"", Transient),
        (403, b"{}", Fatal),
    ],
)
async def test_an_answer_that_does_not_name_a_message_is_no_success(status: int, answer: bytes, comes_of_it: type[Exception]) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(status, content=answer))) as http:
        with pytest.raises(comes_of_it):
            await Twilio(Twilio.Options(**OPTIONS), http).deliver(batch())


async def test_a_message_that_is_lost_at_once_is_rejected() -> None:
    answer = {"sid": "SM1", "status": "failed", "error_code": 21610}
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(201, json=answer))) as http:
        (outcome,) = await Twilio(Twilio.Options(**OPTIONS), http).deliver(batch())
    assert (outcome.status, outcome.code) == ("rejected", "21610")


# -- callbacks ----------------------------------------------------------------------------------------------------------


@unhurried
@given(
    st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"))),
    st.sampled_from(["sha1", "sha256"]),
)
def test_the_signature_equals_the_sdks_for_any_fields(fields: dict[str, str], digest: str) -> None:
    theirs = RequestValidator("token").compute_signature(HOOK, fields, f"HMAC_{digest.upper()}")
    assert signature(HOOK, fields.items(), "token", digest) == theirs


async def test_callbacks_of_the_sandbox_are_believed_by_the_vendors_validator_and_by_us(account: Account) -> None:
    numbers = [f"+1310555{n:04}" for n in range(10_000)]
    reached = next(number for number in numbers if fate(number, "delivery") >= 0.04 and fate(number, "replies") < 0.01)
    (outcome,) = await account.connector().deliver(batch(row(3, reached)))
    pending = [Pending(kept, NOW - timedelta(hours=1), NOW) for kept in account.sandbox.journal.kept]
    events = []
    for posted in account.sandbox.emulators["twilio"].receipts(pending, HOOK):
        url = f"{HOOK}?{urlencode(posted.query)}" if posted.query else HOOK
        fields = dict(httpx.QueryParams(posted.body.decode()))
        assert RequestValidator(OPTIONS["auth_token"]).validate(url, fields, posted.headers["x-twilio-signature"])
        received = account.connector().receive(Callback("POST", url, posted.query, posted.headers, posted.body, NOW))
        events += received.events
    sent, delivered, reply = events
    assert {event["MessageSid"] for event in (sent, delivered)} == {outcome.provider_id}
    assert [event["MessageStatus"] for event in (sent, delivered)] == ["sent", "delivered"]
    assert delivered["message_id"] == row(3).message_id
    assert {event["phone_number"] for event in events} == {reached}
    assert (reply["OptOutType"], reply["vendor"], reply["received_at"]) == ("STOP", "twilio", NOW.isoformat())


@pytest.mark.parametrize("url", ["https://collect.example:443/hooks/twilio", "https://collect.example/hooks/twilio"])
def test_twilio_may_sign_the_address_with_its_port_or_without(url: str) -> None:
    connector = Twilio(Twilio.Options(**(OPTIONS | {"status_callback": None})))
    signed = post(STATUS, url=url)
    other = HOOK if ":443" in url else "https://collect.example:443/hooks/twilio"
    for address in (url, other):
        assert connector.receive(Callback("POST", address, {}, signed.headers, signed.body, NOW)).events


def test_behind_a_proxy_the_address_that_twilio_knows_counts() -> None:
    signed = post(STATUS, "message_id=m_1")
    inside = Callback("POST", "http://10.0.0.7:8080/hooks/twilio?message_id=m_1", {}, signed.headers, signed.body, NOW)
    assert Twilio(Twilio.Options(**OPTIONS)).receive(inside).events[0]["message_id"] == "m_1"
    with pytest.raises(BadSignature):
        Twilio(Twilio.Options(**(OPTIONS | {"status_callback": None}))).receive(inside)


def test_a_callback_signed_with_a_shared_key_needs_that_key() -> None:
    shared = {"x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}
    signed = post(STATUS, key="shared", **shared)
    assert Twilio(Twilio.Options(**OPTIONS, signing_secret="shared")).receive(signed).events
    for options in (OPTIONS, OPTIONS | {"signing_secret": "another"}):
        with pytest.raises(BadSignature):
            Twilio(Twilio.Options(**options)).receive(signed)


def test_a_signed_call_that_is_about_no_message_is_not_landed() -> None:
    with pytest.raises(BadSignature, match="not about a message"):
        Twilio(Twilio.Options(**OPTIONS)).receive(post({"CallSid": "CA1", "To": SENDER}))


def test_neither_options_nor_rows_show_what_is_in_them() -> None:
    shown = f"{Twilio.Options(**OPTIONS, signing_secret='shared-key')!r} {row()!r}"
    assert not any(said in shown for said in ["sandbox-twilio-auth-token", "shared-key", "13105551234", "AC5a4d"])
