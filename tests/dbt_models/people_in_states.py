"""People in every state that consent, suppression, messages and the lifecycle know, as records; and a warehouse of them."""

from __future__ import annotations

from collections.abc import Callable

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
    # said by a clock that runs ahead
    consent("email", "ahead@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00"),
    consent("email", "ahead@mail.example", "email", "newsletter", "withdrawn", "2027-06-01 10:00"),
    consent("email", "ahead@mail.example", "sms", "newsletter", "do_not_contact", "2027-06-01 10:00"),
    consent("email", "too-soon@mail.example", "email", "newsletter", "granted", "2027-06-01 10:00"),
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


def settled(new_house: Callable[[], House]) -> House:
    """Their warehouse, with the messages they were sent, as of NOW."""
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
