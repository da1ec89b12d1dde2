"""What holds about a person now: consent, suppression, messages, lifecycle; from what landed, up to a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sent_records import (
    at,
    consent,
    contact,
    crm_change,
    form,
    identify,
    mail,
    opportunity,
    order,
    page,
    sms,
    tencent_reply,
    tencent_sms,
    tracking,
    twilio,
    wechat,
)
from warehouse_house import House, Record

NOW = at("2026-06-30 00:00")
MESSAGE = "m_{:032x}".format
TO_CONFIRM = {"granted": True, "purposes": ["newsletter"], "channels": ["email"], "wording": "I agree", "double_opt_in": True}


def _people(*names: str) -> list[Record]:
    return [form(email=f"{name}@mail.example", form_id="demo-request") for name in names]


RECORDS: list[Record] = [
    # consent
    consent("email", "asked@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00"),
    consent("email", "back@mail.example", "email", "newsletter", "withdrawn", "2026-06-01 10:00"),
    consent("email", "back@mail.example", "email", "newsletter", "granted", "2026-06-02 10:00"),
    consent("email", "tie@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00"),
    consent("email", "tie@mail.example", "email", "newsletter", "withdrawn", "2026-06-01 10:00"),
    consent("phone", "13911110000", "all", "all", "withdrawn", "2026-06-01 10:00"),
    form(
        email="ticked@mail.example",
        phone="13911110009",
        consent={"granted": True, "purposes": ["newsletter", "promotion"], "channels": ["email", "sms"], "wording": "I agree"},
    ),
    consent("email", "unticked@mail.example", "email", "newsletter", "granted", "2026-06-01 09:00"),
    form(
        email="unticked@mail.example", consent={"granted": False, "purposes": ["newsletter"], "channels": ["email"], "wording": "I agree"}
    ),
    consent("email", "oneclick@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00"),
    consent("email", "oneclick@mail.example", "email", "promotion", "granted", "2026-06-01 10:00"),
    tracking("unsubscribe", MESSAGE(1), "2026-06-05 10:00", purpose="newsletter"),
    # chosen in the preference centre, which knows the message and not the person
    consent("message_id", MESSAGE(3), "sms", "promotion", "granted", "2026-06-06 10:00"),
    consent("message_id", MESSAGE(3), "wechat", "newsletter", "withdrawn", "2026-06-06 10:00"),
    consent("message_id", MESSAGE(99), "email", "newsletter", "granted", "2026-06-06 10:00"),
    consent("email", "global@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00"),
    mail("unsubscribe", "global@mail.example", "2026-06-05 10:00"),
    # double opt-in: what a form asks for holds once it is confirmed from the address
    form("2026-06-01 10:00", email="asks@mail.example", consent=TO_CONFIRM),
    form("2026-06-01 10:00", email="confirms@mail.example", consent=TO_CONFIRM),
    form("2026-06-01 11:00", email="confirms@mail.example", consent={**TO_CONFIRM, "topic": "events"}),
    consent("message_id", MESSAGE(9), "email", "newsletter", "confirmed", "2026-06-03 10:00"),
    consent("message_id", MESSAGE(9), "email", "newsletter", "confirmed", "2026-06-04 10:00"),
    consent("email", "typed@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00"),
    form("2026-06-02 10:00", email="typed@mail.example", consent=TO_CONFIRM),
    consent("email", "returns@mail.example", "email", "newsletter", "withdrawn", "2026-06-01 10:00"),
    form("2026-06-02 10:00", email="returns@mail.example", consent=TO_CONFIRM),
    form("2026-06-01 10:00", email="regrets@mail.example", consent=TO_CONFIRM),
    consent("email", "regrets@mail.example", "email", "newsletter", "withdrawn", "2026-06-02 10:00"),
    consent("email", "regrets@mail.example", "email", "newsletter", "confirmed", "2026-06-03 10:00"),
    consent("email", "before@asks.example", "email", "newsletter", "confirmed", "2026-06-01 10:00"),
    form("2026-06-02 10:00", email="before@asks.example", consent=TO_CONFIRM),
    consent("email", "elsewhere@mail.example", "email", "promotion", "confirmed", "2026-06-03 10:00"),
    form("2026-06-02 10:00", email="elsewhere@mail.example", consent=TO_CONFIRM),
    # topics, ends, and words that nobody knows
    consent("email", "topical@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00"),
    consent("email", "topical@mail.example", "email", "newsletter", "withdrawn", "2026-06-02 10:00", topic="events"),
    *(
        consent("email", "one-topic@mail.example", "email", purpose, "withdrawn", "2026-06-01 10:00")
        for purpose in ("newsletter", "promotion")
    ),
    consent("email", "one-topic@mail.example", "email", "newsletter", "granted", "2026-06-02 10:00", topic="Events"),
    consent("email", "ended@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00", expires_at="2026-06-29"),
    consent("email", "ends@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00", expires_at="2026-07-01"),
    consent("email", "unending@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00", expires_at="some day"),
    *(
        consent("email", "mistyped@mail.example", "email", purpose, "granted", "2026-06-01 10:00")
        for purpose in ("newsletter", "promotion")
    ),
    consent("email", "mistyped@mail.example", "E-Mail", "news letter", "REVOKED", "2026-06-02 10:00"),
    consent("email", "mistyped@mail.example", "e-mail", "newsletter", "granted", "2026-06-03 10:00"),
    consent("email", "cryptic@mail.example", "email ", "newsletter", "Granted", "2026-06-01 10:00"),
    consent("email", "cryptic@mail.example", "email", "newsletter", "3", "2026-06-02 10:00"),
    # do not contact, said to us
    consent("email", "never@mail.example", "all", "all", "do_not_contact", "2026-06-01 10:00"),
    consent("email", "never@mail.example", "email", "newsletter", "granted", "2026-06-02 10:00"),
    consent("email", "no-sms@mail.example", "sms", "newsletter", "do_not_contact", "2026-06-01 10:00"),
    consent("email", "again@mail.example", "all", "all", "do_not_contact", "2026-06-01 10:00"),
    consent("email", "again@mail.example", "email", "all", "may_contact", "2026-06-02 10:00"),
    contact("c-word", email="word@mail.example", do_not_contact="opted out"),
    # two people whose statements meet when they turn out to be one
    consent("email", "merged@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00"),
    consent("user_id", "u-merged", "email", "newsletter", "withdrawn", "2026-06-02 10:00"),
    identify(user="u-merged", email="merged@mail.example"),
    wechat("o-follows", "subscribe", "2026-06-01 10:00"),
    wechat("o-left", "subscribe", "2026-06-01 10:00"),
    wechat("o-left", "unsubscribe", "2026-06-02 10:00"),
    wechat("o-back", "unsubscribe", "2026-06-01 10:00"),
    wechat("o-back", "subscribe", "2026-06-02 10:00"),
    contact("c-dnc", email="dnc@mail.example", do_not_contact="true"),
    contact("c-fine", "2026-06-01 10:00", email="fine@mail.example", do_not_contact="true"),
    contact("c-fine", "2026-06-02 10:00", email="fine@mail.example", do_not_contact="false"),
    # a webinar, as a vendor tells it part by part, and as a list says it at once
    (
        "webinar/a.csv",
        {"webinar_id": "w1", "email": "Reads@mail.example", "webinar_title": "Live", "registered_at": "2026-06-01T10:00:00Z"},
    ),
    ("webinar/a.csv", {"webinar_id": "w1", "email": "reads@mail.example", "full_name": "Reader", "joined_at": "2026-06-02T10:00:00Z"}),
    ("webinar/a.csv", {"webinar_id": "w1", "email": "reads@mail.example", "left_at": "2026-06-02T10:30:00Z"}),
    ("webinar/a.csv", {"webinar_id": "w1", "participant": "guest", "joined_at": "2026-06-02T10:05:00Z"}),
    ("webinar/a.csv", {"webinar_id": "w1", "participant": "guest", "left_at": "2026-06-02T10:06:00Z"}),
    ("webinar/a.csv", {"webinar_id": "w2", "email": "soft@mail.example", "watch_seconds": "7", "left_at": "2026-06-02T10:06:00Z"}),
    # who registered with an address comes as a guest, of whom the vendor tells by the registration
    (
        "webinar/a.csv",
        {"webinar_id": "w3", "email": "reads@mail.example", "participant": "r9", "registered_at": "2026-06-01T10:00:00Z"},
    ),
    ("webinar/a.csv", {"webinar_id": "w3", "participant": "r9", "joined_at": "2026-06-02T10:00:00Z"}),
    # bounces
    *_people("hard", "soft", "recovered", "blocked", "spam", "reads"),
    mail("bounce", "hard@mail.example", "2026-06-03 10:00", type="bounce", status="5.1.1", reason="no such user"),
    *(mail("bounce", "soft@mail.example", f"2026-06-0{day} 10:00", type="blocked", status="4.2.2") for day in (1, 2, 4)),
    mail("delivered", "soft@mail.example", "2026-06-03 10:00"),
    *(mail("bounce", "recovered@mail.example", f"2026-06-0{day} 10:00", type="blocked", status="4.2.2") for day in (1, 2, 3)),
    *(mail("delivered", "recovered@mail.example", f"2026-06-0{day} 10:00") for day in (4, 5, 6)),
    mail("spamreport", "spam@mail.example", "2026-06-03 10:00"),
    # the address that bounced is not the one this person has now
    contact("c-moved", "2026-06-01 10:00", email="before@mail.example"),
    contact("c-moved", "2026-06-05 10:00", email="after@mail.example"),
    form("2026-06-06 10:00", email="after@mail.example"),
    mail("bounce", "before@mail.example", "2026-06-02 10:00", type="bounce", status="5.1.1"),
    sms("13911110001", "2026-06-01 18:00:00", "MOBILE_NOT_EXIST"),
    sms("13911110002", "2026-06-01 18:00:00", "DELIVERED", out_id=MESSAGE(2)),
    # the other vendors of text messages, and what people answer
    tencent_sms("+8613911110003", "2026-06-01 18:00:00", sid="5000:1"),
    tencent_sms("+8613911110004", "2026-06-01 18:00:00", "MK:0001"),
    twilio("+13105550001", "2026-06-01 10:00", "sent", message_id=MESSAGE(5)),
    twilio("+13105550001", "2026-06-01 10:01", "delivered", message_id=MESSAGE(5)),
    twilio("+13105550002", "2026-06-01 10:00", "undelivered", ErrorCode="30005"),
    twilio("+13105550002", "2026-06-01 10:00", "undelivered", ErrorCode="30003"),
    twilio("+13105550002", "2026-06-01 10:00", "undelivered", ErrorCode="30007"),
    twilio("+13105550003", "2026-06-01 10:00", "failed", ErrorCode="21610"),
    twilio("+13105550004", "2026-06-01 10:00", "received", Body="Stop!", To="+15017122661"),
    twilio("+13105550005", "2026-06-01 10:00", "received", Body="do not stop", To="+15017122661"),
    *(tencent_sms(f"+861391111000{n}", "2026-06-01 18:00:00") for n in (7, 8, 9)),
    *(sms(f"+861391111001{n}", "2026-06-05 18:00:00", out_id="run-1.7", biz_id="b-batch") for n in (0, 1, 2)),
    twilio("+8613911110009", "2026-06-20 10:00", "received", Body="START", To="+15017122661"),
    tencent_reply("+8613911110005", "2026-06-01 10:00", " td "),
    tencent_reply("+8613911110006", "2026-06-01 10:00", "谢谢"),
    wechat("o-follows", "TEMPLATESENDJOBFINISH", "2026-06-04 10:00", MsgID="777", Status="success"),
    # mail that a person opened, and a machine
    mail("delivered", "reads@mail.example", "2026-06-05 10:00", MESSAGE(3)),
    mail("open", "reads@mail.example", "2026-06-05 10:01", MESSAGE(3), useragent="Mozilla/5.0 (iPhone)"),
    mail("open", "reads@mail.example", "2026-06-05 10:00", **{"smtp-id": f"<{MESSAGE(3)}@news.example>"}, useragent="GoogleImageProxy"),
    # lifecycle
    form("2026-06-01 10:00", form_id="newsletter-footer", email="subscriber@mail.example"),
    form("2026-06-02 10:00", email="lead@mail.example"),
    contact("c-mql", "2026-06-03 10:00", email="mql@mail.example", lifecycle_stage="mql"),
    contact("c-mql", "2026-06-09 10:00", email="mql@mail.example", lifecycle_stage="lead"),
    contact("c-deal", "2026-06-01 10:00", email="deal@mail.example", lifecycle_stage="sql"),
    opportunity("d-open", "c-deal", "proposal", "2026-06-04T10:00:00Z"),
    contact("c-won", "2026-06-01 10:00", email="won@mail.example"),
    opportunity("d-won", "c-won", "closed_won", "2026-06-04T10:00:00Z", "2026-06-08T10:00:00Z"),
    form("2026-06-01 10:00", email="buyer@mail.example"),
    order("o-1", "2026-06-05 10:00", email="buyer@mail.example"),
    order("o-2", "2026-06-07 10:00", email="buyer@mail.example"),
    form("2026-06-01 10:00", email="cancelled@mail.example"),
    order("o-3", "2026-06-05 10:00", "cancelled", email="cancelled@mail.example"),
    form("2026-06-01 10:00", email="future@mail.example"),
    order("o-4", "2026-07-05 10:00", email="future@mail.example"),
    # a program that fills in forms with other people's addresses
    *(
        form(
            f"2026-06-01 10:00:{n:02d}",
            anonymous="races",
            email="bombed@mail.example",
            consent={"granted": True, "purposes": ["newsletter"], "channels": ["email"], "wording": "I agree"},
        )
        for n in range(3)
    ),
    # what the CRM says about contacts that we wrote to it, by its own ids
    *_people("forgotten", "promoted"),
    crm_change("contact.privacyDeletion", 501, "2026-06-10 10:00"),
    crm_change("contact.propertyChange", 502, "2026-06-10 10:00", "lifecyclestage", "salesqualifiedlead"),
    page("2026-06-01 10:00", anonymous="looks", url="https://shop.example/"),
    *(
        page(f"2026-06-01 10:{n:02d}", anonymous="crawls", context={"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1)"})
        for n in range(9)
    ),
    *(page(f"2026-06-01 10:00:{n % 60:02d}", anonymous="races") for n in range(80)),
]
SENT = [
    # message, provider's id, person by address, ref, channel, purpose
    (MESSAGE(1), None, "oneclick@mail.example", "mail/letter", "email", "newsletter"),
    (MESSAGE(2), "b-2", "+8613911110002", "sms/offer", "sms", "promotion"),
    (MESSAGE(3), None, "reads@mail.example", "mail/letter", "email", "newsletter"),
    (MESSAGE(4), "777", "o-follows", "wechat/notice", "wechat", "service_notice"),
    (MESSAGE(5), "SM0", "+13105550001", "twilio/offer", "sms", "promotion"),
    (MESSAGE(6), "5000:1", "+8613911110003", "tencent/offer", "sms", "promotion"),
    (MESSAGE(7), "b-batch", "+8613911110010", "batch/offer", "sms", "promotion"),
    (MESSAGE(8), "b-batch", "+8613911110011", "batch/offer", "sms", "promotion"),
    (MESSAGE(9), None, "confirms@mail.example", "mail/confirm", "email", "service_notice"),
]


REFUSED = [
    ("+8613911110007", "rejected", "FailedOperation.PhoneNumberInBlacklist", "2026-06-10 10:00:00"),
    ("+8613911110008", "rejected", "21610", "2026-06-10 10:00:00"),
    ("+8613911110008", "sent", "", "2026-06-12 10:00:00"),
    ("+8613911110009", "rejected", "21610", "2026-06-10 10:00:00"),
    ("+13105550001", "rejected", "21211", "2026-06-10 10:00:00"),
]


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House]) -> House:
    house = new_house()
    house.land(NOW, RECORDS)
    house.build(NOW, select=["+bridge_profile_identifiers"])
    house.execute(
        "insert into activation.sync_changelog by name select 'r-' || ? as run_id, ? as ref, 'send' as kind, ? as channel, ? as purpose, 1 as row_number, "
        "? as profile_id, 'add' as operation, 'sent' as outcome, ? as message_id, ? as provider_id, timestamp '2026-06-04 09:00:00' as recorded_at",
        [
            (ref, ref, channel, purpose, house.profile(person), message, provider)
            for message, provider, person, ref, channel, purpose in SENT
        ],
    )
    # what providers would not take: the person had opted out there, or the number is none
    house.execute(
        "insert into activation.sync_changelog by name select 'r-refused-' || ? as run_id, 'sms/offer' as ref, 'send' as kind, 'sms' as channel, "
        "'promotion' as purpose, ? as row_number, ? as profile_id, 'add' as operation, ? as outcome, ? as reason_code, ? as message_id, "
        "cast(? as timestamp) as recorded_at",
        [
            (when, row, house.profile(person), outcome, code, MESSAGE(90 + row), when)
            for row, (person, outcome, code, when) in enumerate(REFUSED)
        ],
    )
    house.execute(
        "insert into activation.sync_runs by name select 'r-mail/letter' as run_id, 'mail/letter' as ref, 'send' as kind, 'done' as status, 3 as planned, 2 as sent, 1 as withheld"
    )
    house.execute(
        "insert into activation.sync_runs by name select 'r-crm' as run_id, 'hubspot/contacts' as ref, 'sync' as kind, 'crm' as channel, 'done' as status"
    )
    house.execute(
        "insert into activation.sync_snapshot by name select 'hubspot/contacts' as ref, ? as key, ? as match_value, ? as provider_id, "
        "timestamp '2026-06-09 10:00:00' as acknowledged_at, 'r-crm' as run_id",
        [
            (house.profile(email), email, provider)
            for email, provider in (("forgotten@mail.example", "501"), ("promoted@mail.example", "502"))
        ],
    )
    house.build(NOW, select=["+suppressions", "+dim_profiles", "+rpt_send_tasks"])
    return house


def test_attendance_is_whole_however_it_was_told(house: House) -> None:
    found = house.rows(
        "select webinar_id, email, webinar_title, full_name, strftime(registered_at, '%d %H:%M'), strftime(joined_at, '%d %H:%M'), watch_seconds "
        "from staging.stg_webinar__attendance order by webinar_id, email nulls last"
    )
    assert found == [
        ("w1", "reads@mail.example", "Live", "Reader", "01 10:00", "02 10:00", 1800),
        ("w1", None, None, None, "02 10:05", "02 10:05", 60),
        ("w2", "soft@mail.example", None, None, found[2][4], None, 7),
        ("w3", "reads@mail.example", None, None, "01 10:00", "02 10:00", None),
    ]
    attended = house.column("select profile_id from marts.fct_events where event_name = 'Webinar Attended' and object_id = 'w3'")
    assert attended == [house.profile("reads@mail.example")]


def _consent(house: House, identifier: str, channel: str, purpose: str) -> str | None:
    found = house.column(
        "select status from marts.consent_state where profile_id = ? and channel = ? and purpose = ? and topic = ?",
        house.profile(identifier),
        channel,
        *(purpose.split("/") if "/" in purpose else (purpose, "all")),
    )
    return found[0] if found else None


@pytest.mark.parametrize(
    ("person", "channel", "purpose", "status"),
    [
        ("asked@mail.example", "email", "newsletter", "granted"),
        ("asked@mail.example", "email", "promotion", None),
        ("asked@mail.example", "sms", "newsletter", None),
        ("back@mail.example", "email", "newsletter", "granted"),
        ("tie@mail.example", "email", "newsletter", "withdrawn"),
        ("+8613911110000", "email", "promotion", "withdrawn"),
        ("+8613911110000", "sms", "newsletter", "withdrawn"),
        ("ticked@mail.example", "sms", "promotion", "granted"),
        ("ticked@mail.example", "wechat", "promotion", None),
        ("unticked@mail.example", "email", "newsletter", "granted"),
        ("bombed@mail.example", "email", "newsletter", None),
        ("oneclick@mail.example", "email", "newsletter", "withdrawn"),
        ("oneclick@mail.example", "email", "promotion", "granted"),
        ("reads@mail.example", "sms", "promotion", "granted"),
        ("reads@mail.example", "wechat", "newsletter", "withdrawn"),
        ("reads@mail.example", "email", "newsletter", None),
        ("global@mail.example", "email", "newsletter", "withdrawn"),
        ("global@mail.example", "email", "promotion", "withdrawn"),
        ("spam@mail.example", "email", "newsletter", "withdrawn"),
        ("merged@mail.example", "email", "newsletter", "withdrawn"),
        ("o-follows", "wechat", "newsletter", "granted"),
        ("o-follows", "wechat", "promotion", None),
        ("o-left", "wechat", "newsletter", "withdrawn"),
        ("o-back", "wechat", "newsletter", "granted"),
        ("dnc@mail.example", "email", "newsletter", "withdrawn"),
        ("dnc@mail.example", "crm", "sales_contact", "withdrawn"),
        ("dnc@mail.example", "email", "order_update", None),
        ("fine@mail.example", "crm", "sales_contact", None),
        ("asks@mail.example", "email", "newsletter", "pending"),
        ("confirms@mail.example", "email", "newsletter", "granted"),
        ("confirms@mail.example", "email", "newsletter/events", "granted"),
        ("confirms@mail.example", "email", "service_notice", None),
        ("typed@mail.example", "email", "newsletter", "granted"),
        ("returns@mail.example", "email", "newsletter", "pending"),
        ("regrets@mail.example", "email", "newsletter", "withdrawn"),
        ("before@asks.example", "email", "newsletter", "pending"),
        ("elsewhere@mail.example", "email", "newsletter", "pending"),
        ("elsewhere@mail.example", "email", "promotion", None),
        ("topical@mail.example", "email", "newsletter", "granted"),
        ("topical@mail.example", "email", "newsletter/events", "withdrawn"),
        ("one-topic@mail.example", "email", "newsletter", "withdrawn"),
        ("one-topic@mail.example", "email", "newsletter/events", "granted"),
        ("ended@mail.example", "email", "newsletter", "expired"),
        ("ends@mail.example", "email", "newsletter", "granted"),
        ("unending@mail.example", "email", "newsletter", "expired"),
        ("mistyped@mail.example", "email", "newsletter", "withdrawn"),
        ("mistyped@mail.example", "sms", "promotion", "withdrawn"),
        ("cryptic@mail.example", "email", "newsletter", "withdrawn"),
        ("never@mail.example", "email", "newsletter", "granted"),
        ("word@mail.example", "email", "newsletter", "withdrawn"),
        ("forgotten@mail.example", "email", "promotion", "withdrawn"),
        ("forgotten@mail.example", "crm", "sales_contact", "withdrawn"),
    ],
)
def test_consent_is_what_was_said_last(house: House, person: str, channel: str, purpose: str, status: str | None) -> None:
    assert house.profile(person)
    assert _consent(house, person, channel, purpose) == status


def test_what_was_confirmed_holds_since_then_and_says_by_what(house: House) -> None:
    found = house.rows(
        "select topic, since, evidence like 'consent:%', double_opt_in from marts.consent_state where profile_id = ? and channel = 'email' "
        "and purpose = 'newsletter' order by topic",
        house.profile("confirms@mail.example"),
    )
    since = at("2026-06-03 10:00").replace(tzinfo=None)
    assert found == [("all", since, True, True), ("events", since, True, True)]


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (
            "never@mail.example",
            [(c, "do_not_contact", "marketing") for c in ("ads", "crm", "data", "email", "files", "sms", "web", "wechat")],
        ),
        ("no-sms@mail.example", [("sms", "do_not_contact", "marketing")]),
        ("again@mail.example", [(c, "do_not_contact", "marketing") for c in ("ads", "crm", "data", "files", "sms", "web", "wechat")]),
        ("one-topic@mail.example", []),
        ("topical@mail.example", []),
        ("hard@mail.example", [("email", "hard_bounce", "all")]),
        ("soft@mail.example", [("email", "soft_bounces", "all")]),
        ("recovered@mail.example", []),
        ("spam@mail.example", [("email", "complaint", "all"), ("email", "unsubscribed", "marketing")]),
        ("global@mail.example", [("email", "unsubscribed", "marketing")]),
        ("oneclick@mail.example", []),
        ("after@mail.example", []),
        ("+8613911110001", [("sms", "hard_bounce", "all")]),
        ("+8613911110007", [("sms", "unsubscribed", "marketing")]),
        ("+8613911110008", []),  # took a message since
        ("+8613911110009", []),  # asked for them again
        ("+13105550001", []),  # the number was wrong that time, nothing more
        ("o-left", [("wechat", "unsubscribed", "all")]),
        ("o-back", []),
        ("fine@mail.example", []),
        (
            "dnc@mail.example",
            [
                ("email", "do_not_contact", "marketing"),
                ("email", "unsubscribed", "marketing"),
                ("sms", "do_not_contact", "marketing"),
                ("sms", "unsubscribed", "marketing"),
                ("wechat", "do_not_contact", "marketing"),
            ],
        ),
    ],
)
def test_suppression_follows_what_happened_to_the_current_address(house: House, person: str, expected: list[Any]) -> None:
    assert house.profile(person)
    assert (
        house.rows("select channel, reason, scope from marts.suppressions where profile_id = ? order by all", house.profile(person))
        == expected
    )


@pytest.mark.parametrize(
    ("person", "stage", "since"),
    [
        ("subscriber@mail.example", "subscriber", "2026-06-01 10:00"),
        ("lead@mail.example", "lead", "2026-06-02 10:00"),
        # the CRM does not set a stage back silently
        ("mql@mail.example", "mql", "2026-06-03 10:00"),
        ("promoted@mail.example", "sql", "2026-06-10 10:00"),
        ("deal@mail.example", "opportunity", "2026-06-04 10:00"),
        ("won@mail.example", "customer", "2026-06-08 10:00"),
        ("buyer@mail.example", "customer", "2026-06-05 10:00"),
        ("cancelled@mail.example", "lead", "2026-06-01 10:00"),
        # what happens after the moment the build speaks about has not happened
        ("future@mail.example", "lead", "2026-06-01 10:00"),
        ("looks", "visitor", "2026-06-01 10:00"),
    ],
)
def test_the_furthest_stage_counts_from_when_it_was_first_reached(house: House, person: str, stage: str, since: str) -> None:
    assert house.rows("select stage, since from marts.profile_lifecycle where profile_id = ?", house.profile(person)) == [
        (stage, at(since).replace(tzinfo=None))
    ]
    assert house.column("select lifecycle_stage from identity.dim_profiles where profile_id = ?", house.profile(person)) == [stage]


def test_receipts_find_their_message_by_our_id_or_by_the_providers(house: House) -> None:
    found = dict(
        house.rows("select message_id, list(event_type order by event_type) from marts.fct_message_events where ref is not null group by 1")
    )
    assert found == {
        MESSAGE(1): ["unsubscribed"],
        MESSAGE(2): ["delivered"],
        MESSAGE(3): ["delivered", "opened", "opened"],
        MESSAGE(4): ["delivered"],
        MESSAGE(5): ["accepted", "delivered"],
        MESSAGE(6): ["delivered"],
        MESSAGE(7): ["delivered"],
        MESSAGE(8): ["delivered"],
    }


def test_of_a_batch_with_one_id_each_gets_their_own_receipt_and_a_stranger_s_is_nobody_s(house: House) -> None:
    found = house.rows("select identifier, message_id, ref from marts.fct_message_events where provider_id = 'b-batch' order by 1")
    assert found == [
        ("+8613911110010", MESSAGE(7), "batch/offer"),
        ("+8613911110011", MESSAGE(8), "batch/offer"),
        ("+8613911110012", "run-1.7", None),
    ]


def test_every_vendor_of_text_messages_speaks_one_vocabulary(house: House) -> None:
    found = house.rows(
        "select identifier, list(event_type || coalesce('.' || bounce_type, '') order by code) from marts.fct_message_events "
        "where identifier like '+1310555%' or identifier between '+8613911110003' and '+8613911110006' group by 1 order by 1"
    )
    assert found == [
        ("+13105550001", ["delivered", "accepted"]),
        ("+13105550002", ["bounced.soft", "bounced.hard", "failed"]),
        ("+13105550003", ["unsubscribed"]),
        ("+13105550004", ["unsubscribed"]),
        ("+13105550005", ["replied"]),
        ("+8613911110003", ["delivered"]),
        ("+8613911110004", ["bounced.hard"]),
        ("+8613911110005", ["unsubscribed"]),
        ("+8613911110006", ["replied"]),
    ]
    moments = (
        "select distinct occurred_at from marts.fct_message_events where identifier in ('+8613911110003', '+8613911110005', '+13105550003')"
    )
    assert house.column(moments) == [at("2026-06-01 10:00").replace(tzinfo=None)]


def test_an_opt_out_by_text_message_withdraws_consent_to_marketing_there(house: House) -> None:
    for phone in ("+13105550003", "+13105550004", "+8613911110005"):
        assert _consent(house, phone, "sms", "promotion") == "withdrawn"
    assert _consent(house, "+13105550005", "sms", "promotion") is None


def test_times_of_the_chinese_provider_are_read_as_chinese_time(house: House) -> None:
    assert house.column("select occurred_at from marts.fct_message_events where message_id = ?", MESSAGE(2)) == [
        at("2026-06-01 10:00").replace(tzinfo=None)
    ]


def test_the_report_of_a_send_counts_what_people_did_and_not_what_machines_did(house: House) -> None:
    assert house.rows("select planned, sent, withheld, delivered, opened, bounced, unsubscribed from reports.rpt_send_tasks") == [
        (3, 2, 1, 1, 1, 0, 1)
    ]


def test_crawlers_and_whoever_is_faster_than_a_person_are_no_profiles(house: House) -> None:
    profiles = house.column("select profile_id from identity.dim_profiles")
    assert house.profile("looks") in profiles
    assert house.profile("crawls") not in profiles
    assert house.profile("races") not in profiles
    assert house.rows("select is_bot, count(*) from marts.fct_events where source = 'web' group by 1 order by 1") == [
        (False, 1),
        (True, 89),
    ]


def test_no_profile_is_lost_or_doubled_by_joins(house: House) -> None:
    assert house.rows("select count(*), count(distinct profile_id) from identity.dim_profiles") == house.rows(
        "select count(distinct profile_id) - 2, count(distinct profile_id) - 2 from identity.bridge_profile_identifiers"
    )
