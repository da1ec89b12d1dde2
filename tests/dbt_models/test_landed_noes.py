"""What was said after the last build, in real records through the real staging models: the gate hears every no, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sent_records import at, consent, contact, form, mail, sms, tencent_reply, twilio
from warehouse_house import House

from activation.engine.gate import landed
from activation.engine.models import Models
from activation.engine.warehouse import opened

BUILT, NOW = at("2026-06-20 00:00"), at("2026-06-30 00:00")
SELECT = ["+suppressions", "+profile_merges", "stg_crm__contacts"]
# Complaints and withdrawals as other vendors tell of them.
VENDORS: dict[str, dict[str, Any]] = {
    "ses-complaint": {"vendor": "ses", "event": "Complaint"},
    "mailgun-complaint": {"vendor": "mailgun", "event": "complained"},
    "mailgun-knows-of-a-complaint": {"vendor": "mailgun", "event": "failed", "severity": "permanent", "reason": "suppress-complaint"},
    "directmail-complaint": {"vendor": "aliyun_directmail", "event": "dm:Feedback:FblReport"},
    "ses-left": {"vendor": "ses", "event": "Subscription", "subscription": {"newTopicPreferences": {"unsubscribeAll": True}}},
    "mailgun-left": {"vendor": "mailgun", "event": "unsubscribed"},
    "directmail-left": {"vendor": "aliyun_directmail", "event": "dm:Feedback:Unsubscribe"},
}
COMPLAINED = {f"{name}@mail.example" for name in VENDORS if "complaint" in name}
LEFT = {f"{name}@mail.example" for name in VENDORS if "left" in name}
MAILS = [
    f"{name}@mail.example"
    for name in (
        "spam",
        "group",
        "opens",
        "early",
        "none",
        "crm",
        "crm-takes-back",
        "crm-new",
        "record",
        "never",
        "again",
        "sent-to",
        *VENDORS,
    )
]
PHONES = {name: f"+8613911110{number:03}" for number, name in enumerate(("stop", "td", "carrier", "reply", "start", "record"))}
SENT, OPENED = (f"m_{number:032x}" for number in (1, 2))
MARKETING = {"newsletter", "promotion"}


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House]) -> House:
    """People that a build knows, and what landed after it."""
    house = new_house()
    people = [form(email=address, form_id="demo-request") for address in MAILS if address != "crm-new@mail.example"]
    people += [form(phone=phone, form_id="demo-request") for phone in PHONES.values()]
    house.land(
        BUILT,
        [
            *people,
            mail("spamreport", "early@mail.example", "2026-06-10 10:00"),
            contact("c-1", email="crm@mail.example"),
            contact("c-2", "2026-06-01 10:00", email="crm-takes-back@mail.example", do_not_contact="true"),
            consent("email", "again@mail.example", "all", "all", "do_not_contact", "2026-06-01 10:00"),
        ],
    )
    house.build(BUILT, select=SELECT)
    house.execute(
        "insert into activation.sync_changelog by name select 'r1' as run_id, ? as row_number, 'email' as channel, ? as profile_id, ? as message_id",
        [(1, house.profile("sent-to@mail.example"), SENT), (2, house.profile("opens@mail.example"), OPENED)],
    )
    house.land(
        NOW,
        [
            mail("spamreport", "Spam@Mail.example ", "2026-06-25 10:00"),
            mail("group_unsubscribe", "group@mail.example", "2026-06-25 10:00"),
            *(
                ("mail/events.jsonl", {"event_id": name, "email": f"{name}@mail.example", "timestamp": "2026-06-25T10:00:00Z", **told})
                for name, told in VENDORS.items()
            ),
            mail("open", "opens@mail.example", "2026-06-25 10:00", OPENED),
            # the message says whose complaint it is, whatever address it is told of
            mail("spamreport", "forwarded@elsewhere.example", "2026-06-25 10:00", **{"smtp-id": f"<{SENT}@sluice.example>"}),
            twilio(PHONES["stop"], "2026-06-25 10:00", "received", Body="Stop."),
            tencent_reply(PHONES["td"], "2026-06-25 10:00", "退订"),
            twilio(PHONES["carrier"], "2026-06-25 10:00", "undelivered", ErrorCode="21610"),
            tencent_reply(PHONES["reply"], "2026-06-25 10:00", "don't stop"),
            twilio(PHONES["start"], "2026-06-25 10:00", "received", Body="START"),
            sms(PHONES["record"], "2026-06-25 18:00", "MOBILE_NOT_EXIST"),
            contact("c-1", "2026-06-25 10:00", email="crm@mail.example", do_not_contact="true"),
            contact("c-2", "2026-06-25 10:00", email="crm-takes-back@mail.example", do_not_contact="false"),
            contact("c-3", "2026-06-25 10:00", email="CRM-new@mail.example", do_not_contact="opted out"),
            consent("email", "Record@mail.example", "email", "newsletter", "unsubscribed", "2026-06-25 10:00"),
            consent("phone", "139 1111 0005", "all", "promotion", "withdrawn", "2026-06-25 10:00"),
            consent("email", "never@mail.example", "email", "all", "do_not_contact", "2026-06-25 10:00"),
            consent("email", "again@mail.example", "email", "all", "may_contact", "2026-06-25 10:00"),
            consent("email", "none@mail.example", "email", "newsletter", "granted", "2026-06-25 10:00"),
        ],
    )
    nodes = {
        key: {"name": node.name, "resource_type": str(node.resource_type), "schema": node.schema, "alias": node.alias, "columns": {}}
        for key, node in house.dbt.manifest.nodes.items()
        if str(node.resource_type) in {"model", "seed"}
    }
    house.project.manifest.write_text(json.dumps({"nodes": nodes}))
    return house


def heard(house: House, channel: str, contact_type: str, addresses: list[str]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Of a send to these addresses: purposes that were withdrawn, and reasons of suppression, by address."""
    people = {address: house.profile(address) or f"p_{address}" for address in addresses}
    plan = house.project.root / "plan.parquet"
    pq.write_table(
        pa.table({"row_number": list(range(len(people))), "profile_id": list(people.values()), "match_value": list(people)}), plan
    )
    activation: Any = SimpleNamespace(
        kind="send", channel=channel, send=SimpleNamespace(to=None), object=SimpleNamespace(contact=contact_type)
    )
    names = {person: address for address, person in people.items()}
    withdrawn: dict[str, set[str]] = {}
    blocked: dict[str, set[str]] = {}
    with opened(house.project) as connection:
        landed.note(connection, Models(house.project), activation, plan, NOW)
        for person, purpose, reason, scope in connection.execute(
            f"select profile_id, purpose, reason, scope from {landed.NOES}"
        ).fetchall():
            into, what = (withdrawn, purpose) if reason is None else (blocked, f"{reason} of {scope}")
            into.setdefault(names[person], set()).add(what)
    return withdrawn, blocked


