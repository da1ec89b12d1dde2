"""Aliyun SMS: our requests are what the vendor's SDK would send, answers are sorted, and reports find their message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
from alibabacloud_dysmsapi20170525 import models
from alibabacloud_dysmsapi20170525.client import Client
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.exceptions import DaraException
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import sandbox as sandboxes
from connectors.base import BadSignature, Batch, Callback, ConnectorError, Fatal, Refused, Row, Transient, Unanswered
from connectors.sandbox import Fault, Pending, Sandbox, fate
from connectors.sms._acs3 import authorization, canonical_query
from connectors.sms.aliyun_sms import AliyunSms

NOW = datetime(2026, 10, 31, 2, tzinfo=UTC)
TOKEN = "sandbox-aliyun-callback-token"
OPTIONS: dict[str, Any] = {
    "access_key_id": "LTAI5tSandboxAccessKey01",
    "access_key_secret": "sandbox-access-key-secret",
    "callback_token": TOKEN,
}

unhurried = settings(deadline=None, database=None)


class Account:
    """The sandbox's account, a connector that sends to it, and where it is."""

    def __init__(self, sandbox: Sandbox, address: str, http: httpx.AsyncClient) -> None:
        self.sandbox, self.address, self.http = sandbox, address, http

    def connector(self, **options: Any) -> AliyunSms:
        return AliyunSms(AliyunSms.Options(**(OPTIONS | options)), self.http, self.address)

    def sdk(self, **options: Any) -> Client:
        given = {"access_key_id": OPTIONS["access_key_id"], "access_key_secret": OPTIONS["access_key_secret"]} | options
        return Client(Config(**given, endpoint=self.address.removeprefix("http://"), protocol="http"))

    def fails(self, **fault: Any) -> None:
        self.sandbox.faults.add(Fault(vendor="aliyun_sms", **fault))

    @property
    def taken(self) -> list[tuple[str, dict[str, Any]]]:
        return [(kept.to, dict(kept.content)) for kept in self.sandbox.journal.kept]


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    sandbox = sandboxes.build()
    async with sandbox.serve(http_port=0, smtp_port=0) as addresses, httpx.AsyncClient(trust_env=False) as http:
        yield Account(sandbox, addresses.http, http)


def row(index: int = 0, phone: str = "+8613800138000", **fields: Any) -> Row:
    message = {"phone": phone, "sign_name": "示例 科技", "template_code": "SMS_1001", "params": {"name": "王*小~明 🎉"}} | fields
    return Row(index, f"p{index}", orjson.dumps(message), message_id=f"m_{index:032x}")


def batch(*rows: Row, name: str = "messages") -> Batch:
    return Batch(name, "add", rows or (row(),), "run-1", 7)


def report_post(body: bytes, token: str = TOKEN) -> Callback:
    return Callback("POST", "https://collect.example/hooks/sms", {"token": token}, {}, body, NOW)


# -- the signature ------------------------------------------------------------------------------------------------------


def test_the_signature_is_the_one_that_the_vendors_documentation_prints() -> None:
    header = authorization(
        "POST",
        "/",
        {"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"},
        {
            "host": "ecs.cn-shanghai.aliyuncs.com",
            "x-acs-action": "RunInstances",
            "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "x-acs-date": "2023-10-26T10:22:32Z",
            "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
            "x-acs-version": "2014-05-26",
        },
        "YourAccessKeyId",
        "YourAccessKeySecret",
    )
    assert header == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


@unhurried
@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=5))
def test_the_signature_equals_the_sdks_for_any_parameters(parameters: dict[str, str]) -> None:
    parameters = {f"P{name.encode().hex()}": value for name, value in parameters.items()}
    headers = {"host": "dysmsapi.aliyuncs.com", "x-acs-date": "2026-10-31T02:00:00Z", "x-acs-content-sha256": "0" * 64}
    request = SimpleNamespace(method="POST", pathname="/", query=parameters, headers=headers)
    theirs = Utils.get_authorization(request, "ACS3-HMAC-SHA256", "0" * 64, "id", "secret")
    assert authorization("POST", "/", parameters, headers, "id", "secret") == theirs


