"""Amazon SES: signatures and requests are botocore's, every status is sorted, and only envelopes that SNS signed for our topic are believed."""

from __future__ import annotations

import asyncio
import datetime as dt
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.session import Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_rows import mail, templated
from specimens import ses as specimen

from connectors._sigv4 import Signer
from connectors.base import BadSignature, Batch, Callback, ConnectorError, Fatal, Outcome, Refused, Row, SecretStr, Transient, Unanswered
from connectors.email.ses import Ses
from connectors.sandbox import Fault, Pending, Sandbox
from connectors.sandbox.ses import CERTIFICATE, P, Q

KEYS = {"access_key_id": "AKIASANDBOXSLUICE000", "secret_access_key": "sandbox-secret-access-key"}
PUBLIC_KEY = Ses.Options.model_fields["public_key"].json_schema_extra["sandbox"]
NOW = datetime(2026, 10, 31, 2, tzinfo=UTC)


def batch(*rows: dict[str, Any], kind: str = "messages", operation: Any = "add") -> Batch:
    made = [Row(n, f"k{n}", orjson.dumps(fields), None, f"m_{n:032x}") for n, fields in enumerate(rows or (mail(0),))]
    return Batch(kind, operation, made, "r1", 1)


def connector(address: str = "", http: httpx.AsyncClient | None = None, **options: Any) -> Ses:
    return Ses(Ses.Options(**{**KEYS, "public_key": PUBLIC_KEY, **specimen.OPTIONS, **options}), http, address)


def sdk(address: str, **keys: str) -> Any:
    given = KEYS | keys
    return Session().create_client(
        "sesv2",
        region_name="us-east-1",
        endpoint_url=address,
        aws_access_key_id=given["access_key_id"],
        aws_secret_access_key=given["secret_access_key"],
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


async def result(what: Batch, answer: httpx.Response) -> list[Outcome] | ConnectorError:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer)) as client:
        try:
            return await connector("http://127.0.0.1:9", client).deliver(what)
        except ConnectorError as error:
            return error


# -- the signature --------------------------------------------------------------------------------------------------------


@settings(deadline=None, database=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20),
    st.binary(max_size=50),
    st.none() | st.just("token"),
)
def test_the_signature_equals_botocores(address: str, body: bytes, token: str | None) -> None:
    url = f"https://email.eu-west-1.amazonaws.com/v2/email/suppression/addresses/a{quote(address, safe='')}"
    request = AWSRequest("PUT", url, {"content-type": "application/json"}, body)
    signer = SigV4Auth(Credentials("id", "secret", token), "ses", "eu-west-1")
    request.context["timestamp"] = "20261031T020000Z"
    request.headers["X-Amz-Date"] = "20261031T020000Z"
    if token:
        request.headers["X-Amz-Security-Token"] = token
    theirs = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    signing = Signer("ses", "eu-west-1", "id", SecretStr("secret"), SecretStr(token) if token else None)
    ours = signing.signed("PUT", url, {"content-type": "application/json"}, body, NOW)
    assert ours["authorization"].endswith(f"Signature={theirs}")


# -- the SDK at our sandbox -----------------------------------------------------------------------------------------------


