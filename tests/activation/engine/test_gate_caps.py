"""Frequency caps: what one person had in the last days, over one channel or all, whether settled or not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

from activation.engine.gate import Leaving, UnsettledMessage
from activation.engine.ledger import Intent

MAIL, SMS = "mail/hello", "sms/short"


def had(shop: SmallProject, *messages: tuple[str, str, datetime, str]) -> None:
    """These messages (profile, channel, when, outcome) are in the history."""
    shop.sql("delete from activation.sync_changelog")
    for index, (profile_id, channel, at, outcome) in enumerate(messages):
        shop.sql(
            "insert into activation.sync_changelog (run_id, ref, kind, channel, row_number, profile_id, outcome, message_id, recorded_at) "
            f"values ('old', 'x/y', 'send', '{channel}', {index}, '{profile_id}', '{outcome}', 'm_{index}', timestamp '{at:%Y-%m-%d %H:%M:%S}')"
        )


def days(number: float) -> datetime:
    return NOON - timedelta(days=number)


@pytest.fixture
def capped(shop: SmallProject) -> SmallProject:
    """Two mails in seven days, and three messages of any kind in seven days."""
    shop.policy("frequency_caps", "caps:\n- {channel: email, messages: 2, days: 7}\n- {messages: 3, days: 7}\n")
    shop.people(3)
    shop.send(MAIL)
    shop.send(SMS)
    return shop


def test_who_had_as_many_mails_as_the_cap_allows_gets_no_other(capped: SmallProject) -> None:
    had(capped, ("p_0", "email", days(1), "sent"), ("p_0", "email", days(2), "sent"), ("p_1", "email", days(1), "sent"))
    assert capped.withheld(MAIL) == {"p_0": "CAP_EMAIL"}


def test_a_cap_of_one_channel_leaves_the_others_alone(capped: SmallProject) -> None:
    had(capped, ("p_0", "email", days(1), "sent"), ("p_0", "email", days(2), "sent"))
    assert capped.withheld(SMS) == {}


def test_a_cap_over_all_channels_counts_each_of_them(capped: SmallProject) -> None:
    had(capped, ("p_0", "email", days(1), "sent"), ("p_0", "sms", days(2), "sent"), ("p_0", "wechat", days(3), "sent"))
    assert capped.withheld(MAIL) == capped.withheld(SMS) == {"p_0": "CAP_ALL"}


def test_messages_leave_the_window_to_the_second(capped: SmallProject) -> None:
    second = timedelta(seconds=1)
    had(capped, ("p_0", "email", days(1), "sent"), ("p_0", "email", days(7), "sent"))
    assert capped.withheld(MAIL) == {}
    assert capped.withheld(MAIL, now=NOON - second) == {"p_0": "CAP_EMAIL"}


def test_what_may_have_arrived_counts_and_what_did_not_leave_does_not(capped: SmallProject) -> None:
    sent = ("email", days(1), "sent")
    had(
        capped,
        ("p_0", *sent),
        ("p_0", "email", days(1), "unknown"),
        ("p_1", *sent),
        ("p_1", "email", days(1), "rejected"),
        ("p_2", *sent),
        ("p_2", "email", days(1), "withheld"),
    )
    assert capped.withheld(MAIL) == {"p_0": "CAP_EMAIL"}


def test_records_are_no_messages_and_neither_count_nor_are_capped(capped: SmallProject) -> None:
    had(capped, *[("p_0", "email", days(1), "sent")] * 3)
    assert capped.withheld(capped.sync("hubspot/people")) == {}
    capped.sql("update activation.sync_changelog set message_id = null")
    assert capped.withheld(MAIL) == {}


def test_a_transactional_message_passes_every_cap(capped: SmallProject) -> None:
    had(capped, *[("p_0", "email", days(1), "sent")] * 5)
    capped.send(MAIL, purpose="order_update")
    assert capped.withheld(MAIL) == {}


def test_messages_that_left_but_are_not_settled_count(capped: SmallProject) -> None:
    had(capped, ("p_0", "email", days(1), "sent"))
    assert capped.withheld(MAIL, unsettled=[UnsettledMessage("p_0", "email", NOON)]) == {"p_0": "CAP_EMAIL"}
    assert capped.withheld(MAIL, unsettled=[UnsettledMessage("p_0", "sms", NOON)]) == {}


def test_an_interrupted_run_of_another_send_counts_from_the_ledger(capped: SmallProject, sandbox: RunningSandbox) -> None:
    had(capped, ("p_0", "email", days(1), "sent"), ("p_1", "email", days(1), "sent"))
    with capped.ledger() as ledger:
        lease = ledger.acquire("mail/other", "killed")
        run = {"run_id": "killed", "ref": "mail/other", "kind": "send", "destination": "mail", "channel": "email", "plan_hash": "x"}
        ledger.begin_run(lease, run | {"as_of": NOON.isoformat(), "started_at": NOON.isoformat()})
        claims = run | {"purpose": "newsletter", "as_of": NOON.isoformat()}
        ledger.intend(lease, claims, [Intent(0, 0, "m_0", "p_0")])
        ledger.release(lease)
    result = capped.run(MAIL)
    assert capped.outcomes(result.run_id) == {"p_0": ("withheld", "CAP_EMAIL"), "p_1": ("sent", ""), "p_2": ("sent", "")}


def test_sends_one_after_another_stop_at_the_cap(capped: SmallProject, sandbox: RunningSandbox) -> None:
    capped.sql("delete from segment_everyone where profile_id <> 'p_0'")
    sends = [capped.send(f"mail/hello_{index}") for index in range(3)]
    assert [capped.outcomes(capped.run(ref).run_id)["p_0"] for ref in sends] == [
        ("sent", ""),
        ("sent", ""),
        ("withheld", "CAP_EMAIL"),
    ]
    # Withheld is not settled: when the window has moved on, it leaves.
    later = NOON + timedelta(days=7)
    assert capped.outcomes(capped.run(sends[2], now=later).run_id) == {"p_0": ("sent", "")}


def test_a_cap_may_be_less_than_a_day(capped: SmallProject) -> None:
    capped.policy("frequency_caps", "caps:\n- {channel: email, messages: 1, days: 0.5}\n")
    had(capped, ("p_0", "email", days(0.49), "sent"), ("p_1", "email", days(0.51), "sent"))
    assert capped.withheld(MAIL) == {"p_0": "CAP_EMAIL"}


# -- calendars, purposes, priorities ----------------------------------------------------------------------------------------


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("per", "inside", "outside"),
    [
        # NOON is Friday the 20th at 12:00 in Shanghai, where the day begins at 16:00 UTC of the day before.
        ("day", "2026-11-19T16:00:00", "2026-11-19T15:59:59"),
        ("week", "2026-11-15T16:00:00", "2026-11-15T15:59:59"),
        ("month", "2026-10-31T16:00:00", "2026-10-31T15:59:59"),
    ],
)
def test_a_calendar_cap_counts_from_the_begin_of_the_persons_own_day_week_or_month(
    capped: SmallProject, per: str, inside: str, outside: str
) -> None:
    capped.policy("frequency_caps", f"caps:\n- {{channel: email, messages: 1, per: {per}}}\n")
    had(capped, ("p_0", "email", at(inside), "sent"), ("p_1", "email", at(outside), "sent"))
    assert capped.withheld(MAIL) == {"p_0": "CAP_EMAIL"}


def test_a_day_of_a_person_in_new_york_is_not_one_of_shanghai(capped: SmallProject) -> None:
    capped.policy("frequency_caps", "caps:\n- {channel: email, messages: 1, per: day}\n")
    capped.sql("update dim_profiles set time_zone = 'America/New_York' where profile_id = 'p_1'")
    # NOON is Thursday the 19th, 23:00, in New York: the day began at 05:00 UTC.
    had(capped, ("p_0", "email", at("2026-11-19T05:00:00"), "sent"), ("p_1", "email", at("2026-11-19T05:00:00"), "sent"))
    assert capped.withheld(MAIL) == {"p_1": "CAP_EMAIL"}


def test_the_day_of_a_change_of_the_clocks_has_twenty_five_hours(capped: SmallProject) -> None:
    capped.policy("frequency_caps", "caps:\n- {channel: email, messages: 1, per: day}\n")
    capped.sql("update dim_profiles set time_zone = 'Europe/Berlin'")
    # 25 October 2026 in Berlin lasts from the 24th, 22:00 UTC, to the 25th, 23:00 UTC.
    had(capped, ("p_0", "email", at("2026-10-24T22:00:00"), "sent"), ("p_1", "email", at("2026-10-24T21:59:59"), "sent"))
    assert capped.withheld(MAIL, now=at("2026-10-25T22:59:59")) == {"p_0": "CAP_EMAIL"}
    assert capped.withheld(MAIL, now=at("2026-10-25T23:00:00")) == {}


def test_a_cap_of_a_purpose_counts_only_messages_of_that_purpose(capped: SmallProject) -> None:
    capped.policy("frequency_caps", "caps:\n- {purpose: newsletter, messages: 1, days: 7}\n")
    had(capped, ("p_0", "sms", days(1), "sent"), ("p_1", "sms", days(1), "sent"), ("p_2", "sms", days(1), "sent"))
    capped.sql(
        "update activation.sync_changelog set purpose = case profile_id when 'p_0' then 'newsletter' when 'p_1' then 'sales_contact' end"
    )
    # Of p_2's message nobody knows what for: it may have been a newsletter.
    assert capped.withheld(MAIL) == {"p_0": "CAP_ALL_NEWSLETTER", "p_2": "CAP_ALL_NEWSLETTER"}
    capped.send(MAIL, purpose="sales_contact")
    assert capped.withheld(MAIL) == {}


def test_the_last_places_of_a_cap_are_kept_for_sends_of_higher_priority(capped: SmallProject) -> None:
    reserve = "reserve: {priority: 10, messages: 1}"
    capped.policy("frequency_caps", f"caps:\n- {{channel: email, messages: 3, days: 7, {reserve}}}\n")
    had(capped, *[("p_0", "email", days(1), "sent")] * 2, *[("p_1", "email", days(1), "sent")] * 3, ("p_2", "email", days(1), "sent"))
    for priority, withheld in ((0, ["p_0", "p_1"]), (9, ["p_0", "p_1"]), (10, ["p_1"]), (11, ["p_1"])):
        capped.send(MAIL, priority=priority)
        assert capped.withheld(MAIL) == dict.fromkeys(withheld, "CAP_EMAIL")


def test_of_two_caps_with_one_code_each_says_its_own_sentence(capped: SmallProject, sandbox: RunningSandbox) -> None:
    capped.policy("frequency_caps", "caps:\n- {channel: email, messages: 1, per: day}\n- {channel: email, messages: 2, days: 7}\n")
    had(capped, ("p_0", "email", NOON, "sent"), ("p_1", "email", days(2), "sent"), ("p_1", "email", days(3), "sent"))
    result = capped.run(MAIL)
    assert capped.rows(
        "select key, reason from activation.sync_changelog where run_id = ? and reason_code = 'CAP_EMAIL' order by 1", result.run_id
    ) == [
        ("p_0", "Had 1 email messages this day."),
        ("p_1", "Had 2 email messages in 7 days."),
    ]


def test_what_was_sent_to_an_id_of_before_counts_for_the_person_of_today(capped: SmallProject) -> None:
    had(capped, ("old", "email", days(1), "sent"), ("p_0", "email", days(2), "sent"))
    assert capped.withheld(MAIL) == {}
    capped.merges(("old", "p_0"))
    assert capped.withheld(MAIL) == {"p_0": "CAP_EMAIL"}
    assert capped.withheld(MAIL, unsettled=[UnsettledMessage("old", "email", NOON)]) == {"p_0": "CAP_EMAIL"}


# -- quotas of a provider ----------------------------------------------------------------------------------------------------

WECHAT = "wechat/hello"


def quotas(shop: SmallProject, *lines: str, zone: str = "Asia/Shanghai") -> None:
    shop.policy("channel_quotas", f"time_zone: {zone}\nquotas:\n" + "".join(f"- {{{line}}}\n" for line in lines))


def test_one_person_gets_no_more_in_a_month_than_the_provider_allows(shop: SmallProject) -> None:
    shop.people(3)
    shop.send(WECHAT, purpose="order_update")  # what is owed is no exception for the provider
    quotas(shop, "channel: wechat, messages: 2, per: month, each: person")
    had(
        shop,
        *[("p_0", "wechat", at("2026-10-31T16:00:00"), "sent")] * 2,
        *[("p_1", "wechat", at("2026-10-31T15:59:59"), "sent")] * 2,
        *[("p_2", "email", NOON, "sent")] * 2,
    )
    assert shop.withheld(WECHAT) == {"p_0": "QUOTA_PERSON"}
    quotas(shop, "channel: wechat, messages: 2, per: month, each: person", zone="UTC")
    assert shop.withheld(WECHAT) == {}


def test_a_destination_takes_the_first_of_the_plan_until_its_day_is_full(shop: SmallProject) -> None:
    shop.people(5)
    shop.send(MAIL)
    quotas(shop, "destination: mail, messages: 3, per: day")
    assert shop.withheld(MAIL) == {"p_3": "QUOTA", "p_4": "QUOTA"}
    had(shop, ("gone", "email", NOON, "sent"), ("gone", "email", days(1), "sent"))
    shop.sql("update activation.sync_changelog set destination = 'mail'")
    assert shop.withheld(MAIL) == {"p_2": "QUOTA", "p_3": "QUOTA", "p_4": "QUOTA"}
    unsettled = [UnsettledMessage("gone", "email", NOON, destination="mail"), UnsettledMessage("gone", "sms", NOON, destination="sms")]
    assert shop.withheld(MAIL, unsettled=unsettled).keys() == {"p_1", "p_2", "p_3", "p_4"}


def test_who_is_withheld_for_another_reason_takes_no_place_of_a_quota(shop: SmallProject) -> None:
    shop.people(4)
    shop.send(MAIL)
    quotas(shop, "destination: mail, messages: 2, per: day", "channel: email, messages: 3, per: month")
    shop.sql("delete from consent_state where profile_id = 'p_0'")
    assert shop.withheld(MAIL) == {"p_0": "NO_CONSENT", "p_3": "QUOTA"}


def test_what_the_quota_left_over_leaves_the_next_day(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    shop.send(MAIL)
    quotas(shop, "destination: mail, messages: 2, per: day")
    sent = [{key for key, outcome in shop.outcomes(shop.run(MAIL, now=NOON + timedelta(days=day)).run_id).items() if outcome[0] == "sent"}
            for day in (0, 0, 1)]  # fmt: skip
    assert sent == [{"p_0", "p_1"}, set(), {"p_2"}]


def test_what_another_process_sends_at_this_moment_counts_for_caps_and_quotas(shop: SmallProject) -> None:
    shop.people(4)
    shop.send(MAIL)
    other = shop.send("mail/other", audience={"include": ["segment_excluded"]})
    shop.fill("segment_excluded", [("p_0",), ("p_1",)])
    shop.policy("frequency_caps", "caps:\n- {purpose: newsletter, messages: 1, days: 7}\n")
    quotas(shop, "destination: mail, messages: 2, per: day")
    shop.sql("delete from consent_state where profile_id = 'p_1'")
    assert shop.withheld(other) == {"p_1": "NO_CONSENT"}
    verdicts = shop.project.plans / "other.gate.parquet"
    (shop.project.plans / "asked.parquet").rename(verdicts)
    shop.sql("insert into consent_state select 'p_1', 'all', 'all', 'granted', null")
    leaving = Leaving(shop.plan(other).file, verdicts, "email", NOON, "newsletter", "mail")
    assert shop.withheld(MAIL, leaving=[leaving]) == {"p_0": "CAP_ALL_NEWSLETTER", "p_2": "QUOTA", "p_3": "QUOTA"}
    assert shop.withheld(MAIL) == {"p_2": "QUOTA", "p_3": "QUOTA"}