@pytest.mark.parametrize(("rows", "security_token"), [(1, None), (3, None), (1, "sts-token")])
async def test_a_request_of_ours_is_signed_as_the_sdk_would_sign_it(rows: int, security_token: str | None) -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"Code": "OK", "BizId": "1^0"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        connector = AliyunSms(AliyunSms.Options(**OPTIONS, security_token=security_token), http, "https://dysmsapi.aliyuncs.com")
        await connector.deliver(batch(*(row(n, f"+861380013800{n}") for n in range(rows))))
    (request,) = sent
    assert request.extensions["retry"] is False
    given = request.headers["authorization"]
    signed = given.split("SignedHeaders=")[1].split(",")[0].split(";")
    assert ("x-acs-security-token" in signed) == (security_token is not None)
    like = SimpleNamespace(
        method="POST", pathname="/", query=dict(request.url.params), headers={name: request.headers[name] for name in signed}
    )
    digest = request.headers["x-acs-content-sha256"]
    assert given == Utils.get_authorization(like, "ACS3-HMAC-SHA256", digest, OPTIONS["access_key_id"], OPTIONS["access_key_secret"])
    assert request.url.query.decode() == canonical_query(dict(request.url.params))


# -- the SDK at our sandbox ---------------------------------------------------------------------------------------------


async def test_the_vendors_sdk_sends_one_message_to_the_sandbox(account: Account) -> None:
    request = models.SendSmsRequest(
        phone_numbers="13800138000", sign_name="示例 科技", template_code="SMS_1001", template_param='{"name":"王*小~明"}', out_id="m_1"
    )
    answer = await asyncio.to_thread(account.sdk().send_sms, request)
    assert answer.body.code == "OK"
    assert account.taken == [
        (
            "13800138000",
            {
                "sign_name": "示例 科技",
                "template_code": "SMS_1001",
                "params": {"name": "王*小~明"},
                "biz_id": answer.body.biz_id,
                "out_id": "m_1",
            },
        )
    ]


async def test_the_vendors_sdk_and_our_connector_say_the_same_to_the_sandbox(account: Account) -> None:
    numbers = ["13800138000", "85251234567"]
    request = models.SendBatchSmsRequest(
        phone_number_json=json.dumps(numbers),
        sign_name_json=json.dumps(["示例 科技"] * 2),
        template_code="SMS_1001",
        template_param_json=json.dumps([{"name": "王*小~明 🎉"}] * 2),
        out_id="run-1.7",
    )
    await asyncio.to_thread(account.sdk().send_batch_sms, request)
    await account.connector().deliver(batch(row(0), row(1, "+85251234567"), name="batch_messages"))
    theirs, ours = [[(to, {**content, "biz_id": ""}) for to, content in half] for half in (account.taken[:2], account.taken[2:])]
    assert ours == theirs


async def test_the_vendors_sdk_lists_signatures_of_the_sandbox(account: Account) -> None:
    answer = await asyncio.to_thread(account.sdk().query_sms_sign_list, models.QuerySmsSignListRequest(page_index=1, page_size=10))
    assert [sign.audit_status for sign in answer.body.sms_sign_list] == ["AUDIT_STATE_PASS"]
    assert await account.connector().check() == "access key accepted; 1 approved signatures on the first page"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"access_key_id": "LTAI0"}, "InvalidAccessKeyId.NotFound"), ({"access_key_secret": "wrong"}, "SignatureDoesNotMatch")],
)
async def test_a_wrong_key_is_refused_to_the_sdk_and_is_fatal_to_us(account: Account, wrong: dict[str, str], code: str) -> None:
    request = models.SendSmsRequest(phone_numbers="13800138000", sign_name="示例科技", template_code="SMS_1001")
    with pytest.raises(DaraException) as theirs:
        await asyncio.to_thread(account.sdk(**wrong).send_sms, request)
    assert theirs.value.code == code
    with pytest.raises(Fatal) as ours:
        await account.connector(**wrong).deliver(batch())
    assert ours.value.code == code
    # The vendor quotes the whole request in its message.
    assert not any(part in str(ours.value) for part in ("13800138000", "SMS_1001", "StringToSign", *OPTIONS.values()))
    with pytest.raises(Fatal):
        await account.connector(**wrong).check()
    assert account.taken == []


