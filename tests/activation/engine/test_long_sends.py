"""Sends that take longer than the gate's verdicts hold: what is left is asked about anew, and everybody is still asked for once."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from running_sandbox import RunningSandbox
from small_project import DESTINATIONS, NOON, SmallProject

from activation.engine.gate import validity

MAIL = "mail/hello"
TEN_A_SECOND = "limits: {per_second: 10, concurrency: 1, batch_size: 5}, connector: smtp"
EVENING = datetime(2026, 11, 20, 21, 59, 57, tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)  # three seconds before it is quiet


@pytest.fixture
def slow(shop: SmallProject) -> SmallProject:
    """Sixty people, and a server of mail that takes ten messages a second."""
    shop.write("activation/destinations.yml", DESTINATIONS.replace("connector: smtp", TEN_A_SECOND))
    shop.people(60)
    shop.send(MAIL)
    return shop


def runs(shop: SmallProject) -> list[tuple[str, str]]:
    return shop.rows("select run_id, status from activation.sync_runs order by started_at")


def test_nothing_leaves_any_more_when_quiet_time_begins_meanwhile(slow: SmallProject, sandbox: RunningSandbox) -> None:
    slow.policy("quiet_hours", 'default_time_zone: Asia/Shanghai\nchannels:\n  email: {from: "22:00", to: "08:00"}\n')
    began = time.time()
    settled = slow.run(MAIL, EVENING)
    sent, withheld = settled.outcomes["sent"], settled.outcomes["withheld"]
    assert settled.planned == sent + withheld == 60
    assert withheld >= 15, "forty-five at most can leave in three seconds"
    assert {code for outcome, code, _, _ in settled.reasons} == {"QUIET_HOURS"}
    assert settled.status == "succeeded"
    assert time.time() - began > 2 or sent == 0
    for run_id, _ in runs(slow):
        slow.books(run_id)
    morning = slow.run(MAIL, EVENING + timedelta(hours=11))
    assert morning.outcomes["sent"] == withheld
    assert set(sandbox.message_ids("smtp").values()) == {1}
    assert len(sandbox.message_ids("smtp")) == 60


def test_who_withdraws_while_others_get_their_message_gets_none(
    slow: SmallProject, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validity, "MINUTES", 1 / 60)

    def withdraw() -> None:
        while not sandbox.taken("smtp"):
            time.sleep(0.02)
        slow.sql("insert into consent_state values ('p_9', 'email', 'newsletter', 'withdrawn', timestamp '2026-11-20 04:00')")

    person = threading.Thread(target=withdraw)
    person.start()
    settled = slow.run(MAIL, NOON)
    person.join()
    assert (settled.planned, settled.outcomes["sent"], settled.outcomes["withheld"], settled.outcomes["skipped"]) == (60, 59, 1, 0)
    assert [(outcome, code, rows) for outcome, code, _, rows in settled.reasons] == [("withheld", "CONSENT_WITHDRAWN", 1)]
    assert settled.operations["add"] == {"planned": 60, "attempted": 59, "succeeded": 59, "failed": 0}
    assert set(sandbox.message_ids("smtp").values()) == {1}
    *before, (last, status) = runs(slow)
    assert (last, status) == (settled.run_id, "succeeded")
    assert {status for _, status in before} == {"continued"}
    for run_id, _ in runs(slow):
        slow.books(run_id)


def test_only_those_who_were_planned_are_asked_about_anew(
    slow: SmallProject, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.people(25)
    monkeypatch.setattr(validity, "MINUTES", 1 / 60)

    def joins() -> None:
        while not sandbox.taken("smtp"):
            time.sleep(0.02)
        slow.sql(
            "insert into dim_profiles select 'p_new', 'New', 'new@mail.example', null, null, 'Asia/Shanghai'",
            "insert into segment_everyone values ('p_new')",
            "insert into consent_state values ('p_new', 'all', 'all', 'granted', timestamp '2026-01-01')",
        )

    person = threading.Thread(target=joins)
    person.start()
    approved = slow.plan(MAIL).plan_hash
    settled = slow.run(MAIL, NOON, plan_hash=approved)
    person.join()
    assert (settled.planned, settled.outcomes["sent"]) == (25, 25)
    assert slow.planned(MAIL) == [("add", "p_new", None)]


def test_a_run_in_which_nothing_could_leave_is_another_than_the_next(
    slow: SmallProject, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.people(2)
    held = iter([0.0, 0.0, 900.0])
    monkeypatch.setattr("activation.engine.gate.valid_for", lambda *_: next(held))
    settled = slow.run(MAIL, NOON)
    assert (settled.planned, settled.outcomes["sent"]) == (2, 2)
    assert [status for _, status in runs(slow)] == ["continued", "continued", "succeeded"]
    assert set(sandbox.message_ids("smtp").values()) == {1}
