"""Aliyun DirectMail: the vendor's SDK and our connector say the same to the sandbox, and events carry our message id."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from alibabacloud_dm20151123 import models
from alibabacloud_dm20151123.client import Client
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.exceptions import DaraException
from mail_rows import mail
from specimens import aliyun_directmail as specimen

from connectors.base import Batch, Callback, Fatal, Row, Transient, Unanswered
from connectors.email.aliyun_directmail import AliyunDirectmail
from connectors.sandbox import Fault, Pending, Sandbox

KEYS = {"access_key_id": "LTAI5tSandboxAccessKey01", "access_key_secret": "sandbox-access-key-secret"}


def batch() -> Batch:
    return Batch("messages", "add", [Row(0, "k", orjson.dumps(mail(0)), None, f"m_{0:032x}")], "r1", 1)


def connector(address: str, http: httpx.AsyncClient, **options: Any) -> AliyunDirectmail:
    token = {"callback_token": "sandbox-directmail-callback-token"}
    return AliyunDirectmail(AliyunDirectmail.Options(**{**KEYS, **token, **specimen.OPTIONS, **options}), http, address)


async def test_a_request_of_ours_is_signed_as_the_sdk_would_sign_it() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"EnvId": "1"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        await connector("https://dm.aliyuncs.com", http).deliver(batch())
    (request,) = sent
    given = request.headers["authorization"]
    signed = given.split("SignedHeaders=")[1].split(",")[0].split(";")
    like = SimpleNamespace(method="POST", pathname="/", query={}, headers={name: request.headers[name] for name in signed})
    digest = request.headers["x-acs-content-sha256"]
    assert given == Utils.get_authorization(like, "ACS3-HMAC-SHA256", digest, KEYS["access_key_id"], KEYS["access_key_secret"])


async def test_the_vendors_sdk_and_our_connector_say_the_same_to_the_sandbox(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    row = mail(0)
    headers = {
        "Message-ID": f"<m_{0:032x}@sender.example>",
        "List-Unsubscribe": "<https://x.example/u/0>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "X-User-Notify-Message-Id": f"m_{0:032x}",
    }
    request = models.SingleSendMailRequest(
        account_name="news@sender.example",
        from_alias="Sluice 水闸",
        address_type=1,
        reply_to_address=False,
        to_address="person0@example.com",
        subject=row["subject"],
        text_body=row["text"],
        html_body=row["html"],
        headers=orjson.dumps(headers).decode(),
    )

    def sdk(**keys: str) -> Client:
        return Client(Config(**{**KEYS, **keys}, endpoint=sandbox.addresses.http.removeprefix("http://"), protocol="http"))

    answer = await asyncio.to_thread(sdk().single_send_mail, request)
    assert answer.body.env_id == sandbox.journal.kept[0].content["env_id"]
    [outcome] = await connector(sandbox.addresses.http, http).deliver(batch())
    theirs, ours = [{**kept.content, "env_id": ""} for kept in sandbox.journal.kept]
    assert ours == theirs
    assert outcome.provider_id == sandbox.journal.kept[1].content["env_id"]
    with pytest.raises(DaraException) as refused:
        await asyncio.to_thread(sdk(access_key_secret="x").single_send_mail, request)
    assert refused.value.code == "SignatureDoesNotMatch"


async def test_a_batch_leaves_as_the_vendors_sdk_sends_it_and_each_sees_only_what_is_theirs(
    sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    receivers = [
        models.BatchSendMailRequestReceivers(to=[f"person{number}@example.com"], template_data={"subject": f"你好 {number} 🎉", "city": ""})
        for number in range(3)
    ]
    request = models.BatchSendMailRequest(
        account_name="news@sender.example", address_type=1, template_name="autumn", receivers=receivers, tag_name="t"
    )
    config = Config(**KEYS, endpoint=sandbox.addresses.http.removeprefix("http://"), protocol="http")
    answer = await asyncio.to_thread(Client(config).batch_send_mail, request)
    rows = [Row(number, "k", orjson.dumps(specimen.payload("batch_messages", number)), None, f"m_{number:032x}") for number in range(3)]
    outcomes = await connector(sandbox.addresses.http, http, tag="t").deliver(Batch("batch_messages", "add", rows, "r1", 1))
    kept = [(one.to, {**one.content, "env_id": ""}) for one in sandbox.journal.kept]
    assert kept[3:] == kept[:3]
    assert [one.content["env_id"] for one in sandbox.journal.kept] == [answer.body.env_id] * 3 + [outcomes[0].provider_id] * 3
    assert len({outcome.provider_id for outcome in outcomes}) == 1


@pytest.mark.parametrize(
    ("code", "becomes"),
    [
        ("InvalidToAddress.Spam", "rejected"),
        ("InvalidSendMail.Spam", "rejected"),
        ("InvalidMailAddress.NotFound", Fatal),
        ("InvalidMailAddressStatus.Malformed", Fatal),
        ("Throttling.User", Transient),
        ("InternalError", Unanswered),
    ],
)
async def test_answers_are_sorted_by_what_the_caller_must_do(code: str, becomes: Any, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sandbox.faults.add(Fault(vendor="aliyun_directmail", kind="partial", code=code))
    sending = connector(sandbox.addresses.http, http).deliver(batch())
    if isinstance(becomes, str):
        [outcome] = await sending
        assert (outcome.status, outcome.code) == (becomes, code)
        assert "person0" not in outcome.reason
    else:
        with pytest.raises(becomes):
            await sending


async def test_the_events_of_a_mail_carry_its_message_id_and_the_providers(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sender = connector(sandbox.addresses.http, http)
    [outcome] = await sender.deliver(batch())
    now = datetime.now(UTC)
    posts = sandbox.emulators["aliyun_directmail"].receipts([Pending(sandbox.journal.kept[0], now - timedelta(hours=1), now)], "")
    for post in list(posts):
        [event] = sender.receive(Callback("POST", "", {}, post.headers, post.body, now)).events
        assert event["data"]["header"] == {"X-User-Notify-Message-Id": f"m_{0:032x}"}
        assert event["data"]["env_id"] == outcome.provider_id
        assert (event["vendor"], event["email"]) == ("aliyun_directmail", "person0@example.com")
