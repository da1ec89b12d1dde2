"""Tencent Cloud SMS: our requests are signed as the vendor's SDK signs, each number has its result, and reports find their message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tencentcloud.common.abstract_client import AbstractClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.http.request import RequestInternal
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111 import models
from tencentcloud.sms.v20210111.sms_client import SmsClient

from connectors import sandbox as sandboxes
from connectors.base import BadSignature, Batch, Callback, ConnectorError, Fatal, Refused, Row, Transient, Unanswered
from connectors.sandbox import Fault, Pending, Sandbox, fate
from connectors.sms._numbers import e164
from connectors.sms._tc3 import authorization
from connectors.sms.tencent_sms import TencentSms, variables

NOW = datetime(2026, 10, 31, 2, tzinfo=UTC)
TOKEN = "sandbox-tencent-callback-token"
OPTIONS: dict[str, Any] = {
    "secret_id": "AKIDsandboxTencentSecretId0001",
    "secret_key": "sandbox-tencent-secret-key",
    "sms_sdk_app_id": "1400006666",
    "callback_token": TOKEN,
}

unhurried = settings(deadline=None, database=None)


class Account:
    """The sandbox's account, a connector that sends to it, and where it is."""

    def __init__(self, sandbox: Sandbox, address: str, http: httpx.AsyncClient) -> None:
        self.sandbox, self.address, self.http = sandbox, address, http

    def connector(self, **options: Any) -> TencentSms:
        return TencentSms(TencentSms.Options(**(OPTIONS | options)), self.http, self.address)

    def sdk(self, secret_key: str = OPTIONS["secret_key"]) -> SmsClient:
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=self.address.removeprefix("http://")))
        return SmsClient(Credential(OPTIONS["secret_id"], secret_key), "ap-guangzhou", profile)

    def fails(self, **fault: Any) -> None:
        self.sandbox.faults.add(Fault(vendor="tencent_sms", **fault))

    @property
    def taken(self) -> list[tuple[str, dict[str, Any]]]:
        return [(kept.to, dict(kept.content)) for kept in self.sandbox.journal.kept]


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    sandbox = sandboxes.build()
    async with sandbox.serve(http_port=0, smtp_port=0) as addresses, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        yield Account(sandbox, addresses.http, http)


def row(index: int = 0, phone: str = "+8613800138000", **fields: Any) -> Row:
    message = {"phone": phone, "sign_name": "示例科技", "template_code": "449739", "params": {"name": "王*小~明 🎉"}} | fields
    return Row(index, f"p{index}", orjson.dumps(message), message_id=f"m_{index:032x}")


def batch(*rows: Row, name: str = "messages") -> Batch:
    return Batch(name, "add", rows or (row(),), "run-1", 7)


def many(count: int, **fields: Any) -> Batch:
    return batch(*(row(n, f"+86138001380{n:02}", **fields) for n in range(count)), name="batch_messages")


def post(body: bytes, token: str = TOKEN) -> Callback:
    return Callback("POST", "https://collect.example/hooks/sms", {"token": token}, {}, body, NOW)


# -- the signature ------------------------------------------------------------------------------------------------------


def theirs(host: str, content: bytes, timestamp: int, key_id: str, key: str) -> str:
    """The SDK's own signature of a POST."""
    client = AbstractClient(Credential(key_id, key), "ap-guangzhou", ClientProfile(httpProfile=HttpProfile(endpoint=host)))
    header = {"Content-Type": "application/json", "Host": host, "X-TC-Timestamp": str(timestamp)}
    request = RequestInternal(host, "POST", "/", header, content)
    day = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    return str(client._get_tc3_signature({}, request, day, "sms", key))


@unhurried
@given(st.binary(max_size=200), st.integers(0, 4_000_000_000), st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1))
def test_the_signature_equals_the_sdks_for_any_body_time_and_key(content: bytes, timestamp: int, key: str) -> None:
    ours = authorization("sms", "sms.tencentcloudapi.com", "application/json", content, timestamp, "id", key)
    assert ours.endswith(f"Signature={theirs('sms.tencentcloudapi.com', content, timestamp, 'id', key)}")


