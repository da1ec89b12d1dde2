"""What holds about a person now: consent, suppression, messages, lifecycle; from what landed, up to a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from people_in_states import MESSAGE, settled
from sent_records import at
from warehouse_house import House


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House]) -> House:
    return settled(new_house)


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
        ("ahead@mail.example", "email", "newsletter", "withdrawn"),
        ("too-soon@mail.example", "email", "newsletter", None),
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
        ("ahead@mail.example", [("sms", "do_not_contact", "marketing")]),
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