async def test_a_signed_request_counts_once_and_only_as_it_was_signed(account: Account) -> None:
    response = await account.connector()._call("SendSms", {"PhoneNumbers": "13800138000", "SignName": "a", "TemplateCode": "SMS_1"})
    request = response.request
    again = await account.http.post(request.url, headers=request.headers)
    changed = await account.http.post(str(request.url).replace("13800138000", "13800138001"), headers=request.headers)
    codes = [answer.json()["Code"] for answer in (response, again, changed)]
    assert codes == ["OK", "SignatureNonceUsed", "SignatureDoesNotMatch"]


# -- sending ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phone", "sent"), [("+8613800138000", "13800138000"), ("+85251234567", "85251234567"), ("13800138000", "13800138000")]
)
async def test_a_message_leaves_with_its_message_id_and_comes_back_with_the_providers(account: Account, phone: str, sent: str) -> None:
    (outcome,) = await account.connector().deliver(batch(row(5, phone, params={"name": None, "n": 3})))
    ((to, content),) = account.taken
    assert (outcome.status, outcome.provider_id) == ("sent", content["biz_id"])
    assert (to, content["out_id"], content["params"]) == (sent, row(5).message_id, {"name": "", "n": "3"})


async def test_a_batch_leaves_in_one_call_and_shares_one_provider_id(account: Account) -> None:
    rows = [row(n, f"+86138001380{n:02}") for n in range(100)]
    outcomes = await account.connector().deliver(batch(*rows, name="batch_messages"))
    assert {outcome.status for outcome in outcomes} == {"sent"}
    assert {outcome.provider_id for outcome in outcomes} == {content["biz_id"] for _, content in account.taken}
    assert [to for to, _ in account.taken] == [f"138001380{n:02}" for n in range(100)]
    assert {content["out_id"] for _, content in account.taken} == {"run-1.7"}


async def test_a_batch_with_one_bad_number_is_refused_and_nobody_gets_it(account: Account) -> None:
    with pytest.raises(Refused) as refused:
        await account.connector().deliver(batch(row(0), row(1, "+86123"), row(2), name="batch_messages"))
    assert refused.value.code == "isv.MOBILE_NUMBER_ILLEGAL"
    assert account.taken == []


async def test_rows_of_two_templates_are_not_sent_in_one_call(account: Account) -> None:
    with pytest.raises(Refused, match="MIXED_TEMPLATES"):
        await account.connector().deliver(batch(row(0), row(1, template_code="SMS_1002"), name="batch_messages"))
    assert account.taken == []


async def test_an_empty_batch_makes_no_call(account: Account) -> None:
    await account.http.aclose()
    assert await account.connector().deliver(Batch("messages", "add", (), "run-1", 1)) == []


async def test_the_fifty_first_message_of_a_day_to_one_number_is_refused(account: Account) -> None:
    connector = account.connector()
    for _ in range(50):
        (outcome,) = await connector.deliver(batch())
        assert outcome.status == "sent"
    (outcome,) = await connector.deliver(batch())
    assert (outcome.status, outcome.code) == ("rejected", "isv.BUSINESS_LIMIT_CONTROL")


async def test_answers_are_sorted_by_what_the_caller_must_do(account: Account) -> None:
    expected: dict[type[ConnectorError] | str, str] = {
        # The row's own number, length or words.
        "rejected": "isv.MOBILE_NUMBER_ILLEGAL isv.BUSINESS_LIMIT_CONTROL isv.PARAM_LENGTH_LIMIT isv.SMS_CONTENT_ILLEGAL "
        "isv.DOMESTIC_NUMBER_NOT_SUPPORTED isv.A_CODE_OF_TOMORROW",
        Fatal: "isv.SMS_SIGNATURE_SCENE_ILLEGAL isv.SIGN_STATE_ILLEGAL isv.SMS_SIGN_ILLEGAL isv.SMS_TEMPLATE_ILLEGAL "
        "isv.TEMPLATE_MISSING_PARAMETERS isv.EXTEND_CODE_ERROR isv.DENY_IP_RANGE isv.PRODUCT_UN_SUBSCRIPT isv.ACCOUNT_NOT_EXISTS "
        "isp.RAM_PERMISSION_DENY isv.OUT_OF_SERVICE isv.AMOUNT_NOT_ENOUGH MissingAction",
        Transient: "Throttling.User ServiceUnavailable isv.DAY_LIMIT_CONTROL isv.MONTH_LIMIT_CONTROL",
        Unanswered: "isp.SYSTEM_ERROR InternalError SignatureNonceUsed",
    }
    sorted_into: dict[type[ConnectorError] | str, list[str]] = {kind: [] for kind in expected}
    reasons: list[str] = []
    for code in " ".join(expected.values()).split():
        account.fails(kind="partial", code=code)
        try:
            (outcome,) = await account.connector().deliver(batch())
            sorted_into[outcome.status].append(outcome.code)
            reasons.append(outcome.reason)
        except ConnectorError as error:
            sorted_into[type(error)].append(error.code)
            reasons.append(error.reason)
    assert {kind: " ".join(codes) for kind, codes in sorted_into.items()} == expected
    assert not [reason for reason in reasons if "13800138000" in reason]
    assert account.taken == []


