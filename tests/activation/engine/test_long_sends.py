"""Sends that take longer than the gate's verdicts hold: the gate is asked anew about what is left, and everybody still gets one message."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from running_sandbox import RunningSandbox
from small_project import DESTINATIONS, SmallProject

from activation.engine.settle import Settled

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


def run_briefly(project: SmallProject, **options: Any) -> Settled:
    """A run for which verdicts hold for a second."""
    runner = project.runner(verdicts_hold=1.0)
    return runner.run(runner.declarations.find(MAIL), **options)


@contextmanager
def as_soon_as_mail_arrives(sandbox: RunningSandbox, happens: Callable[[], None]) -> Iterator[None]:
    def wait() -> None:
        while not sandbox.taken("smtp"):
            time.sleep(0.02)
        happens()

    life = threading.Thread(target=wait)
    life.start()
    yield
    life.join()


def test_nothing_leaves_any_more_when_quiet_time_begins_meanwhile(slow: SmallProject, sandbox: RunningSandbox) -> None:
    slow.policy("quiet_hours", 'default_time_zone: Asia/Shanghai\nchannels:\n  email: {from: "22:00", to: "08:00"}\n')
    settled = slow.run(MAIL, EVENING)
    sent, withheld = settled.outcomes["sent"], settled.outcomes["withheld"]
    assert (settled.status, settled.planned, sent + withheld) == ("succeeded", 60, 60)
    assert withheld >= 15, "forty-five at most can leave in three seconds"
    assert {code for _, code, _, _ in settled.reasons} == {"QUIET_HOURS"}
    slow.books(settled.run_id)
    morning = slow.run(MAIL, EVENING + timedelta(hours=11))
    assert morning.outcomes["sent"] == withheld
    assert list(sandbox.message_ids("smtp").values()) == [1] * 60


def test_who_withdraws_while_others_get_their_message_gets_none(slow: SmallProject, sandbox: RunningSandbox) -> None:
    word = "insert into consent_state values ('p_9', 'email', 'newsletter', 'withdrawn', timestamp '2026-11-20 04:00')"
    with as_soon_as_mail_arrives(sandbox, lambda: slow.sql(word)):
        settled = run_briefly(slow)
    assert settled.operations["add"] == {"planned": 60, "attempted": 59, "succeeded": 59, "failed": 0}
    assert [(outcome, code, rows) for outcome, code, _, rows in settled.reasons] == [("withheld", "CONSENT_WITHDRAWN", 1)]
    assert slow.outcomes(settled.run_id)["p_9"] == ("withheld", "CONSENT_WITHDRAWN")
    assert list(sandbox.message_ids("smtp").values()) == [1] * 59
    assert slow.books(settled.run_id)["sent"] == 59


def test_what_a_run_has_sent_itself_counts_when_the_gate_is_asked_anew(slow: SmallProject, sandbox: RunningSandbox) -> None:
    slow.policy("frequency_caps", "caps:\n- {channel: email, messages: 1, days: 7}\n")
    slow.policy("channel_quotas", "quotas:\n- {channel: email, messages: 40, per: day}\n")
    settled = run_briefly(slow)
    assert (settled.outcomes["sent"], settled.outcomes["withheld"]) == (40, 20)
    assert {code for _, code, _, _ in settled.reasons} == {"QUOTA"}
    assert list(sandbox.message_ids("smtp").values()) == [1] * 40


def test_only_those_who_were_planned_are_asked_about_anew(slow: SmallProject, sandbox: RunningSandbox) -> None:
    slow.people(25)
    joins = (
        "insert into dim_profiles select 'p_new', 'New', 'new@mail.example', null, null, 'Asia/Shanghai'",
        "insert into segment_everyone values ('p_new')",
        "insert into consent_state values ('p_new', 'all', 'all', 'granted', timestamp '2026-01-01')",
    )
    approved = slow.plan(MAIL).plan_hash
    with as_soon_as_mail_arrives(sandbox, lambda: slow.sql(*joins)):
        settled = run_briefly(slow, plan_hash=approved)
    assert (settled.planned, settled.outcomes["sent"]) == (25, 25)
    assert slow.planned(MAIL) == [("add", "p_new", None)]


def test_nothing_that_is_personal_stays_behind(slow: SmallProject, sandbox: RunningSandbox) -> None:
    slow.people(25)
    run_briefly(slow)
    assert list(slow.project.plans.glob("*.rest*")) == []


def test_who_dies_while_the_gate_is_asked_anew_sends_nobody_a_second_message(slow: SmallProject, sandbox: RunningSandbox) -> None:
    fork = multiprocessing.get_context("fork")
    for seconds in (1.5, 2.2, 2.9):
        run = fork.Process(target=run_briefly, args=(slow,))
        run.start()
        time.sleep(seconds)
        run.kill()
        run.join()
    settled = run_briefly(slow)
    came, held = sandbox.message_ids("smtp"), set(slow.held())
    assert set(came.values()) == {1}
    assert len(came) + len(held) >= 60, "who got nothing is held, and nobody is forgotten"
    assert slow.planned(MAIL) == []
    slow.books(settled.run_id)