def test_complaints_and_refusals_by_mail_are_heard_before_the_next_build(house: House) -> None:
    withdrawn, blocked = heard(house, "email", "email", MAILS)
    of_all = {address: {reason for reason in reasons if reason.startswith("complaint")} for address, reasons in blocked.items()}
    assert {address for address, reasons in of_all.items() if reasons == {"complaint of all"}} == {
        "spam@mail.example", "early@mail.example", "sent-to@mail.example", *COMPLAINED,
    }  # fmt: skip
    for address in ("spam@mail.example", "early@mail.example", "group@mail.example", "sent-to@mail.example", *COMPLAINED, *LEFT):
        assert withdrawn[address] == MARKETING, address
    for address in ("opens@mail.example", "none@mail.example"):
        assert address not in withdrawn, address
        assert address not in blocked, address


def test_what_a_crm_says_of_a_contact_is_heard_of_new_contacts_too(house: House) -> None:
    withdrawn, blocked = heard(house, "email", "email", MAILS)
    assert {address for address, reasons in blocked.items() if "do_not_contact of marketing" in reasons} == {
        "crm@mail.example", "crm-new@mail.example", "never@mail.example",
    }  # fmt: skip
    for address in ("crm@mail.example", "crm-new@mail.example"):
        assert withdrawn[address] == {*MARKETING, "sales_contact"}
    assert "crm-takes-back@mail.example" not in withdrawn


def test_a_record_about_an_address_is_heard_and_one_that_takes_it_back_later(house: House) -> None:
    withdrawn, blocked = heard(house, "email", "email", MAILS)
    assert withdrawn["record@mail.example"] == {"newsletter"}
    assert blocked["never@mail.example"] == {"do_not_contact of marketing"}
    assert "again@mail.example" not in blocked
    _, by_sms = heard(house, "sms", "phone", MAILS)
    assert by_sms["again@mail.example"] == {"do_not_contact of marketing"}


def test_answers_to_text_messages_are_heard_before_the_next_build(house: House) -> None:
    withdrawn, blocked = heard(house, "sms", "phone", list(PHONES.values()))
    names = {phone: name for name, phone in PHONES.items()}
    assert {names[phone]: purposes for phone, purposes in withdrawn.items()} == {
        "stop": MARKETING,
        "td": MARKETING,
        "carrier": MARKETING,
        "record": {"promotion"},
    }
    assert blocked == {}


def test_after_the_build_the_gate_hears_no_more_than_the_state_says(house: House) -> None:
    before = heard(house, "email", "email", MAILS)
    house.build(NOW, select=SELECT)
    after = heard(house, "email", "email", MAILS)
    assert after == before
    said = house.rows(
        "select i.identifier, s.reason || ' of ' || s.scope from marts.suppressions s join identity.bridge_profile_identifiers i using (profile_id) "
        "where s.channel = 'email' and i.identifier_type = 'email' and s.reason in ('complaint', 'do_not_contact')"
    )
    assert {address: {what for one, what in said if one == address} for address, _ in said} == after[1]
    withdrawn = house.rows(
        "select i.identifier, s.purpose from marts.consent_state s join identity.bridge_profile_identifiers i using (profile_id) "
        "where s.channel = 'email' and i.identifier_type = 'email' and s.status = 'withdrawn'"
    )
    assert {address: {what for one, what in withdrawn if one == address} for address, _ in withdrawn} == after[0]
