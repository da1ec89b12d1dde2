"""Google's Data Manager API: people are hashed as the vendor's own formatter does, its client and ours say the same, requests are followed."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from typing import Any

import google.auth.crypt
import google.auth.jwt
import httpx
import orjson
import pytest
from google.ads import datamanager_v1 as sdk
from google.ads.datamanager_util import Formatter
from google.ads.datamanager_util.format import Encoding
from google.api_core.client_options import ClientOptions
from google.oauth2 import service_account

from connectors import sandbox as sandboxes
from connectors.ads._google_answer import content
from connectors.ads._google_key import SANDBOX
from connectors.ads._google_members import email, identifiers
from connectors.ads._google_token import assertion, read
from connectors.ads.google_data_manager import SCOPE, GoogleDataManager, Members
from connectors.base import Batch, ConnectorError, Fatal, Refused, Row, SecretStr, Transient
from connectors.sandbox import Fault, Sandbox

KEY = orjson.loads(SANDBOX)
PEOPLE = [
    {"email": " Ada.Lovelace+x@Gmail.com", "phone": "+44 (20) 7946-0958"},
    {"email": "wang@example.cn", "first_name": " Wei ", "last_name": "O'Neil", "country": "cn", "postal_code": "100000"},
]


class Account:
    def __init__(self, sandbox: Sandbox, address: str, http: httpx.AsyncClient) -> None:
        self.sandbox, self.address, self.http = sandbox, address, http

    def connector(self, **options: Any) -> GoogleDataManager:
        given = {"service_account_key": SANDBOX, "account_id": "123", "wait_seconds": 0} | options
        return GoogleDataManager(GoogleDataManager.Options(**given), self.http, self.address)

    def sdk(self) -> sdk.IngestionServiceClient:
        info = KEY | {"token_uri": f"{self.address}/token"}
        credentials = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])
        return sdk.IngestionServiceClient(
            credentials=credentials, transport="rest", client_options=ClientOptions(api_endpoint=self.address)
        )

    def becomes(self, code: str, **fault: Any) -> None:
        self.sandbox.faults.add(Fault(vendor="google_data_manager", kind="partial", code=code, **fault))

    def members(self, audience: str = "8888") -> list[Any]:
        return list(self.sandbox.emulators["google_data_manager"].state()["lists"].get(audience, []))


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    sandbox = sandboxes.build()
    async with sandbox.serve(http_port=0, smtp_port=0) as addresses, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        yield Account(sandbox, addresses.http, http)


def batch(*people: dict[str, Any], operation: Any = "add", on_removed: str = "remove_from_list", **settings: Any) -> Batch:
    rows = [Row(index, f"k{index}", orjson.dumps(person)) for index, person in enumerate(people)]
    return Batch("members", operation, rows, "run-1", 7, on_removed=on_removed, settings=Members(**({"audience_id": "8888"} | settings)))


# -- the vendor's own software ------------------------------------------------------------------------------------------


async def test_the_vendors_client_and_our_connector_say_the_same_to_the_sandbox(account: Account) -> None:
    members = [
        sdk.AudienceMember.from_json(orjson.dumps({"userData": {"userIdentifiers": identifiers(person)}}).decode()) for person in PEOPLE
    ]
    account_ = sdk.ProductAccount(account_type="GOOGLE_ADS", account_id="123")
    destination = sdk.Destination(operating_account=account_, product_destination_id="8888")
    asked = {"destinations": [destination], "audience_members": members, "encoding": "HEX"}
    client = account.sdk()
    answer = await asyncio.to_thread(client.ingest_audience_members, sdk.IngestAudienceMembersRequest(**asked))
    status = await asyncio.to_thread(client.retrieve_request_status, sdk.RetrieveRequestStatusRequest(request_id=answer.request_id))
    assert status.request_status_per_destination[0].request_status.name == "SUCCESS"
    theirs = account.members()
    outcomes = await account.connector().deliver(batch(*PEOPLE, audience_id="9999"))
    assert [outcome.status for outcome in outcomes] == ["sent", "sent"]
    assert account.members("9999") == theirs
    await asyncio.to_thread(client.remove_audience_members, sdk.RemoveAudienceMembersRequest(**asked))
    assert account.members() == []


@pytest.mark.parametrize("address", [" Ada.Lovelace+x@Gmail.com", "a.b@googlemail.com", "A.B+c@Example.com\n", "ä@example.com"])
def test_addresses_are_made_alike_as_the_vendors_formatter_does(address: str) -> None:
    assert email(address) == Formatter().format_email_address(address)


def test_people_are_hashed_as_the_vendors_formatter_does() -> None:
    formatter = Formatter()
    (mail, phone), (_, address) = (identifiers(person) for person in PEOPLE)
    assert mail == {"emailAddress": formatter.process_email_address(PEOPLE[0]["email"], Encoding.HEX)}
    assert phone == {"phoneNumber": formatter.process_phone_number(PEOPLE[0]["phone"], Encoding.HEX)}
    assert address["address"] == {
        "givenName": formatter.process_given_name(" Wei ", Encoding.HEX),
        "familyName": formatter.process_family_name("O'Neil", Encoding.HEX),
        "regionCode": formatter.process_region_code("cn"),
        "postalCode": formatter.process_postal_code("100000"),
    }


def test_the_signed_jwt_equals_that_of_the_vendors_library() -> None:
    now = int(time.time())
    ours = assertion(read(SecretStr(SANDBOX)), SCOPE, now)
    claims = {"iat": now, "exp": now + 3600, "iss": KEY["client_email"], "aud": KEY["token_uri"], "scope": SCOPE}
    signer = google.auth.crypt.RSASigner.from_service_account_info(KEY)
    theirs = google.auth.jwt.encode(signer, claims, key_id=KEY["private_key_id"]).decode()
    assert google.auth.jwt.decode(ours, verify=False) == google.auth.jwt.decode(theirs, verify=False)
    assert google.auth.jwt.decode_header(ours) == google.auth.jwt.decode_header(theirs)


# -- members ------------------------------------------------------------------------------------------------------------


async def test_members_are_added_once_and_taken_off_again(account: Account) -> None:
    connector = account.connector()
    for _ in range(2):
        assert {outcome.status for outcome in await connector.deliver(batch(*PEOPLE))} == {"sent"}
    assert len(account.members()) == 2
    await connector.deliver(batch(PEOPLE[0], operation="remove", on_removed="nothing"))
    assert len(account.members()) == 2
    (outcome,) = await connector.deliver(batch(PEOPLE[0], operation="remove"))
    assert (outcome.status, len(account.members())) == ("sent", 1)
    assert len(account.sandbox.emulators["google_data_manager"].tokens) == 1  # type: ignore[attr-defined]


async def test_a_token_that_is_no_longer_good_is_replaced_once(account: Account) -> None:
    connector, tokens = account.connector(), account.sandbox.emulators["google_data_manager"].tokens  # type: ignore[attr-defined]
    await connector.deliver(batch(*PEOPLE))
    tokens.clear()
    assert {outcome.status for outcome in await connector.deliver(batch(*PEOPLE))} == {"sent"}


async def test_what_is_told_with_the_members_is_what_was_set() -> None:
    sent: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        sent.append(orjson.loads(request.content))
        return httpx.Response(200, json={})

    options = GoogleDataManager.Options(
        service_account_key=SANDBOX, account_id="1", login_account_id="2", accept_customer_match_terms=True, wait_seconds=0
    )
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        connector = GoogleDataManager(options, http, "https://proxy.example")
        for operation in ("add", "remove"):
            await connector.deliver(batch(PEOPLE[0], operation=operation, ad_user_data="CONSENT_GRANTED"))
    added, removed = sent
    assert added["consent"] == {"adUserData": "CONSENT_GRANTED"}
    assert added["termsOfService"] == {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
    assert added["destinations"][0]["loginAccount"] == {"accountType": "GOOGLE_ADS", "accountId": "2"}
    assert not {"consent", "termsOfService"} & removed.keys()


async def test_a_row_that_identifies_nobody_is_rejected_and_costs_the_others_nothing(account: Account) -> None:
    nobody = {"email": "not an address", "first_name": "Ada", "last_name": "Lovelace", "country": "GB"}
    outcomes = await account.connector().deliver(batch(nobody, PEOPLE[0]))
    assert [(outcome.status, outcome.code) for outcome in outcomes] == [("rejected", "NO_IDENTIFIER"), ("sent", "")]


@pytest.mark.parametrize(
    ("status", "came_of_it"),
    [("PROCESSING", ("sent", "PROCESSING")), ("FAILED", ("rejected", "FAILED")), ("PARTIAL_SUCCESS", ("rejected", "PARTIAL_SUCCESS"))],
)
async def test_what_becomes_of_a_request_is_asked_for(account: Account, status: str, came_of_it: tuple[str, str]) -> None:
    account.becomes(status)
    (outcome,) = await account.connector().deliver(batch(PEOPLE[0]))
    assert (outcome.status, outcome.code) == came_of_it
    assert outcome.provider_id in account.sandbox.emulators["google_data_manager"].requests  # type: ignore[attr-defined]


async def test_a_request_of_which_a_part_failed_is_split(account: Account) -> None:
    account.becomes("PARTIAL_SUCCESS")
    with pytest.raises(Refused, match="DENIED_CONSENT"):
        await account.connector().deliver(batch(*PEOPLE))


async def test_a_request_that_is_not_done_is_asked_for_again_until_the_time_is_up(account: Account) -> None:
    waited: list[float] = []

    class Patient(GoogleDataManager):
        async def wait(self, seconds: float) -> None:
            waited.append(seconds)
            emulator = account.sandbox.emulators["google_data_manager"]
            if sum(waited) >= 7:
                emulator.requests.update(dict.fromkeys(emulator.requests, "SUCCESS"))  # type: ignore[attr-defined]

    account.becomes("PROCESSING")
    options = GoogleDataManager.Options(service_account_key=SANDBOX, account_id="123", wait_seconds=10)
    (outcome,) = await Patient(options, account.http, account.address).deliver(batch(PEOPLE[0]))
    assert (outcome.status, outcome.code, waited) == ("sent", "", [1.0, 2.0, 4.0])


async def test_a_list_that_is_not_there_and_a_field_that_lists_do_not_have_stop_the_run(account: Account) -> None:
    with pytest.raises(Fatal, match="INVALID_USER_LIST_ID"):
        await account.connector().deliver(batch(*PEOPLE, audience_id="4041"))
    with pytest.raises(Fatal, match=r"UNKNOWN_FIELD.*`shoe_size`"):
        await account.connector().deliver(batch({"email": "a@b.c", "shoe_size": 44}))


@pytest.mark.parametrize("key", ["", "[]", "{}", orjson.dumps(KEY | {"private_key": "secret-of-somebody"}).decode()])
def test_a_key_that_is_none_is_refused_without_a_word_of_it(key: str) -> None:
    with pytest.raises(ValueError, match="is not the JSON key of a service account") as refused:
        GoogleDataManager.Options(service_account_key=key, account_id="1")
    assert "secret-of-somebody" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "error", "comes_of_it"),
    [
        (401, {"status": "UNAUTHENTICATED"}, Fatal),
        (403, {"status": "PERMISSION_DENIED", "details": [{"reason": "SERVICE_DISABLED"}]}, Fatal),
        (503, {"status": "UNAVAILABLE"}, Transient),
        (400, {"status": "INVALID_ARGUMENT", "details": [{"fieldViolations": [{"field": "audienceMembers[3].userData"}]}]}, Refused),
    ],
)
def test_errors_are_sorted_by_what_the_caller_must_do(status: int, error: dict[str, Any], comes_of_it: type[ConnectorError]) -> None:
    with pytest.raises(comes_of_it):
        content(httpx.Response(status, json={"error": {"message": "no", **error}}), 2)


def test_hashes_are_those_of_what_is_written_here() -> None:
    assert identifiers({"phone": "138 0013 8000"}) == [{"phoneNumber": hashlib.sha256(b"+8613800138000").hexdigest()}]