async def test_the_sdk_and_our_connector_say_the_same_to_the_sandbox(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    row, client = mail(0), sdk(sandbox.addresses.http)
    sender, to = "=?utf-8?b?U2x1aWNlIOawtOmXuA==?= <news@sender.example>", "=?utf-8?b?5p2O6Zu3?= <person0@example.com>"
    tags = [{"Name": "message_id", "Value": f"m_{0:032x}"}]
    headers = [
        {"Name": "List-Unsubscribe", "Value": "<https://x.example/u/0>"},
        {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
    ]
    body = {name: {"Data": row[name.lower()], "Charset": "UTF-8"} for name in ("Text", "Html")}
    content = {"Simple": {"Subject": {"Data": row["subject"], "Charset": "UTF-8"}, "Body": body, "Headers": headers}}
    await asyncio.to_thread(client.send_email, FromEmailAddress=sender, Destination={"ToAddresses": [to]}, Content=content, EmailTags=tags)
    entry = {
        "Destination": {"ToAddresses": [to]},
        "ReplacementTags": tags,
        "ReplacementHeaders": headers,
        "ReplacementEmailContent": {
            "ReplacementTemplate": {"ReplacementTemplateData": orjson.dumps({"subject": row["subject"], "city": ""}).decode()}
        },
    }
    default = {"Template": {"TemplateName": "autumn", "TemplateData": "{}"}}
    answer = await asyncio.to_thread(client.send_bulk_email, FromEmailAddress=sender, DefaultContent=default, BulkEmailEntries=[entry])
    assert answer["BulkEmailEntryResults"][0]["Status"] == "SUCCESS"
    ours = connector(sandbox.addresses.http, http)
    [one] = await ours.deliver(batch(row))
    [two] = await ours.deliver(batch(templated(0, "autumn"), kind="batch_messages"))
    taken = [{**kept.content, "message_id": ""} for kept in sandbox.journal.kept]
    assert taken[:2] == taken[2:]
    assert [one.provider_id, two.provider_id] == [kept.content["message_id"] for kept in sandbox.journal.kept[2:]]


async def test_the_sdk_reads_the_sandboxs_refusals_and_its_suppression_list(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    client, ours = sdk(sandbox.addresses.http), connector(sandbox.addresses.http, http)
    address = "a+b/c@example.com"
    assert [o.status for o in await ours.deliver(batch({"email": address, "reason": "complaint"}, kind="suppressions"))] == ["sent"]
    found = await asyncio.to_thread(client.get_suppressed_destination, EmailAddress=address)
    assert found["SuppressedDestination"]["Reason"] == "COMPLAINT"
    for _ in range(2):  # gone is what was asked for, however often
        assert [o.status for o in await ours.deliver(batch({"email": address}, kind="suppressions", operation="remove"))] == ["sent"]
    with pytest.raises(client.exceptions.NotFoundException):
        await asyncio.to_thread(client.get_suppressed_destination, EmailAddress=address)
    for wrong, code in (({"secret_access_key": "x"}, "InvalidSignatureException"), ({"access_key_id": "y"}, "UnrecognizedClientException")):
        with pytest.raises(ClientError) as theirs:
            await asyncio.to_thread(sdk(sandbox.addresses.http, **wrong).get_account)
        assert theirs.value.response["Error"]["Code"] == code
        with pytest.raises(Fatal) as fatal:
            await connector(sandbox.addresses.http, http, **wrong).deliver(batch())
        assert fatal.value.code == code
        assert "person0" not in str(fatal.value)


# -- answers --------------------------------------------------------------------------------------------------------------


def refusal(status: int, name: str, message: str = "no") -> httpx.Response:
    return httpx.Response(status, headers={"x-amzn-errortype": f"{name}:http://internal"}, content=orjson.dumps({"message": message}))


@pytest.mark.parametrize(
    ("answer", "becomes"),
    [
        (refusal(400, "MessageRejected", "Email to 李雷 <person0@example.com> was rejected"), "rejected"),
        (refusal(400, "BadRequestException", "Illegal address"), "rejected"),
        (refusal(400, "MessageRejected", "Email address is not verified."), Fatal),
        (refusal(400, "AccountSuspendedException"), Fatal),
        (refusal(400, "SendingPausedException"), Fatal),
        (refusal(400, "MailFromDomainNotVerifiedException"), Fatal),
        (refusal(404, "NotFoundException"), Fatal),
        (refusal(403, "AccessDeniedException"), Fatal),
        (refusal(403, "ExpiredTokenException"), Fatal),
        (refusal(429, "TooManyRequestsException"), Transient),
        (refusal(400, "LimitExceededException"), Transient),
        (refusal(500, "InternalServiceErrorException"), Unanswered),
        (httpx.Response(200, content=b"[]"), Unanswered),
    ],
)
async def test_answers_are_sorted_by_what_the_caller_must_do(answer: httpx.Response, becomes: Any) -> None:
    outcome = await result(batch(), answer)
    if isinstance(becomes, str):
        assert isinstance(outcome, list)
        assert outcome[0].status == becomes
        assert not [word for word in ("person0", "李雷") if word in outcome[0].reason]
    else:
        assert type(outcome) is becomes


def entries(*statuses: str) -> httpx.Response:
    return httpx.Response(200, content=orjson.dumps({"BulkEmailEntryResults": [{"Status": status, "Error": "x"} for status in statuses]}))


async def test_each_entry_of_a_bulk_send_has_its_own_outcome() -> None:
    statuses = ("SUCCESS", "MESSAGE_REJECTED", "TRANSIENT_FAILURE", "FAILED", "TEMPLATE_NOT_FOUND")
    outcomes = await result(batch(*[templated(n, "autumn") for n in range(5)], kind="batch_messages"), entries(*statuses))
    assert isinstance(outcomes, list)
    assert [outcome.status for outcome in outcomes] == ["sent", "rejected", "skipped", "rejected", "skipped"]


@pytest.mark.parametrize(
    ("answer", "becomes"),
    [
        (entries("ACCOUNT_THROTTLED", "ACCOUNT_THROTTLED"), Transient),
        (entries("ACCOUNT_DAILY_QUOTA_EXCEEDED", "ACCOUNT_THROTTLED"), Transient),
        (entries("TEMPLATE_NOT_FOUND", "TEMPLATE_NOT_FOUND"), Fatal),
        (entries("SUCCESS"), Unanswered),
        (refusal(400, "BadRequestException"), Refused),
    ],
)
async def test_a_bulk_send_of_which_nothing_was_taken_is_trouble_of_the_request(answer: httpx.Response, becomes: Any) -> None:
    assert type(await result(batch(templated(0, "autumn"), templated(1, "autumn"), kind="batch_messages"), answer)) is becomes


async def test_a_template_that_is_not_there_stops_the_run(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    with pytest.raises(Fatal) as caught:
        await connector(sandbox.addresses.http, http).deliver(batch(templated(0, "missing-one"), kind="batch_messages"))
    assert caught.value.code == "TEMPLATE_NOT_FOUND"
    sandbox.faults.add(Fault(vendor="ses", kind="partial", code="ACCOUNT_SENDING_PAUSED"))
    with pytest.raises(Fatal):
        await connector(sandbox.addresses.http, http).deliver(batch(templated(0, "autumn"), kind="batch_messages"))


# -- events ---------------------------------------------------------------------------------------------------------------


async def test_the_events_of_a_mail_carry_its_message_id_and_the_providers(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    sender = connector(sandbox.addresses.http, http)
    [outcome] = await sender.deliver(batch())
    now = datetime.now(UTC)
    posts = list(sandbox.emulators["ses"].receipts([Pending(sandbox.journal.kept[0], now - timedelta(hours=1), now)], ""))
    assert len(posts) >= 2
    for post in posts:
        [event] = sender.receive(Callback("POST", "", {}, post.headers, post.body, now)).events
        assert event["mail"]["tags"]["message_id"] == [f"m_{0:032x}"]
        assert event["mail"]["messageId"] == outcome.provider_id
        assert (event["vendor"], event["email"]) == ("ses", "person0@example.com")


def test_an_event_about_several_recipients_lands_once_for_each() -> None:
    bounced = [{"emailAddress": f"p{n}@x.example", "status": f"5.1.{n}"} for n in (1, 2)]
    event = {"notificationType": "Bounce", "bounce": {"bouncedRecipients": bounced, "timestamp": "2026-10-31T01:00:00Z"}, "mail": {}}
    events = connector().receive(specimen.callback(NOW, event)).events
    assert [(one["event_id"], one["email"], one["status"]) for one in events] == [
        ("a-b-c.0", "p1@x.example", "5.1.1"),
        ("a-b-c.1", "p2@x.example", "5.1.2"),
    ]


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_of_the_signature_are_believed(version: str) -> None:
    assert connector().receive(specimen.callback(NOW, version=version, Subject="Amazon SES Email Event Notification")).events


def test_what_else_is_published_to_the_topic_is_no_event() -> None:
    assert connector().receive(specimen.callback(NOW, "Successfully validated SNS topic for Amazon SES event publishing.")).events == []


def test_a_subscription_is_confirmed_at_an_address_of_sns_and_nowhere_else() -> None:
    right = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn&Token=233"
    for address, believed in (
        (right, True),
        ("https://sns.us-east-1.amazonaws.com.evil.example/?Action=ConfirmSubscription&Token=1", False),
    ):
        post = specimen.callback(NOW, "You have chosen", Type="SubscriptionConfirmation", Token="233", SubscribeURL=address)
        if believed:
            received = connector().receive(post)
            assert (received.events, received.visit) == ([], right)
        else:
            with pytest.raises(BadSignature):
                connector().receive(post)


def test_without_a_topic_no_envelope_is_believed() -> None:
    with pytest.raises(BadSignature):
        connector(topic_arn=None).receive(specimen.callback(NOW))


def certificate() -> bytes:
    """What SNS would have at the address that the sandbox's envelopes name."""
    d = pow(65537, -1, (P - 1) * (Q - 1))
    public = rsa.RSAPublicNumbers(65537, P * Q)
    key = rsa.RSAPrivateNumbers(P, Q, d, d % (P - 1), d % (Q - 1), pow(Q, -1, P), public).private_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begin = dt.datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=365))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_a_certificate_is_asked_for_once_and_only_at_an_address_of_sns() -> None:
    receiver, post = connector(public_key=None), specimen.callback(NOW)
    with pytest.raises(BadSignature, match="not at hand"):
        receiver.receive(post)
    assert receiver.wants(post) == CERTIFICATE
    for forged in specimen.forgeries(NOW).values():
        assert receiver.wants(forged) in (None, CERTIFICATE)
    receiver.learn(CERTIFICATE, certificate())
    assert receiver.wants(post) is None
    assert receiver.receive(post).events
    with pytest.raises(ValueError, match="base64"):
        receiver.learn(CERTIFICATE, b"<html>")
