"""Tencent Ads: files of identifiers are taken at once and read later, and what came of them is asked for.

The vendor has no SDK on the package index; requests are compared with those its documentation prints.
"""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from python_multipart.multipart import parse_options_header

from connectors import sandbox as sandboxes
from connectors.ads._tencent_answer import data
from connectors.ads._tencent_file import KINDS, zipped
from connectors.ads.tencent_ads import Members, TencentAds
from connectors.base import Batch, ConnectorError, Fatal, Refused, Row, Transient, Unanswered
from connectors.sandbox import Fault, Sandbox

PEOPLE = [{"phone": "+86 138-0013-8000"}, {"phone": "13800138001"}]


class Account:
    def __init__(self, sandbox: Sandbox, address: str, http: httpx.AsyncClient) -> None:
        self.sandbox, self.address, self.http = sandbox, address, http
        self.emulator: Any = sandbox.emulators["tencent_ads"]

    def connector(self, **options: Any) -> TencentAds:
        given = {"access_token": "sandbox-tencent-ads-token", "account_id": 1000001, "wait_seconds": 0} | options
        return TencentAds(TencentAds.Options(**given), self.http, self.address)

    def members(self) -> list[str]:
        return list(self.emulator.state()["audiences"].get("5005", []))


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    sandbox = sandboxes.build()
    async with sandbox.serve(http_port=0, smtp_port=0) as addresses, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        yield Account(sandbox, addresses.http, http)


def batch(*people: dict[str, Any], operation: Any = "add", on_removed: str = "remove_from_list", **settings: Any) -> Batch:
    rows = [Row(index, f"k{index}", orjson.dumps(person)) for index, person in enumerate(people)]
    return Batch("members", operation, rows, "run-1", 7, on_removed=on_removed, settings=Members(**({"audience_id": 5005} | settings)))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_a_file_goes_out_as_the_documentation_prints_it() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"code": 0, "data": {"custom_audience_file_id": 7, "list": [{"process_status": "SUCCESS"}]}})

    options = TencentAds.Options(access_token="token", account_id=1000001)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        outcomes = await TencentAds(options, http, "https://api.e.qq.com").deliver(batch(*PEOPLE, *PEOPLE))
    add, get = sent
    assert {(outcome.status, outcome.provider_id) for outcome in outcomes} == {("sent", "7")}
    assert (add.method, add.url.path, get.method, get.url.path) == (
        "POST",
        "/v3.0/custom_audience_files/add",
        "GET",
        "/v3.0/custom_audience_files/get",
    )
    assert abs(time.time() - int(add.url.params["timestamp"])) < 300
    assert (add.url.params["access_token"], len(add.url.params["nonce"])) == ("token", 32)
    assert add.url.params["nonce"] != get.url.params["nonce"]
    assert add.extensions["retry"] is False  # a nonce counts once
    assert parse_options_header(add.headers["content-type"])[0] == b"multipart/form-data"
    for part in (b'name="account_id"\r\n\r\n1000001', b'name="audience_id"\r\n\r\n5005', b'name="operation_type"\r\n\r\nAPPEND'):
        assert part in add.content
    lines = f"{sha256('13800138000')}\n{sha256('13800138001')}\n".encode()  # each once
    assert lines in add.content


async def test_members_are_added_once_and_taken_off_again(account: Account) -> None:
    connector = account.connector()
    for _ in range(2):
        assert {outcome.status for outcome in await connector.deliver(batch(*PEOPLE))} == {"sent"}
    assert account.members() == sorted([sha256("13800138000"), sha256("13800138001")])
    await connector.deliver(batch(PEOPLE[0], operation="remove", on_removed="nothing"))
    assert len(account.members()) == 2
    (outcome,) = await connector.deliver(batch(PEOPLE[0], operation="remove"))
    assert (outcome.status, account.members()) == ("sent", [sha256("13800138001")])


@pytest.mark.parametrize(
    ("kind", "field", "value", "line"),
    [
        ("HASH_MOBILE_PHONE", "phone", "+86 138 0013 8000", hashlib.md5(b"13800138000", usedforsecurity=False).hexdigest()),
        ("SHA256_MOBILE_PHONE", "phone", "008613800138000", sha256("13800138000")),
        ("SHA256_MOBILE_PHONE", "phone", "+85251234567", ""),
        ("SHA256_MOBILE_PHONE", "phone", None, ""),
        ("WX_UNIONID", "unionid", " oAbCd ", "oAbCd"),
        ("IDFA", "device_id", "6d92078a-8246-4ba4-ae5b-76104861e7dc", "6D92078A-8246-4BA4-AE5B-76104861E7DC"),
        ("OAID", "device_id", "two\nlines", "twolines"),
    ],
)
def test_what_identifies_a_person_is_made_alike_before_it_leaves(kind: str, field: str, value: Any, line: str) -> None:
    assert KINDS[kind][0] == field
    assert KINDS[kind][1](value) == line