async def test_a_request_of_ours_is_signed_as_the_sdk_would_sign_it() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        status = {"SerialNo": "1", "PhoneNumber": "+8613800138000", "Code": "Ok"}
        return httpx.Response(200, json={"Response": {"SendStatusSet": [status]}})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        connector = TencentSms(TencentSms.Options(**OPTIONS, security_token="temporary"), http, "https://sms.tencentcloudapi.com")
        await connector.deliver(batch())
    (request,) = sent
    given = request.headers
    signature = theirs(given["host"], request.content, int(given["x-tc-timestamp"]), OPTIONS["secret_id"], OPTIONS["secret_key"])
    assert given["authorization"].endswith(f"SignedHeaders=content-type;host, Signature={signature}")
    assert (given["host"], given["x-tc-version"], given["x-tc-token"]) == ("sms.tencentcloudapi.com", "2021-01-11", "temporary")


# -- the SDK at our sandbox ---------------------------------------------------------------------------------------------


async def test_the_vendors_sdk_and_our_connector_say_the_same_to_the_sandbox(account: Account) -> None:
    request = models.SendSmsRequest()
    request.from_json_string(
        json.dumps(
            {
                "PhoneNumberSet": ["+8613800138000", "+8613800138001"],
                "SmsSdkAppId": OPTIONS["sms_sdk_app_id"],
                "TemplateId": "449739",
                "SignName": "示例科技",
                "TemplateParamSet": ["王*小~明 🎉"],
                "SessionContext": "run-1.7",
            }
        )
    )
    answer = await asyncio.to_thread(account.sdk().SendSms, request)
    assert [status.Code for status in answer.SendStatusSet] == ["Ok", "Ok"]
    assert [status.SerialNo for status in answer.SendStatusSet] == [content["serial_no"] for _, content in account.taken]
    await account.connector().deliver(many(2))
    both = [[(to, {**content, "serial_no": ""}) for to, content in half] for half in (account.taken[:2], account.taken[2:])]
    assert both[0] == both[1]


async def test_the_vendors_sdk_lists_signatures_of_the_sandbox(account: Account) -> None:
    request = models.DescribeSmsSignListRequest()
    request.International, request.SignIdSet = 0, []
    answer = await asyncio.to_thread(account.sdk().DescribeSmsSignList, request)
    assert [sign.StatusCode for sign in answer.DescribeSignListStatusSet] == [0]
    assert await account.connector().check() == "secret key accepted; 1 approved signatures on the first page"


async def test_a_wrong_key_is_refused_to_the_sdk_and_is_fatal_to_us(account: Account) -> None:
    request = models.SendSmsRequest()
    request.PhoneNumberSet, request.SmsSdkAppId, request.TemplateId = ["+8613800138000"], OPTIONS["sms_sdk_app_id"], "449739"
    with pytest.raises(TencentCloudSDKException) as refused:
        await asyncio.to_thread(account.sdk("wrong").SendSms, request)
    connector = account.connector(secret_key="wrong")
    for call in (connector.deliver(batch()), connector.check()):
        with pytest.raises(Fatal) as ours:
            await call
        assert ours.value.code == refused.value.code == "AuthFailure.SignatureFailure"
    assert account.taken == []


async def test_a_body_that_is_changed_on_its_way_is_refused(account: Account) -> None:
    response = await account.connector()._call("SendSms", {"PhoneNumberSet": ["+8613800138000"], "SmsSdkAppId": "1", "TemplateId": "1"})
    request = response.request
    changed = await account.http.post(request.url, headers=request.headers, content=request.content.replace(b"8000", b"8001"))
    assert changed.json()["Response"]["Error"]["Code"] == "AuthFailure.SignatureFailure"


# -- sending ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phone", "sent"),
    [("+8613800138000", "+8613800138000"), ("13800138000", "+8613800138000"), ("8613800138000", "+8613800138000"), ("+85251234567",) * 2],
)
async def test_a_message_leaves_with_its_message_id_and_comes_back_with_the_providers(account: Account, phone: str, sent: str) -> None:
    (outcome,) = await account.connector().deliver(batch(row(5, phone, params={"name": None, "n": 3})))
    ((to, content),) = account.taken
    assert (outcome.status, outcome.provider_id) == ("sent", content["serial_no"])
    assert (to, content["session_context"], content["params"]) == (sent, row(5).message_id, ["", "3"])
    assert e164(phone) == sent


@pytest.mark.parametrize(
    ("params", "places"),
    [
        ({"code": "1", "name": "2"}, ["1", "2"]),
        ({"name": "2", "code": "1"}, ["2", "1"]),
        ({"10": "c", "2": "b", "1": "a"}, ["a", "b", "c"]),
        ({"1": "a", "name": "b"}, ["a", "b"]),
        ({}, []),
        (None, []),
    ],
)
def test_variables_are_taken_in_order_or_by_their_numbers(params: dict[str, str] | None, places: list[str]) -> None:
    assert variables({"params": params}) == places