async def test_the_console_limit_of_a_day_waits_for_the_next_day(account: Account) -> None:
    account.fails(kind="partial", code="isv.DAY_LIMIT_CONTROL")
    with pytest.raises(Transient) as raised:
        await account.connector().deliver(batch())
    assert raised.value.after is not None
    tomorrow = datetime.now(UTC) + timedelta(seconds=raised.value.after, hours=8)
    assert abs((tomorrow - tomorrow.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()) < 60


async def test_throttling_waits_as_long_as_it_is_told(account: Account) -> None:
    account.fails(kind="rate_limit", retry_after=17)
    with pytest.raises(Transient) as raised:
        await account.connector().deliver(batch())
    assert raised.value.after == 17


async def test_half_an_answer_leaves_it_open_whether_the_message_went_out(account: Account) -> None:
    account.fails(kind="broken_json")
    with pytest.raises(Unanswered):
        await account.connector().deliver(batch())
    assert len(account.taken) == 1


# -- reports ------------------------------------------------------------------------------------------------------------


async def test_a_report_of_the_sandbox_names_the_message_it_is_about(account: Account) -> None:
    reached = next(f"+8613800138{n:03}" for n in range(1000) if fate(f"13800138{n:03}", "delivery") >= 0.04)
    (outcome,) = await account.connector().deliver(batch(row(3, reached)))
    pending = [Pending(kept, NOW - timedelta(hours=1), NOW) for kept in account.sandbox.journal.kept]
    (post,) = account.sandbox.emulators["aliyun_sms"].receipts(pending, "")
    received = account.connector().receive(report_post(post.body, post.query["token"]))
    assert received.source == "sms_receipts"
    assert received.events == [
        {
            "phone_number": reached.removeprefix("+86"),
            "send_time": "2026-10-31 09:00:00",
            "report_time": "2026-10-31 09:00:00",
            "success": True,
            "err_code": "DELIVERED",
            "err_msg": "用户接收成功",
            "sms_size": "1",
            "biz_id": outcome.provider_id,
            "out_id": row(3).message_id,
        }
    ]
    assert orjson.loads(received.reply)["code"] == 0


@pytest.mark.parametrize("token", ["", "sandbox-aliyun-callback-toke", "sandbox-aliyun-callback-token ", "Ŝandbox", "\ud800"])
def test_a_report_with_another_token_in_its_address_is_not_believed(token: str) -> None:
    with pytest.raises(BadSignature):
        AliyunSms(AliyunSms.Options(**OPTIONS)).receive(report_post(b"[]", token))


def test_without_a_callback_token_no_report_is_believed() -> None:
    with pytest.raises(BadSignature):
        AliyunSms(AliyunSms.Options(**(OPTIONS | {"callback_token": None}))).receive(report_post(b"[]", ""))


def test_a_callback_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        AliyunSms.Options(**(OPTIONS | {"callback_token": "guess"}))


@unhurried
@given(
    st.binary() | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner)).map(lambda x: json.dumps(x).encode())
)
def test_a_body_that_is_no_list_of_reports_is_a_bad_signature_and_nothing_else(body: bytes) -> None:
    try:
        received = AliyunSms(AliyunSms.Options(**OPTIONS)).receive(report_post(body))
    except BadSignature:
        return
    assert json.loads(body) == received.events == []


def test_neither_options_nor_rows_show_what_is_in_them() -> None:
    shown = f"{AliyunSms.Options(**OPTIONS)!r} {row()!r}"
    assert not any(secret in shown for secret in [*OPTIONS.values(), "13800138000"])
