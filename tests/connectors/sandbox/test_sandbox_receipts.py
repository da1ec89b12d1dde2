from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from hubspot.utils.signature import Signature
from sendgrid.helpers.eventwebhook import EventWebhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.base import Callback, SecretStr
from connectors.crm.hubspot import HubSpot
from connectors.email.sendgrid import SendGrid
from connectors.sandbox import Sandbox, build, fate

NOW = datetime(2026, 10, 31, 3, 0, tzinfo=UTC)
PUBLIC_KEY = SendGrid.Options.model_fields["verification_key"].json_schema_extra["sandbox"]
SECRET = "sandbox-hubspot-client-secret"


class Collector:
    """Takes what the sandbox posts, and can be told to be unwell."""

    def __init__(self) -> None:
        self.seen: list[tuple[Request, bytes]] = []
        self.status = HTTPStatus.OK
        self.address = ""

    async def take(self, request: Request) -> Response:
        self.seen.append((request, await request.body()))
        return Response(status_code=self.status)

    def events(self, destination: str) -> list[dict[str, Any]]:
        return [event for request, body in self.seen if request.url.path == f"/hooks/{destination}" for event in orjson.loads(body)]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    app = Starlette(routes=[Route("/hooks/{destination}", collector.take, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    collector.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield collector
    server.should_exit = True
    await task


def keep_mails(sandbox: Sandbox, count: int) -> None:
    for number in range(count):
        content = {"subject": "s", "text": "t", "html": '<a href="https://shop.example/a">x</a>', "smtp_id": f"<m_{number}@s.example>"}
        sandbox.keep("smtp", "message", f"p{number}@x.example", {**content, "unique_args": {"message_id": f"m_{number}"}})


def as_callback(request: Request, body: bytes) -> Callback:
    return Callback("POST", str(request.url), dict(request.query_params), dict(request.headers), body, datetime.now(UTC))


async def test_mail_events_are_signed_so_that_the_vendors_library_believes_them(collector: Collector) -> None:
    sandbox = build(receipts_to=collector.address)
    keep_mails(sandbox, 3)
    answer = await sandbox.send_receipts()
    [(request, body)] = collector.seen
    signature, timestamp = (request.headers[f"x-twilio-email-event-webhook-{name}"] for name in ("signature", "timestamp"))
    assert EventWebhook(PUBLIC_KEY).verify_signature(body.decode(), signature, timestamp)
    assert not EventWebhook(PUBLIC_KEY).verify_signature(body.decode().strip(), signature, timestamp)
    received = SendGrid(SendGrid.Options(verification_key=PUBLIC_KEY)).receive(as_callback(request, body))
    assert received.source == "mail_events"
    assert answer == {"sent": {**answer["sent"], "sendgrid": len(received.events)}, "pending": {**answer["pending"], "sendgrid": 0}}
    assert {(event["smtp-id"], event["message_id"]) for event in received.events} == {(f"<m_{n}@s.example>", f"m_{n}") for n in range(3)}


async def test_what_recipients_do_is_always_the_same_and_believable(collector: Collector) -> None:
    rounds = []
    for _ in range(2):
        collector.seen.clear()
        sandbox = build(receipts_to=collector.address)
        keep_mails(sandbox, 2000)
        await sandbox.send_receipts(NOW)
        rounds.append([(event["event"], event["email"]) for event in collector.events("sendgrid")])
    assert rounds[0] == rounds[1]
    counts = {kind: sum(event == kind for event, _ in rounds[0]) for kind, _ in rounds[0]}
    assert counts["processed"] == 2000
    assert counts["processed"] == counts["delivered"] + counts["bounce"]
    assert 50 <= counts["bounce"] <= 110
    assert 550 <= counts["open"] <= 800
    assert 130 <= counts["click"] <= 260
    assert 5 <= counts["unsubscribe"] <= 40
    bounces = {event["type"] for event in collector.events("sendgrid") if event["event"] == "bounce"}
    assert bounces == {"bounce", "blocked"}


async def test_demo_time_is_when_it_happened_and_the_signature_is_of_today(collector: Collector) -> None:
    sandbox = build(receipts_to=collector.address)
    keep_mails(sandbox, 50)
    await sandbox.send_receipts(NOW)
    times = [event["timestamp"] for event in collector.events("sendgrid")]
    assert int((NOW - timedelta(hours=1)).timestamp()) <= min(times) <= max(times) <= int(NOW.timestamp())
    signed = int(collector.seen[0][0].headers["x-twilio-email-event-webhook-timestamp"])
    assert abs(signed - time.time()) < 60


async def test_without_demo_time_nothing_happened_before_the_mail_or_after_the_present(collector: Collector) -> None:
    sandbox = build(receipts_to=collector.address)
    before = int(time.time())
    keep_mails(sandbox, 50)
    await sandbox.send_receipts()
    assert all(before <= event["timestamp"] <= time.time() for event in collector.events("sendgrid"))


async def test_receipts_are_sent_once_and_again_only_if_they_were_not_taken(collector: Collector, tmp_path: Path) -> None:
    sandbox = build(tmp_path, receipts_to=collector.address)
    keep_mails(sandbox, 3)
    collector.status = HTTPStatus.SERVICE_UNAVAILABLE
    assert (await sandbox.send_receipts())["pending"]["sendgrid"] == 3
    missed = {event["sg_event_id"] for event in collector.events("sendgrid")}
    collector.seen.clear()
    collector.status = HTTPStatus.OK
    assert (await sandbox.send_receipts())["pending"]["sendgrid"] == 0
    assert {event["sg_event_id"] for event in collector.events("sendgrid")} == missed
    sandbox.journal.close()
    restarted = build(tmp_path, receipts_to=collector.address)
    assert (await restarted.send_receipts())["sent"]["sendgrid"] == 0
    restarted.journal.close()


async def test_nobody_listening_keeps_receipts_pending(unused_tcp_port: int) -> None:
    sandbox = build(receipts_to=f"http://127.0.0.1:{unused_tcp_port}")
    keep_mails(sandbox, 3)
    assert (await sandbox.send_receipts())["pending"]["sendgrid"] == 3


async def test_hubspot_changes_are_signed_as_the_vendors_library_signs(collector: Collector) -> None:
    sandbox = build(receipts_to=collector.address)
    for number in range(200):
        email = f"p{number}@x.example"
        content = {"id": str(number + 1), "properties": {"email": email}, "id_property": "email", "id_value": email}
        sandbox.keep("hubspot", "created", email, content)
    await sandbox.send_receipts(NOW)
    request, body = next((request, body) for request, body in collector.seen if request.url.path == "/hooks/hubspot")
    signature, timestamp = request.headers["x-hubspot-signature-v3"], request.headers["x-hubspot-request-timestamp"]
    assert Signature.is_valid(signature, SECRET, body.decode(), str(request.url), "POST", "v3", timestamp)
    connector = HubSpot(HubSpot.Options(token=SecretStr("x"), client_secret=SecretStr(SECRET)))
    assert connector.receive(as_callback(request, body)).events
    changes = collector.events("hubspot")
    assert 3 <= len(changes) <= 30
    assert {"contact.propertyChange"} <= {change["subscriptionType"] for change in changes}


async def test_receipts_can_be_asked_for_over_http(collector: Collector, http: httpx.AsyncClient) -> None:
    sandbox = build(receipts_to=collector.address)
    async with sandbox.serve("127.0.0.1", 0, 0) as addresses:
        keep_mails(sandbox, 1)
        url = f"{addresses.http}/_sandbox/receipts"
        assert (await http.post(url, content=b"tomorrow")).status_code == 400
        assert (await http.post(url, json={"now": "tomorrow"})).status_code == 400
        answer = (await http.post(url, json={"now": "2026-10-31T03:00:00Z"})).json()
        assert answer["sent"]["sendgrid"] == len(collector.events("sendgrid")) > 0
        assert (await http.post(url)).json()["sent"]["sendgrid"] == 0


async def test_receipts_can_leave_by_themselves(collector: Collector) -> None:
    sandbox = build(receipts_to=collector.address, receipts_every=0.02)
    async with sandbox.serve("127.0.0.1", 0, 0):
        keep_mails(sandbox, 1)
        async with asyncio.timeout(120):
            while not collector.events("sendgrid"):
                await asyncio.sleep(0.01)


def test_a_fate_is_a_number_that_never_changes() -> None:
    assert fate("A@x.example ") == fate("a@x.example")
    assert fate("a@x.example", "opens") != fate("a@x.example", "clicks")
    assert 0.45 < sum(fate(f"p{number}") for number in range(2000)) / 2000 < 0.55
