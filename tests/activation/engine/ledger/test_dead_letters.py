"""A row that fails again and again is dead in the end: counted once a run, not planned any more, alive again when it changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

from activation.engine.dead_letters import Letter, letters
from activation.engine.settle import settle
from activation.engine.warehouse import opened

CRM, SMS = "hubspot/people", "sms/short"
THREE = {"max_attempts": 3}


def waiting(shop: SmallProject, *states: str) -> dict[str, Letter]:
    with opened(shop.project) as connection:
        return {letter.key: letter for letter in letters(connection, None, states or ("held", "dead"))}


def failing(shop: SmallProject) -> list[tuple[str, int, str]]:
    return [
        (key, attempts, state)
        for key, attempts, state in shop.rows("select key, attempts, state from activation.sync_failures order by key")
    ]


def run(shop: SmallProject, sandbox: RunningSandbox, ref: str = CRM, now: datetime = NOON, person: str = "u1@mail.example") -> str:
    """One run in which one person's row is refused."""
    sandbox.fault("hubspot", "partial", match=person)
    return shop.run(ref, now=now).run_id


@pytest.fixture
def refused(shop: SmallProject, sandbox: RunningSandbox) -> SmallProject:
    """A sync of three people that tries each three times."""
    shop.people(3)
    shop.sync(CRM, retry=THREE)
    return shop


def test_a_row_that_failed_its_attempts_is_dead_and_not_planned(refused: SmallProject, sandbox: RunningSandbox) -> None:
    for attempt in (1, 2):
        run(refused, sandbox)
        assert failing(refused) == [("p_1", attempt, "failing")]
        assert refused.plan(CRM).planned == 1
    run_id = run(refused, sandbox)
    assert failing(refused) == [("p_1", 3, "dead")]
    plan = refused.plan(CRM)
    assert (plan.planned, plan.dead) == (0, 1)
    letter = waiting(refused)["p_1"]
    assert (letter.ref, letter.state, letter.attempts, letter.run_id) == (CRM, "dead", 3, run_id)
    assert letter.code
    assert refused.run(CRM).planned == 0


def test_a_row_that_arrives_in_between_begins_anew(refused: SmallProject, sandbox: RunningSandbox) -> None:
    run(refused, sandbox)
    run(refused, sandbox)
    sandbox.no_faults()
    refused.run(CRM)
    assert failing(refused) == []


def test_a_dead_row_that_changes_gets_a_fresh_set_of_attempts(refused: SmallProject, sandbox: RunningSandbox) -> None:
    for _ in range(3):
        run(refused, sandbox)
    refused.sql("update sync_people set first_name = 'Other' where profile_id = 'p_1'")
    assert (refused.plan(CRM).planned, refused.plan(CRM).dead) == (1, 0)
    run(refused, sandbox)
    assert failing(refused) == [("p_1", 1, "failing")]


def test_a_run_that_is_settled_twice_counts_once(refused: SmallProject, sandbox: RunningSandbox) -> None:
    run(refused, sandbox)
    run_id = run(refused, sandbox)
    before = refused.rows("select * from activation.sync_failures")
    with refused.ledger() as ledger, opened(refused.project) as connection:
        row = dict(ledger.rows("select * from runs where run_id = ?", (run_id,))[0])
        plans = refused.project.plans
        plan_file: Path = plans / f"{CRM.replace('/', '__')}-{row['plan_hash']}.parquet"
        settle(connection, ledger, refused.find(CRM), row, plan_file, plans / f"{run_id}.gate.parquet", row["result"], ("", ""), NOON)
    assert refused.rows("select * from activation.sync_failures") == before


def test_a_row_that_fails_for_too_long_is_dead(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    shop.sync(CRM, retry={"max_age_days": 2.0})
    run(shop, sandbox)
    run(shop, sandbox, now=NOON + timedelta(days=1))
    assert failing(shop) == [("p_1", 2, "failing")]
    run(shop, sandbox, now=NOON + timedelta(days=2))
    assert failing(shop) == [("p_1", 3, "dead")]


def test_a_row_that_is_withheld_has_not_failed(refused: SmallProject, sandbox: RunningSandbox) -> None:
    refused.fill("suppressions", [("p_1", "crm", "do_not_contact", "all")])
    for _ in range(4):
        refused.run(CRM)
    assert failing(refused) == []


def test_a_record_without_an_answer_failed_and_a_message_without_one_is_held(
    shop: SmallProject, sandbox: RunningSandbox, quick: None
) -> None:
    shop.people(2)
    shop.sync(CRM, retry={"max_attempts": 1})
    shop.send(SMS, retry={"max_attempts": 1})
    sandbox.fault("hubspot", "reset", times=100, when="before")
    sandbox.fault("aliyun_sms", "reset", match="13800000001", when="before")
    shop.run(CRM)
    shop.run(SMS)
    assert {letter.key: (letter.ref, letter.state) for letter in waiting(shop, "dead").values()} == {
        "p_0": (CRM, "dead"),
        "p_1": (CRM, "dead"),
    }
    assert {letter.key: (letter.ref, letter.code) for letter in waiting(shop, "held").values()} == {"p_1": (SMS, "NO_ANSWER")}


def test_what_a_crash_cut_off_is_not_the_rows_fault(refused: SmallProject, sandbox: RunningSandbox) -> None:
    for _ in range(4):
        refused.run(CRM)
        with refused.ledger() as ledger:  # as if the process had died before the answers
            ledger.execute("update runs set status = 'delivering', result = 'running', finished_at = null")
            for table in ("deliveries", "lots"):
                ledger.execute(f"update {table} set outcome = null, code = null, reason = null, answered_at = null")
        for table in ("sync_runs", "sync_changelog", "sync_snapshot"):
            refused.sql(f"delete from activation.{table}")
        refused.runner().recover(refused.find(CRM))
    assert failing(refused) == []


def test_of_a_send_a_refused_message_is_dead_in_the_end_too(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    shop.send(SMS, retry={"max_attempts": 2})
    for _ in range(2):
        sandbox.fault("aliyun_sms", "partial", match="13800000001")
        shop.run(SMS)
    assert [(key, state) for key, _, state in failing(shop)] == [("p_1", "dead")]
    assert shop.plan(SMS).planned == 0
