"""History is kept as long as declared: what is older goes, but never what a rule, a held message or an unsettled run still needs."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

from activation.engine.ledger import Intent, Ledger, LotIntent, LotRecorded, Recorded
from activation.engine.retention import Pruned, prune
from activation.engine.warehouse import opened

CRM, MAIL, SMS = "hubspot/people", "mail/hello", "sms/short"
MOMENT = "2026-11-20T04:00:00+00:00"


def let_go(shop: SmallProject, now: datetime = NOON) -> Pruned:
    with shop.ledger() as ledger, opened(shop.project) as connection:
        return prune(connection, shop.project, ledger, shop.declarations.policies, now)


def settled(ledger: Ledger, run_id: str, days_ago: float, outcome: str = "sent", ref: str = MAIL) -> None:
    """A run of one message and one lot that ended some days ago."""
    then = datetime.now(UTC) - timedelta(days=days_ago)
    lease = ledger.acquire(ref, run_id)
    run = {"run_id": run_id, "ref": ref, "kind": "send", "destination": "mail", "channel": "email", "plan_hash": f"h-{run_id}"}
    ledger.note_plan(run["plan_hash"], ref, "file", then, {})
    ledger.begin_run(lease, run | {"as_of": MOMENT, "started_at": then.isoformat()})
    claims = run | {"purpose": "newsletter", "as_of": MOMENT}
    ledger.intend(lease, claims, [Intent(0, 0, f"m_{run_id}"), LotIntent(1, 1, 5, 5)])
    ledger.record(lease, run_id, [Recorded(0, outcome, "", "", None, f"m_{run_id}"), LotRecorded(1, outcome, "", "")])
    ledger.end_delivery(lease, run_id, "complete", then)
    ledger.end_run(lease, run_id)
    ledger.release(lease)


def kept(ledger: Ledger) -> dict[str, list[str]]:
    return {table: [row[0] for row in ledger.rows(f"select run_id from {table} order by 1")] for table in ("runs", "deliveries", "lots")}


def age(path: Path, days: float) -> None:
    then = datetime.now(UTC).timestamp() - days * 86400
    os.utime(path, (then, then))


def test_old_runs_go_from_the_ledger_and_claims_of_messages_stay(ledger: Ledger) -> None:
    for run_id, days in (("old", 100), ("young", 50)):
        settled(ledger, run_id, days)
    assert ledger.prune(datetime.now(UTC) - timedelta(days=90)) == 1
    assert set(map(tuple, kept(ledger).values())) == {("young",)}
    assert [row[0] for row in ledger.rows("select plan_hash from plans")] == ["h-young"]
    assert [tuple(row) for row in ledger.rows("select message_id, state from messages order by 1")] == [
        ("m_old", "sent"),
        ("m_young", "sent"),
    ]


def test_the_last_run_that_delivered_stays_however_old(ledger: Ledger) -> None:
    settled(ledger, "older", 300)
    settled(ledger, "last", 200)
    settled(ledger, "in vain", 150, "rejected")
    settled(ledger, "another", 400, ref=SMS)
    ledger.prune(datetime.now(UTC) - timedelta(days=90))
    assert kept(ledger)["runs"] == ["another", "in vain", "last"]


def test_a_run_that_has_not_settled_stays_with_all_it_tried(ledger: Ledger) -> None:
    settled(ledger, "open", 100)
    settled(ledger, "young", 1)
    ledger.execute("update runs set status = 'delivered' where run_id = 'open'")
    assert ledger.prune(datetime.now(UTC) - timedelta(days=90)) == 0
    assert kept(ledger)["deliveries"] == ["open", "young"]


def test_old_files_of_plans_go_but_not_those_of_a_run_that_has_not_settled(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    shop.sync(CRM)
    shop.send(MAIL)
    for ref in (CRM, MAIL):
        shop.run(ref)
    with shop.ledger() as ledger:
        ledger.execute("update runs set status = 'delivered' where ref = ?", (CRM,))
    stray = shop.project.plans / "notes.txt"
    stray.touch()
    for path in shop.project.plans.iterdir():
        age(path, 31)
    fresh = shop.plan(CRM).file
    assert let_go(shop).files == 2  # the plan and the verdicts of the send
    left = sorted(path.name for path in shop.project.plans.iterdir())
    assert [name.split("-")[0] for name in left if name != fresh.name] == ["hubspot__people", "notes.txt", left[-1].split("-")[0]]
    assert left[-1].endswith(".gate.parquet")
    shop.runner().recover(shop.find(CRM))
    assert shop.rows("select count(*) from activation.sync_runs where ref = ?", CRM) == [(1,)]


def test_old_rows_of_the_changelog_go(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    shop.sync(CRM)
    shop.policy("retention", "changelog_days: 10")
    shop.run(CRM, now=NOON - timedelta(days=11))
    shop.sql("update sync_people set first_name = 'x'")
    shop.run(CRM, now=NOON - timedelta(days=9))
    assert shop.rows("select count(*) from activation.sync_changelog") == [(4,)]
    assert let_go(shop).changelog == 2
    assert shop.rows("select count(*) from activation.sync_changelog") == [(2,)]
    assert len(shop.rows("select 1 from activation.sync_runs")) == 2


def test_a_run_carries_it_out(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(1)
    shop.sync(CRM)
    shop.policy("retention", "changelog_days: 10")
    shop.run(CRM, now=NOON - timedelta(days=11))
    old = shop.project.plans / "preview-1.parquet"
    old.touch()
    age(old, 31)
    shop.run(CRM)
    assert shop.rows("select count(*) from activation.sync_changelog") == [(0,)]
    assert not old.exists()


@pytest.mark.parametrize(
    ("cap", "kept_rows"), [("{channel: email, messages: 1, per: month}", 1), ("{channel: email, messages: 1, days: 1}", 0)]
)
def test_what_a_cap_looks_back_at_is_kept(shop: SmallProject, sandbox: RunningSandbox, cap: str, kept_rows: int) -> None:
    shop.people(1)
    shop.policy("frequency_caps", f"caps: [{cap}]")
    shop.policy("retention", "changelog_days: 10")
    shop.send(MAIL)
    shop.sql("delete from consent_state")
    shop.run(MAIL, now=NOON - timedelta(days=20))
    let_go(shop)
    assert shop.rows("select count(*) from activation.sync_changelog") == [(kept_rows,)]


def test_who_got_a_message_is_kept_for_the_day_they_unsubscribe_by_it(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    shop.policy("retention", "changelog_days: 10")
    shop.sql("delete from consent_state where profile_id = 'p_1'")
    shop.send(MAIL)
    shop.run(MAIL, now=NOON - timedelta(days=4000))
    assert let_go(shop).changelog == 1
    assert shop.rows("select profile_id, outcome, message_id is not null from activation.sync_changelog") == [("p_0", "sent", True)]


def test_the_rows_that_tell_of_messages_are_kept_held_or_not(shop: SmallProject, sandbox: RunningSandbox, quick: None) -> None:
    shop.people(2)
    shop.policy("retention", "changelog_days: 10")
    shop.policy("frequency_caps", "caps: []")
    shop.send(SMS)
    sandbox.fault("aliyun_sms", "reset", match="13800000001", when="before")
    shop.run(SMS, now=NOON - timedelta(days=50))
    assert let_go(shop).changelog == 0
    assert shop.rows("select key from activation.sync_changelog order by key") == [("p_0",), ("p_1",)]


def test_it_may_be_kept_for_ever(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(1)
    shop.sync(CRM)
    shop.policy("retention", "changelog_days: null")
    shop.run(CRM, now=NOON - timedelta(days=4000))
    assert let_go(shop).changelog == 0
