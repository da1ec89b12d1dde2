"""Frequency caps: what one person had in the last days, over one channel or all, whether settled or not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

from activation.engine.gate import UnsettledMessage
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
