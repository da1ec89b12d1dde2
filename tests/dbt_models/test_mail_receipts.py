"""What became of mails, told by four vendors in four shapes: in the warehouse it is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from sent_records import at
from warehouse_house import House, Record

import connectors
from connectors.base import Batch, Row
from connectors.base import Callback as Post
from connectors.sandbox import Pending, build
from connectors.sandbox._recipients import acts
from connectors.sandbox.emulator import Kept
from connectors.sandbox.ses import TOPIC

NOW = at("2026-06-30 00:00")
SENDER = "News <news@sluice.example>"
VENDORS: dict[str, dict[str, Any]] = {
    "sendgrid": {},
    "ses": {"topic_arn": TOPIC},
    "mailgun": {"domain": "sluice.example"},
    "aliyun_directmail": {},
}
HTML = '<p>你好 🎉 <a href="https://www.sluice.example/offer">看看</a></p>'
# What the acts of recipients are in our vocabulary, wherever the vendor tells of them.
MEANINGS = {
    "gone": ("bounced", "hard"), "full": ("bounced", "soft"), "delivered": ("delivered", None), "opened": ("opened", None),
    "clicked": ("clicked", None), "left": ("unsubscribed", None), "complained": ("complained", None),
}  # fmt: skip


def people() -> dict[str, set[str]]:
    """Recipients and what they do, so that everything that can happen is done by two of them at least."""
    found: dict[str, set[str]] = {}
    wanted = dict.fromkeys(MEANINGS, 2)
    for number in range(20_000):
        address = f"u{number}@mail.example"
        kept = Kept(number, "", "message", address, NOW, {"html": HTML})
        does = {act.kind for act in acts(Pending(kept, NOW, NOW))} & set(MEANINGS)
        if any(wanted[kind] > 0 for kind in does):
            found[address] = does
            for kind in does:
                wanted[kind] -= 1
    assert max(wanted.values()) <= 0
    return found


PEOPLE = people()


def message_id(vendor: str, number: int) -> str:
    return f"m_{sorted(VENDORS).index(vendor):016x}{number:016x}"


async def told(vendor: str) -> tuple[list[Record], dict[str, str | None]]:
    """Mails to all of them by this vendor's connector, what the vendor posts of them, and the ids that it gave the mails."""
    connector_class = connectors.find(vendor)
    options = {"sender": SENDER, **VENDORS[vendor]}
    for name, info in connector_class.Options.model_fields.items():
        if isinstance(info.json_schema_extra, dict) and "sandbox" in info.json_schema_extra:
            options[name] = info.json_schema_extra["sandbox"]
    rows = [
        Row(number, address, orjson.dumps({"to": address, "subject": "你好", "html": HTML}), None, message_id(vendor, number))
        for number, address in enumerate(PEOPLE)
    ]
    ids: dict[str, str | None] = {}
    records: list[Record] = []
    sandbox = build()
    async with sandbox.serve("127.0.0.1", 0, 0) as addresses, httpx.AsyncClient(trust_env=False) as http:
        connector = connector_class(connector_class.Options.model_validate(options), http, addresses.http)
        for row in rows:
            [outcome] = await connector.deliver(Batch("messages", "add", [row], "r1", row.index))
            assert outcome.status == "sent"
            ids[str(row.message_id)] = outcome.provider_id
        emulator = sandbox.emulators[vendor]
        pending = [Pending(kept, NOW - timedelta(hours=3), NOW) for kept in sandbox.journal.kept]
        for post in emulator.receipts(pending, "http://127.0.0.1/hooks/mail"):
            received = connector.receive(
                Post("POST", "http://127.0.0.1/hooks/mail", post.query, post.headers, post.body, datetime.now(UTC))
            )
            records += [("mail/events.jsonl", dict(event)) for event in received.events]
    return records, ids


@pytest.fixture(scope="module")
def delivered() -> dict[str, tuple[list[Record], dict[str, str | None]]]:
    return {vendor: asyncio.run(told(vendor)) for vendor in VENDORS}


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House], delivered: dict[str, tuple[list[Record], dict[str, str | None]]]) -> House:
    house = new_house()
    records = [record for told, _ in delivered.values() for record in told]
    # Vendors repeat what was not answered in time; whatever order it comes in, it counts once.
    report = house.land(NOW, [*reversed(records), *records[::3]])
    assert report.landed == len(records)
    house.build(NOW, select=["+int_message_receipts"])
    return house