async def test_a_row_that_identifies_nobody_is_rejected_and_costs_the_others_nothing(account: Account) -> None:
    outcomes = await account.connector().deliver(batch({"phone": "+85251234567"}, PEOPLE[0]))
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [("rejected", "NO_IDENTIFIER"), ("sent", "")]


async def test_lines_that_are_no_good_are_found_by_splitting(account: Account) -> None:
    good, bad = {"unionid": "o" * 28}, {"unionid": "不是"}
    with pytest.raises(Refused, match="1 of 2 lines"):
        await account.connector().deliver(batch(good, bad, user_id_type="WX_UNIONID"))
    (outcome,) = await account.connector().deliver(batch(bad, user_id_type="WX_UNIONID"))
    assert (outcome.status, outcome.code) == ("rejected", "INVALID_LINES")


async def test_a_file_that_is_not_read_yet_is_asked_for_again_until_the_time_is_up(account: Account) -> None:
    waited: list[float] = []

    class Patient(TencentAds):
        async def wait(self, seconds: float) -> None:
            waited.append(seconds)
            account.emulator.held = sum(waited) < 3

    account.emulator.held = True
    (outcome,) = await account.connector().deliver(batch(PEOPLE[0]))
    assert (outcome.status, outcome.code) == ("sent", "PROCESSING")
    assert outcome.provider_id in account.emulator.files
    options = TencentAds.Options(access_token="sandbox-tencent-ads-token", account_id=1000001, wait_seconds=10)
    (outcome,) = await Patient(options, account.http, account.address).deliver(batch(PEOPLE[0]))
    assert (outcome.status, outcome.code, waited) == ("sent", "", [1.0, 2.0])


async def test_what_cannot_work_stops_the_run(account: Account) -> None:
    for settings, people, said in (
        ({"audience_id": 4041}, PEOPLE, "18005"),
        ({}, [{"phone": "13800138000", "email": "a@b.c"}], "`email`"),
    ):
        with pytest.raises(Fatal, match=said):
            await account.connector().deliver(batch(*people, **settings))
    with pytest.raises(Fatal, match="11002"):
        await account.connector(access_token="wrong").check()
    assert await account.connector().check() == "the account has 0 audiences"


def test_openids_need_the_app_they_are_of() -> None:
    with pytest.raises(ValueError, match="open_app_id"):
        Members(audience_id=1, user_id_type="WECHAT_OPENID")
    with pytest.raises(ValueError, match="open_app_id"):
        Members(audience_id=1, open_app_id="wx1")


async def test_a_request_counts_once(account: Account) -> None:
    asked = f"{account.address}/v3.0/custom_audiences/get?access_token=sandbox-tencent-ads-token&timestamp={int(time.time())}&nonce=n1"
    codes = [(await account.http.get(asked)).json()["code"] for _ in range(2)]
    stale = (await account.http.get(asked.replace("n1", "n2").replace("timestamp=1", "timestamp=0"))).json()["code"]
    assert (codes, stale) == ([0, 12003], 12002)


@pytest.mark.parametrize(
    ("answer", "comes_of_it"),
    [
        ({"code": 11017, "message": "often"}, Transient),
        ({"code": 11018, "message": "often"}, Transient),
        ({"code": 10000, "message": "later"}, Transient),
        ({"code": 11000, "message": "expired"}, Fatal),
        ({"code": 31033, "message": "not permitted to 13800138000"}, Fatal),
        ({"message": "no code"}, Unanswered),
        ([], Unanswered),
    ],
)
def test_answers_are_sorted_by_what_the_caller_must_do(answer: Any, comes_of_it: type[ConnectorError]) -> None:
    with pytest.raises(comes_of_it) as raised:
        data(httpx.Response(200, json=answer))
    assert "13800138000" not in str(raised.value)


async def test_a_limit_of_the_vendor_is_waited_for(account: Account) -> None:
    account.sandbox.faults.add(Fault(vendor="tencent_ads", kind="rate_limit"))
    with pytest.raises(Transient, match="11017"):
        await account.connector().deliver(batch(*PEOPLE))
    assert account.members() == []


def test_the_same_lines_make_the_same_file() -> None:
    assert zipped(["a", "b"]) == zipped(["a", "b"])
    with zipfile.ZipFile(io.BytesIO(zipped(["a", "b"]))) as archive:
        assert archive.read("members.txt") == b"a\nb\n"
