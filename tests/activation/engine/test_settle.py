"""Settling moves the ledger's outcomes into the warehouse, once, however often it is done and wherever it was interrupted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb
import pytest
from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

from activation.engine.errors import SluiceError
from activation.engine.project import Project
from activation.engine.run import Runner
from activation.engine.settle import settle
from activation.engine.warehouse import opened, packs_text, transaction

CRM, SMS = "hubspot/people", "sms/short"


def again(shop: SmallProject, run_id: str) -> None:
    """Settle a run once more, from what the ledger and the plan say."""
    with shop.ledger() as ledger, opened(shop.project) as connection:
        run = dict(ledger.rows("select * from runs where run_id = ?", (run_id,))[0])
        plans = shop.project.plans
        plan_file = plans / f"{run['ref'].replace('/', '__')}-{run['plan_hash']}.parquet"
        settle(connection, ledger, shop.find(run["ref"]), run, plan_file, plans / f"{run_id}.gate.parquet", run["result"], ("", ""), NOON)


def forget_settling(shop: SmallProject, run_id: str, history: bool) -> None:
    """As if the process had died between the ledger and the warehouse; or, with its history there, before it could say so."""
    with shop.ledger() as ledger:
        ledger.execute("update runs set status = 'delivered' where run_id = ?", (run_id,))
    if not history:
        tables = ("sync_runs", "sync_changelog", "sync_snapshot")
        shop.sql(*(f"delete from activation.{table} where run_id = '{run_id}'" for table in tables))


def comparable(dump: list[list[tuple[Any, ...]]]) -> list[list[tuple[Any, ...]]]:
    """Without when it was finished: that is the moment of settling."""
    runs, *others = dump
    return [[row[:7] + row[8:] for row in runs], *others]


@pytest.fixture
def mixed(shop: SmallProject, sandbox: RunningSandbox) -> SmallProject:
    """A run with every outcome but `skipped`, and one before it."""
    shop.people(6)
    shop.sync(CRM, mode="mirror", on_removed="archive", guards={"max_removed_pct": 100})
    shop.run(CRM)
    shop.sql("delete from sync_people where profile_id = 'p_5'", "update sync_people set first_name = 'x' where profile_id < 'p_4'")
    shop.sql("insert into sync_people values (null, 'n@mail.example', 'n', '', 1)")
    shop.fill("suppressions", [("p_0", "crm", "do_not_contact", "all")])
    sandbox.fault("hubspot", "partial", match="u1@mail.example")
    return shop


def test_every_outcome_is_counted_and_the_counts_are_those_of_the_rows(mixed: SmallProject) -> None:
    result = mixed.run(CRM)
    assert mixed.books(result.run_id) == {
        "planned": 6, "sent": 3, "rejected": 1, "withheld": 1, "unknown": 0, "skipped": 0, "invalid": 1,
    }  # fmt: skip
    assert result.operations == {
        "add": {"planned": 1, "attempted": 0, "succeeded": 0, "failed": 1},
        "change": {"planned": 4, "attempted": 3, "succeeded": 2, "failed": 1},
        "remove": {"planned": 1, "attempted": 1, "succeeded": 1, "failed": 0},
    }
    columns = ", ".join(
        f"{kind}_{count}" for kind in ("add", "change", "remove") for count in ("planned", "attempted", "succeeded", "failed")
    )
    assert mixed.rows(f"select {columns} from activation.sync_runs where run_id = ?", result.run_id) == [
        (1, 0, 0, 1, 4, 3, 2, 1, 1, 1, 1, 0)
    ]


def test_only_what_was_acknowledged_becomes_the_state(mixed: SmallProject) -> None:
    before = mixed.state(CRM)
    mixed.run(CRM)
    changed = {key: before[key][1] | {"firstname": "x"} for key in ("p_2", "p_3")}
    assert {key: payload for key, (_, payload) in mixed.state(CRM).items()} == {
        key: changed.get(key, payload) for key, (_, payload) in before.items() if key != "p_5"
    }


def test_settling_twice_gives_the_same_tables(mixed: SmallProject) -> None:
    run_id = mixed.run(CRM).run_id
    before = mixed.dump()
    again(mixed, run_id)
    again(mixed, run_id)
    assert comparable(mixed.dump()) == comparable(before)


def test_a_crash_between_ledger_and_warehouse_is_made_good_by_the_next_run(mixed: SmallProject) -> None:
    run_id = mixed.run(CRM).run_id
    settled = mixed.dump()
    forget_settling(mixed, run_id, history=False)
    runner = mixed.runner()
    (closed,) = runner.recover(runner.declarations.find(CRM))
    assert (closed.run_id, closed.status) == (run_id, "failed_rows")
    assert comparable(mixed.dump()) == comparable(settled)
    assert runner.recover(runner.declarations.find(CRM)) == []


def test_a_crash_between_the_warehouse_and_the_last_word_to_the_ledger_changes_nothing(mixed: SmallProject) -> None:
    run_id = mixed.run(CRM).run_id
    settled = mixed.dump()
    forget_settling(mixed, run_id, history=True)
    runner = mixed.runner()
    runner.recover(runner.declarations.find(CRM))
    assert comparable(mixed.dump()) == comparable(settled)


def test_a_run_that_died_in_mid_delivery_is_closed_with_what_is_known(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(5)
    ref = shop.send(SMS)
    result = shop.run(ref)
    forget_settling(shop, result.run_id, history=False)
    with shop.ledger() as ledger:
        ledger.execute("update runs set status = 'delivering', result = 'running', finished_at = null")
        ledger.execute("update deliveries set outcome = null, code = null, reason = null, answered_at = null where row_number = 1")
        ledger.execute("update messages set state = 'intended' where profile_id = 'p_1'")
        ledger.execute("delete from deliveries where row_number > 2")
        ledger.execute("delete from messages where profile_id > 'p_2'")
    runner = shop.runner()
    (closed,) = runner.recover(runner.declarations.find(ref))
    assert shop.outcomes(closed.run_id) == {
        "p_0": ("sent", ""),
        "p_1": ("unknown", "INTERRUPTED"),
        "p_2": ("sent", ""),
        "p_3": ("skipped", "INTERRUPTED"),
        "p_4": ("skipped", "INTERRUPTED"),
    }
    assert {key: state for key, (state, _) in shop.state(ref).items()} == {"p_0": "acknowledged", "p_1": "held", "p_2": "acknowledged"}
    shop.books(closed.run_id)


def test_books_that_do_not_balance_are_not_settled(mixed: SmallProject) -> None:
    run_id = mixed.run(CRM).run_id
    forget_settling(mixed, run_id, history=False)
    before = mixed.dump()
    verdicts = mixed.project.plans / f"{run_id}.gate.parquet"
    with duckdb.connect() as connection:
        twice = str(verdicts) + ".twice"
        connection.execute(f"copy (select * from '{verdicts}' union all select * from '{verdicts}') to '{twice}' (format parquet)")
    os.replace(twice, verdicts)
    runner = mixed.runner()
    with pytest.raises(SluiceError, match=r"do not balance .* Nothing was settled"):
        runner.recover(runner.declarations.find(CRM))
    assert mixed.dump() == before


def test_a_transaction_is_all_or_nothing(shop: SmallProject) -> None:
    def half(connection: duckdb.DuckDBPyConnection) -> None:
        with transaction(connection):
            connection.execute("insert into segment_everyone values ('x')")
            raise ValueError("half way")

    with opened(shop.project) as connection:
        with pytest.raises(ValueError, match="half way"):
            half(connection)
        assert connection.execute("select * from segment_everyone").fetchall() == []


def test_what_the_destination_calls_a_record_is_remembered_for_its_removal(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    ref = shop.sync(mode="mirror", on_removed="archive", guards={"max_removed_pct": 100})
    shop.run(ref)
    assert all(row[0] for row in shop.rows("select provider_id from activation.sync_snapshot"))
    shop.sql("delete from sync_people where profile_id = 'p_0'")
    assert shop.run(ref).operations["remove"]["succeeded"] == 1
    assert list(sandbox.contacts()) == ["u1@mail.example"]


def test_the_history_of_a_send_can_be_joined_to_its_receipts(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    result = shop.run(shop.send(SMS))
    arrived = {kept["content"]["out_id"]: kept["content"]["biz_id"] for kept in sandbox.taken("aliyun_sms")}
    rows = shop.rows(
        "select message_id, provider_id, channel, purpose, kind, recorded_at from activation.deliveries where run_id = ?", result.run_id
    )
    assert {row[0]: row[1] for row in rows} == arrived
    assert {row[2:] for row in rows} == {("sms", "newsletter", "send", NOON.replace(tzinfo=None))}


def test_a_project_is_only_its_own(shop: SmallProject, sandbox: RunningSandbox) -> None:
    """Two syncs keep states apart though their keys are the same."""
    shop.people(2)
    first, second = shop.sync("partner/one"), shop.sync("partner/two")
    shop.run(first)
    assert shop.plan(second).counts["add"] == 2
    runner = Runner(shop.project, shop.declarations, NOON)
    runner.run(runner.declarations.find(second))
    shop.sql("update sync_people set first_name = 'x'")
    shop.run(first)
    assert (shop.plan(first).planned, shop.plan(second).counts["change"]) == (0, 2)


def test_a_warehouse_with_the_layout_of_an_earlier_version_settles_just_so(tmp_path: Path, sandbox: RunningSandbox) -> None:
    warehouse = Project(tmp_path.resolve()).warehouse
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    duckdb.connect(str(warehouse)).close()
    shop = SmallProject(tmp_path)
    shop.people(6)
    shop.sync(CRM)
    assert shop.books(shop.run(CRM).run_id)["sent"] == 6
    with opened(shop.project, read_only=True) as connection:
        assert not packs_text(connection)