@pytest.mark.parametrize("vendor", list(VENDORS))
def test_whoever_brought_the_mail_the_same_is_known_of_it(house: House, vendor: str) -> None:
    known: dict[str, set[tuple[str, str | None]]] = {}
    for number, address in enumerate(PEOPLE):
        rows = house.rows(
            "select event_type, bounce_type, identifier from marts.int_message_receipts where message_id = ?", message_id(vendor, number)
        )
        assert {identifier for *_, identifier in rows} == {address}
        known[address] = {(kind, bounce) for kind, bounce, _ in rows if kind != "accepted"}
    assert known == {address: {MEANINGS[kind] for kind in does} for address, does in PEOPLE.items()}


@pytest.mark.parametrize("vendor", ["ses", "mailgun", "aliyun_directmail"])
def test_its_receipts_also_name_the_mail_as_the_vendor_did_when_it_took_it(
    house: House, delivered: dict[str, tuple[list[Record], dict[str, str | None]]], vendor: str
) -> None:
    for ours, theirs in delivered[vendor][1].items():
        assert set(house.column("select provider_id from marts.int_message_receipts where message_id = ?", ours)) == {theirs}


def test_clicks_keep_their_link_and_everything_its_time(house: House) -> None:
    clicks = house.rows("select distinct url, user_agent like 'Mozilla%' from marts.int_message_receipts where event_type = 'clicked'")
    assert clicks == [("https://www.sluice.example/offer", True)]
    ((first, last),) = house.rows("select min(occurred_at), max(occurred_at) from marts.int_message_receipts")
    assert NOW - timedelta(hours=3) <= first.replace(tzinfo=UTC) <= last.replace(tzinfo=UTC) <= NOW


# As the vendors' documentation has them, where the sandbox has nothing of the kind.
WORDS = [
    ({"vendor": "ses", "event": "Bounce", "bounce": {"bounceType": "Transient"}, "status": "5.3.0"}, "bounced", "soft"),
    ({"vendor": "ses", "event": "Bounce", "bounce": {"bounceType": "Undetermined"}}, "bounced", "soft"),
    ({"vendor": "ses", "event": "Bounce", "bounce": {"bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList"}}, "bounced", "hard"),
    ({"vendor": "ses", "event": "DeliveryDelay"}, "deferred", None),
    ({"vendor": "ses", "event": "Rendering Failure"}, "failed", None),
    ({"vendor": "ses", "event": "Reject"}, "failed", None),
    ({"vendor": "ses", "event": "Subscription", "subscription": {"newTopicPreferences": {"unsubscribeAll": True}}}, "unsubscribed", None),
    ({"vendor": "ses", "event": "Subscription", "subscription": {"newTopicPreferences": {"unsubscribeAll": False}}}, "other", None),
    ({"vendor": "mailgun", "event": "failed", "severity": "temporary", "reason": "generic", "delivery-status": {"code": 451}}, "deferred", None),
    ({"vendor": "mailgun", "event": "failed", "severity": "permanent", "reason": "suppress-bounce", "delivery-status": {"code": 605}}, "bounced", "hard"),
    ({"vendor": "mailgun", "event": "failed", "severity": "permanent", "reason": "suppress-unsubscribe"}, "unsubscribed", None),
    ({"vendor": "mailgun", "event": "failed", "severity": "permanent", "reason": "suppress-complaint"}, "complained", None),
    ({"vendor": "mailgun", "event": "failed", "severity": "permanent", "reason": "espblock", "delivery-status": {"code": 550}}, "bounced", "soft"),
    ({"vendor": "aliyun_directmail", "event": "dm:Feedback:Subscribe"}, "resubscribed", None),
    ({"vendor": "aliyun_directmail", "event": "dm:Deliver:Fail", "data": {"failed_type": "SendFailed", "err_code": "554"}}, "bounced", "soft"),
]  # fmt: skip


def test_words_that_vendors_have_besides(new_house: Callable[[], House]) -> None:
    house = new_house()
    house.land(NOW, [("mail/events.jsonl", {"event_id": f"e{number:02}", **told}) for number, (told, *_) in enumerate(WORDS)])
    house.build(NOW, select=["+int_message_receipts"])
    known = house.rows("select event_type, bounce_type from marts.int_message_receipts order by right(receipt_id, 3)")
    assert known == [(kind, bounce) for _, kind, bounce in WORDS]