async def test_two_hundred_numbers_leave_in_one_call_each_with_a_serial_number_of_its_own(account: Account) -> None:
    rows = [row(n, f"+861380013{n:04}") for n in range(200)]
    outcomes = await account.connector().deliver(batch(*rows, name="batch_messages"))
    assert {outcome.status for outcome in outcomes} == {"sent"}
    assert len({outcome.provider_id for outcome in outcomes}) == 200
    assert {content["session_context"] for _, content in account.taken} == {"run-1.7"}


async def test_results_are_joined_by_number_in_whatever_order_they_come() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        numbers = json.loads(request.content)["PhoneNumberSet"]
        statuses = [{"SerialNo": f"serial of {number}", "PhoneNumber": number.removeprefix("+"), "Code": "Ok"} for number in numbers]
        return httpx.Response(200, json={"Response": {"SendStatusSet": statuses[::-1][:-1]}})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        outcomes = await TencentSms(TencentSms.Options(**OPTIONS), http).deliver(many(3))
    assert [(outcome.status, outcome.provider_id) for outcome in outcomes] == [
        ("unknown", None),  # nothing was said of the first: it may have left
        ("sent", "serial of +8613800138001"),
        ("sent", "serial of +8613800138002"),
    ]


async def test_a_number_that_is_there_twice_gets_one_message(account: Account) -> None:
    rows = [row(0), row(1, "+8613800138001"), row(2, "13800138000")]
    outcomes = await account.connector().deliver(batch(*rows, name="batch_messages"))
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [("sent", ""), ("sent", ""), ("skipped", "DUPLICATE_NUMBER")]
    assert [to for to, _ in account.taken] == ["+8613800138000", "+8613800138001"]


@pytest.mark.parametrize(
    "other", [{"template_code": "1"}, {"sign_name": "别的"}, {"params": {"name": "b"}}, {"phone": "+85251234567"}], ids=str
)
async def test_rows_of_two_messages_are_not_sent_in_one_call(account: Account, other: dict[str, Any]) -> None:
    fields = {"phone": "+8613800138001"} | other
    with pytest.raises(Refused, match="MIXED_MESSAGES"):
        await account.connector().deliver(batch(row(0), row(1, **fields), name="batch_messages"))
    assert account.taken == []


async def test_answers_are_sorted_by_what_the_caller_must_do(account: Account) -> None:
    expected: dict[type[ConnectorError] | str, str] = {
        "rejected": "FailedOperation.PhoneNumberInBlacklist InvalidParameterValue.IncorrectPhoneNumber FailedOperation.PhoneNumberParseFail "
        "FailedOperation.ContainSensitiveWord InvalidParameterValue.TemplateParameterLengthLimit LimitExceeded.PhoneNumberThirtySecondLimit "
        "LimitExceeded.PhoneNumberOneHourLimit LimitExceeded.PhoneNumberDailyLimit LimitExceeded.PhoneNumberSameContentDailyLimit "
        "LimitExceeded.AppCountryOrRegionInBlacklist A.CodeOfTomorrow",
        Fatal: "FailedOperation.TemplateIncorrectOrUnapproved FailedOperation.TemplateUnapprovedOrNotExist "
        "FailedOperation.TemplateParamSetNotMatchApprovedTemplate FailedOperation.SignatureIncorrectOrUnapproved "
        "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter UnauthorizedOperation.SmsSdkAppIdVerifyFail "
        "UnauthorizedOperation.ServiceSuspendDueToArrears UnauthorizedOperation.RequestIpNotInWhitelist "
        "FailedOperation.InsufficientBalanceInSmsPackage AuthFailure.SignatureExpire",
        Transient: "FailedOperation.MarketingSendTimeConstraint LimitExceeded.AppDailyLimit LimitExceeded.AppMainlandChinaDailyLimit "
        "LimitExceeded.DeliveryFrequencyLimit RequestLimitExceeded.UinLimitExceeded",
        Unanswered: "InternalError.Timeout InternalError.SendAndRecvFail InternalError FailedOperation.OtherError",
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


async def test_trouble_that_all_numbers_share_stops_the_run_and_trouble_of_some_is_theirs(account: Account) -> None:
    connector = account.connector()
    with pytest.raises(Fatal, match="TemplateIncorrect"):
        await connector.deliver(many(3, template_code="not a number"))
    account.fails(kind="partial", code="FailedOperation.TemplateIncorrectOrUnapproved", match="13800138001")
    account.fails(kind="partial", code="InternalError.Timeout", match="13800138002")
    outcomes = await connector.deliver(many(4))
    # The first and the last are on their way: raising would have them sent again.
    assert [outcome.status for outcome in outcomes] == ["sent", "rejected", "unknown", "sent"]


async def test_marketing_waits_for_eight_oclock_in_china(account: Account) -> None:
    account.fails(kind="partial", code="FailedOperation.MarketingSendTimeConstraint")
    with pytest.raises(Transient) as raised:
        await account.connector().deliver(batch())
    assert raised.value.after is not None
    then = datetime.now(UTC) + timedelta(seconds=raised.value.after, hours=8)
    assert abs((then - then.replace(hour=8, minute=0, second=0, microsecond=0)).total_seconds()) < 60


async def test_an_application_that_is_not_the_accounts_stops_the_run(account: Account) -> None:
    with pytest.raises(Fatal, match="SmsSdkAppIdVerifyFail"):
        await account.connector(sms_sdk_app_id="1400000000").deliver(batch())


@pytest.mark.parametrize(
    "answer", [b"[]", b'{"Response":[]}', b'{"Response":{"SendStatusSet":[1]}}', b'{"Response":{"RequestId":"x"}}', b"\xff"]
)
async def test_an_answer_with_no_result_in_it_leaves_it_open(answer: bytes) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=answer))) as http:
        with pytest.raises(Unanswered):
            await TencentSms(TencentSms.Options(**OPTIONS), http).deliver(batch())


