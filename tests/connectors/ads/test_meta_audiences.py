"""Meta custom audiences: people are hashed as the vendor's SDK hashes them, added and taken off, and invalid entries find their rows."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from facebook_business.adobjects.customaudience import CustomAudience
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from connectors import sandbox as sandboxes
from connectors.ads._meta_answer import content
from connectors.ads.meta_audiences import KEYS, Members, MetaAudiences, proof
from connectors.base import Batch, ConnectorError, Fatal, Refused, Row, Transient
from connectors.sandbox import Fault, Sandbox

TOKEN, APP_SECRET = "EAABsandboxMetaAccessToken", "sandbox-meta-app-secret"
AUDIENCE = "6001234567890"
PEOPLE = [
    {"email": " Ada.Lovelace@Example.com\t", "phone": "+44 (20) 7946-0958", "first_name": "Ada", "last_name": "O'Neil", "country": "GB"},
    {"email": "wang@example.cn", "phone": "+8613800138000", "first_name": "Wang", "last_name": "Wei", "country": "cn"},
]


class Account:
    def __init__(self, sandbox: Sandbox, address: str, http: httpx.AsyncClient) -> None:
        self.sandbox, self.address, self.http = sandbox, address, http

    def connector(self, **options: Any) -> MetaAudiences:
        return MetaAudiences(MetaAudiences.Options(**{"access_token": TOKEN, "app_secret": APP_SECRET, **options}), self.http, self.address)

    def sdk(self, token: str = TOKEN) -> CustomAudience:
        session = FacebookSession("1", APP_SECRET, token)
        session.GRAPH = self.address
        return CustomAudience(AUDIENCE, api=FacebookAdsApi(session))

    def members(self, audience: str = AUDIENCE) -> list[dict[str, str]]:
        return list(self.sandbox.emulators["meta_audiences"].state()["audiences"].get(audience, []))


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    sandbox = sandboxes.build()
    async with sandbox.serve(http_port=0, smtp_port=0) as addresses, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        yield Account(sandbox, addresses.http, http)


def batch(*people: dict[str, Any], operation: Any = "add", on_removed: str = "remove_from_list", audience: str = AUDIENCE) -> Batch:
    rows = [Row(index, f"k{index}", orjson.dumps(person)) for index, person in enumerate(people)]
    return Batch("members", operation, rows, "run-1", 7, on_removed=on_removed, settings=Members(audience_id=audience))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_the_vendors_sdk_and_our_connector_say_the_same_to_the_sandbox(account: Account) -> None:
    names = ("email", "phone", "last_name", "first_name", "country")
    schema = [KEYS[name][0] for name in names]
    users = [[person[name] for name in names] for person in PEOPLE]
    answer = await asyncio.to_thread(account.sdk().add_users, schema, users, is_raw=True)
    assert (answer.json()["num_received"], answer.json()["num_invalid_entries"]) == (2, 0)
    theirs = account.members()
    outcomes = await account.connector().deliver(batch(*PEOPLE, audience="6009"))
    assert [outcome.status for outcome in outcomes] == ["sent", "sent"]
    assert account.members("6009") == theirs
    await asyncio.to_thread(account.sdk().remove_users, schema, users, is_raw=True)
    assert account.members() == []


async def test_a_wrong_token_is_refused_to_the_sdk_and_is_fatal_to_us(account: Account) -> None:
    with pytest.raises(FacebookRequestError) as theirs:
        await asyncio.to_thread(account.sdk("wrong").add_users, ["EMAIL"], [["a@b.c"]], is_raw=True)
    for call in (account.connector(access_token="wrong").deliver(batch(*PEOPLE)), account.connector(access_token="wrong").check()):
        with pytest.raises(Fatal) as ours:
            await call
        assert ours.value.code == str(theirs.value.api_error_code()) == "190"
    with pytest.raises(Fatal):
        await account.connector(app_secret="wrong").deliver(batch(*PEOPLE))
    assert await account.connector().check() == "the token is that of user 10150000000000001"


def test_the_proof_of_the_app_equals_the_sdks() -> None:
    assert proof(APP_SECRET, TOKEN) == FacebookSession("1", APP_SECRET, TOKEN).appsecret_proof


async def test_members_are_added_once_and_taken_off_again(account: Account) -> None:
    connector = account.connector()
    for _ in range(2):
        assert {outcome.status for outcome in await connector.deliver(batch(*PEOPLE))} == {"sent"}
    assert [member["EMAIL"] for member in account.members()] == [sha256("ada.lovelace@example.com"), sha256("wang@example.cn")]
    (outcome,) = await connector.deliver(batch(PEOPLE[0], operation="remove"))
    assert outcome.status == "sent"
    assert [member["EMAIL"] for member in account.members()] == [sha256("wang@example.cn")]
    (outcome,) = await connector.deliver(batch(PEOPLE[1], operation="remove", on_removed="nothing"))
    assert (outcome.status, len(account.members())) == ("skipped", 1)


@pytest.mark.parametrize(
    ("field", "value", "key", "expected"),
    [
        ("phone", "138 0013 8000", "PHONE", sha256("8613800138000")),
        ("phone", "0044 20 7946 0958", "PHONE", sha256("442079460958")),
        ("email", "ÄRGER@Example.com", "EMAIL", sha256("ärger@example.com")),
        ("first_name", "王 小明", "FN", sha256("王小明")),
        ("gender", "Female", "GEN", sha256("f")),
        ("postal_code", "94035-1234", "ZIP", sha256("94035")),
        ("country", "China", "COUNTRY", ""),
        ("mobile_advertiser_id", "6D92078A-8246-4BA4-AE5B-76104861E7DC", "MADID", "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
        ("email", "nobody", "EMAIL", ""),
        ("phone", "12", "PHONE", ""),
        ("external_id", 17, "EXTERN_ID", "17"),
    ],
)
def test_what_identifies_a_person_is_made_alike_before_it_is_hashed(field: str, value: Any, key: str, expected: str) -> None:
    assert KEYS[field][0] == key
    assert KEYS[field][1](value) == expected


async def test_a_row_that_identifies_nobody_is_rejected_and_costs_the_others_nothing(account: Account) -> None:
    nobody = {"email": "not an address", "phone": None, "first_name": "Ada"}
    outcomes = await account.connector().deliver(batch(nobody, PEOPLE[0]))
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [("rejected", "NO_IDENTIFIER"), ("sent", "")]


async def test_a_field_that_audiences_do_not_have_stops_the_run(account: Account) -> None:
    with pytest.raises(Fatal, match=r"UNKNOWN_FIELD.*`shoe_size`"):
        await account.connector().deliver(batch({**PEOPLE[0], "shoe_size": 44}))


async def test_invalid_entries_that_are_not_named_are_found_by_splitting(account: Account) -> None:
    people = [{"email": f"p{n}@example.com"} for n in range(8)]
    for person in people[:7]:
        account.sandbox.faults.add(Fault(vendor="meta_audiences", kind="partial", match=sha256(person["email"])))
    with pytest.raises(Refused, match="7 of 8"):  # only five of them are named
        await account.connector().deliver(batch(*people))
    assert len(account.members()) == 1


@pytest.mark.parametrize(
    ("status", "error", "comes_of_it", "after"),
    [
        (400, {"code": 17}, Transient, 240.0),
        (400, {"code": 80003}, Transient, 240.0),
        (500, {"code": 1, "is_transient": True}, Transient, None),
        (400, {"code": 200, "error_subcode": 1870090}, Fatal, None),
        (400, {"code": 100, "error_subcode": 1713230}, Fatal, None),
        (400, {"code": 100, "error_subcode": 33}, Fatal, None),
        (400, {"code": 100}, Refused, None),
    ],
)
def test_errors_are_sorted_by_what_the_caller_must_do(
    status: int, error: dict[str, Any], comes_of_it: type[ConnectorError], after: float | None
) -> None:
    usage = {"1": [{"estimated_time_to_regain_access": 4}]} if after else {}
    headers = {"x-business-use-case-usage": orjson.dumps(usage).decode()}
    answer = httpx.Response(status, json={"error": {"message": "about someone@example.com", **error}}, headers=headers)
    with pytest.raises(comes_of_it) as raised:
        content(answer, 2)
    assert "someone@example.com" not in str(raised.value)
    assert getattr(raised.value, "after", None) == after


async def test_an_audience_that_is_not_there_stops_the_run(account: Account) -> None:
    with pytest.raises(Fatal, match="audience_id"):
        await account.connector().deliver(batch(*PEOPLE, audience="4041"))