# -- reports ------------------------------------------------------------------------------------------------------------


async def test_a_report_of_the_sandbox_names_the_serial_number_of_its_message(account: Account) -> None:
    reached = next(
        f"+8613800138{n:03}"
        for n in range(1000)
        if fate(f"+8613800138{n:03}", "delivery") >= 0.04 and fate(f"+8613800138{n:03}", "replies") < 0.01
    )
    (outcome,) = await account.connector().deliver(batch(row(3, reached)))
    pending = [Pending(kept, NOW - timedelta(hours=1), NOW) for kept in account.sandbox.journal.kept]
    report, reply = [
        account.connector().receive(post(posted.body, posted.query["token"]))
        for posted in account.sandbox.emulators["tencent_sms"].receipts(pending, "")
    ]
    assert report.events == [
        {
            "user_receive_time": "2026-10-31 09:00:00",
            "nationcode": "86",
            "mobile": reached.removeprefix("+86"),
            "report_status": "SUCCESS",
            "errmsg": "DELIVRD",
            "description": "用户短信送达成功",
            "sid": outcome.provider_id,
            "vendor": "tencent_sms",
            "phone_number": reached,
        }
    ]
    assert orjson.loads(report.reply) == {"result": 0, "errmsg": "OK"}
    assert (reply.events[0]["phone_number"], reply.events[0]["text"]) == (reached, "TD")


@pytest.mark.parametrize("token", ["", "sandbox-tencent-callback-toke", "sandbox-tencent-callback-token ", "Ŝandbox", "\ud800"])
def test_a_report_with_another_token_in_its_address_is_not_believed(token: str) -> None:
    with pytest.raises(BadSignature):
        TencentSms(TencentSms.Options(**OPTIONS)).receive(post(b"[]", token))


def test_without_a_callback_token_no_report_is_believed() -> None:
    with pytest.raises(BadSignature):
        TencentSms(TencentSms.Options(**(OPTIONS | {"callback_token": None}))).receive(post(b"[]", ""))


@unhurried
@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["mobile", "a"]), inner)
    )
)
def test_whatever_is_posted_is_reports_or_a_bad_signature(posted: Any) -> None:
    try:
        received = TencentSms(TencentSms.Options(**OPTIONS)).receive(post(json.dumps(posted).encode()))
    except BadSignature:
        return
    assert all(event["mobile"] for event in received.events)


def test_neither_options_nor_rows_show_what_is_in_them() -> None:
    shown = f"{TencentSms.Options(**OPTIONS)!r} {row()!r}"
    assert not any(said in shown for said in [OPTIONS["secret_id"], OPTIONS["secret_key"], TOKEN, "13800138000"])
