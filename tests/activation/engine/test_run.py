"""A run, whole: exactly the plan that was approved, one run at a time, and an end that is true whatever ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from running_sandbox import RunningSandbox, as_a_process
from small_project import NOON, SmallProject

from activation.engine.errors import Held, InputsMoved, SluiceError
from activation.engine.ledger import LeaseLost
from activation.engine.plan import Plan

FILES, CRM, MAIL, SMS = "files/people", "hubspot/people", "mail/hello", "sms/short"


HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.readline()
connection.close()
"""


@contextmanager
def warehouse_taken(shop: SmallProject) -> Iterator[None]:
    """Another process has the warehouse, as dbt has it while it builds."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(shop.project.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield
        finally:
            process.communicate("over\n")


def until(true: Callable[[], Any], seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def parallel(shop: SmallProject, ref: str) -> tuple[threading.Thread, list[Any]]:
    """A run in a thread, with connections of its own, as another process has them."""
    results: list[Any] = []

    def work() -> None:
        try:
            results.append(shop.run(ref))
        except SluiceError as error:
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, results


# -- the plan that was approved -------------------------------------------------------------------------------------------


def test_a_preview_sends_nothing_and_moves_nothing(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.sync()
    before = shop.dump()
    preview = shop.runner().preview(shop.find(ref))
    assert preview.plan.counts["add"] == 3
    assert (shop.dump(), sandbox.taken("hubspot")) == (before, [])
    with shop.ledger() as ledger:
        assert ledger.rows("select * from runs") == ledger.rows("select * from leases") == []


def test_the_plan_that_was_looked_at_is_applied_by_its_hash(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.sync()
    plan = shop.runner().preview(shop.find(ref)).plan
    result = shop.run(ref, plan_hash=plan.plan_hash)
    assert result.outcomes["sent"] == 3
    assert shop.rows("select plan_hash from activation.sync_runs") == [(plan.plan_hash,)]


def test_a_plan_whose_rows_have_moved_is_refused(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.sync()
    plan = shop.runner().preview(shop.find(ref)).plan
    shop.sql("update sync_people set first_name = 'x' where profile_id = 'p_1'")
    with pytest.raises(InputsMoved, match=f"no longer those of plan {plan.plan_hash}"):
        shop.run(ref, plan_hash=plan.plan_hash)
    assert sandbox.taken("hubspot") == []


def test_a_plan_that_was_applied_is_not_applied_again(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.sync()
    plan = shop.runner().preview(shop.find(ref)).plan
    shop.run(ref, plan_hash=plan.plan_hash)
    with pytest.raises(InputsMoved):
        shop.run(ref, plan_hash=plan.plan_hash)


def test_a_last_check_may_stop_the_run_before_the_first_call(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.send()
    runner, seen = shop.runner(), []

    def check(plan: Plan, verdicts: Path) -> None:
        seen.append((plan.planned, verdicts.is_file()))
        raise ValueError("unusual")

    with pytest.raises(ValueError, match="unusual"):
        runner.run(runner.declarations.find(ref), check=check)
    assert (seen, sandbox.taken("smtp"), shop.rows("select * from activation.sync_runs")) == ([(3, True)], [], [])
    assert shop.run(ref).outcomes["sent"] == 3
    assert shop.rows("select status from activation.sync_runs") == [("succeeded",)]


def test_a_moment_may_be_given_in_any_zone(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(1)
    shop.run(shop.send(), now=datetime.fromisoformat("2026-11-20T12:00:00+08:00"))
    assert shop.rows("select as_of from activation.sync_runs") == [(datetime(2026, 11, 20, 4, 0),)]
    assert shop.rows("select recorded_at from activation.sync_changelog") == [(datetime(2026, 11, 20, 4, 0),)]


# -- two at once ----------------------------------------------------------------------------------------------------------


def test_a_second_run_of_a_sync_is_refused_and_one_of_another_goes_on(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    ref, other = shop.sync(), shop.sync("partner/people")
    sandbox.fault("hubspot", "slow", seconds=25)
    thread, results = parallel(shop, ref)
    until(lambda: sandbox.faults_left() == 0)
    with pytest.raises(Held, match="hubspot/people is being run by another process"):
        shop.run(ref)
    assert shop.run(other).status == "succeeded"
    sandbox.no_faults()
    thread.join()
    assert results[0].status == "succeeded"


def test_a_send_that_is_on_its_way_counts_against_the_caps_of_the_next(shop: SmallProject, sandbox: RunningSandbox) -> None:
    """Both ask the gate before either has sent to everybody, or written down that it will."""
    shop.people(120)
    shop.policy("frequency_caps", "caps:\n- {channel: email, messages: 1, days: 7}\n")
    first, second = shop.send("mail/first"), shop.send("mail/second")
    sandbox.fault("smtp", "slow", seconds=25, times=4)  # all that are in flight
    thread, results = parallel(shop, first)
    until(lambda: sandbox.faults_left() == 0)
    assert shop.run(second).outcomes["withheld"] == 120
    sandbox.no_faults()
    thread.join()
    assert results[0].outcomes["sent"] == 120


def test_the_gate_counts_only_whom_a_send_on_its_way_may_still_reach(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(10)
    shop.policy("frequency_caps", "caps:\n- {channel: email, messages: 1, days: 7}\n")
    shop.fill("suppressions", [("p_3", "email", "complaint", "marketing")])
    first, second = shop.send("mail/first"), shop.send("mail/second", purpose="newsletter")
    sandbox.fault("smtp", "slow", seconds=25)
    thread, _ = parallel(shop, first)
    until(lambda: sandbox.faults_left() == 0)
    shop.sql("delete from suppressions")
    result = shop.run(second)
    sandbox.no_faults()
    thread.join()
    assert {key: outcome for key, (outcome, _) in shop.outcomes(result.run_id).items() if outcome == "sent"} == {"p_3": "sent"}


def test_who_lost_the_lease_while_waiting_for_the_warehouse_settles_nothing(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    ref = shop.sync()
    sandbox.fault("hubspot", "slow", seconds=25)
    thread, results = parallel(shop, ref)
    until(lambda: sandbox.faults_left() == 0)
    with warehouse_taken(shop):
        sandbox.no_faults()
        until(lambda: status_of(shop) == ["delivered"])
        with shop.ledger() as ledger:
            ledger.execute("update leases set token = token + 1, holder = 'elsewhere:1:1', expires_at = 0")
    thread.join()
    assert isinstance(results[0], LeaseLost)
    assert shop.rows("select count(*) from activation.sync_runs") == [(0,)]
    assert shop.run(ref).planned == 0  # closed by the next run, with what the ledger knew
    assert shop.rows("select status, sent from activation.sync_runs order by started_at") == [("succeeded", 2), ("succeeded", 0)]


def status_of(shop: SmallProject) -> list[str]:
    with shop.ledger() as ledger:
        return [row["status"] for row in ledger.rows("select status from runs order by started_at")]


def test_the_lease_is_kept_while_a_run_waits_for_the_warehouse(
    shop: SmallProject, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activation.engine.run.LEASE_SECONDS", 1.0)
    monkeypatch.setattr("activation.engine.ledger.LEASE_SECONDS", 3.0)
    shop.people(1)
    ref = shop.sync()
    with warehouse_taken(shop):
        thread, results = parallel(shop, ref)
        until(lambda: leases(shop))
        time.sleep(4.0)  # longer than a lease runs by itself
        with pytest.raises(Held):
            shop.run(ref)
    thread.join()
    assert results[0].status == "succeeded"


def leases(shop: SmallProject) -> list[Any]:
    with shop.ledger() as ledger:
        return ledger.rows("select * from leases")


# -- real processes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def processes(shop: SmallProject, tmp_path: Path) -> Iterator[tuple[RunningSandbox, Callable[..., subprocess.Popen[str]]]]:
    """A sandbox process, and a way to start `sluice` processes; all end with the test."""
    started: list[subprocess.Popen[str]] = []
    with as_a_process(tmp_path / "sandbox") as sandbox:

        def start(*arguments: str) -> subprocess.Popen[str]:
            started.append(shop.start(*arguments, **sandbox.environment))
            return started[-1]

        yield sandbox, start
        for process in started:
            process.kill()
            process.communicate()


Processes = tuple[RunningSandbox, Callable[..., subprocess.Popen[str]]]


def test_sigterm_finishes_what_is_in_flight_and_settles(shop: SmallProject, processes: Processes) -> None:
    sandbox, start = processes
    shop.people(300)
    ref = shop.sync()
    sandbox.fault("hubspot", "slow", seconds=25, times=4)
    process = start("run", ref, "--json")
    until(lambda: sandbox.faults_left() == 0)
    process.send_signal(signal.SIGTERM)
    sandbox.no_faults()
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err.strip()) == (1, "")
    (result,) = json.loads(out)
    assert result["status"] == "stopped"
    books = shop.books(result["run_id"])
    assert books["sent"] + books["skipped"] == 300
    assert 40 <= books["sent"] < 300
    assert books["sent"] == len(sandbox.contacts())
    assert {code for outcome, code in shop.outcomes(result["run_id"]).values() if outcome == "skipped"} == {"STOPPED"}
    assert shop.run_here(sandbox, ref).outcomes["sent"] == books["skipped"]


def test_a_second_process_is_told_who_holds_the_sync(shop: SmallProject, processes: Processes) -> None:
    sandbox, start = processes
    shop.people(1)
    ref = shop.sync()
    sandbox.fault("hubspot", "slow", seconds=25)
    first = start("run", ref)
    until(lambda: sandbox.faults_left() == 0)
    second = start("run", ref)
    out, err = second.communicate(timeout=300)
    assert (second.returncode, out) == (1, "")
    assert f":{first.pid}, run " in err
    assert "hubspot/people is being run by another process" in err
    sandbox.no_faults()
    assert first.wait(300) == 0


def test_a_paused_process_that_wakes_after_its_lease_was_taken_writes_nothing(shop: SmallProject, processes: Processes) -> None:
    sandbox, start = processes
    shop.people(3)
    ref = shop.send(SMS)
    sandbox.fault("aliyun_sms", "slow", seconds=25, times=3)
    process = start("run", ref)
    until(lambda: len(sandbox.taken("aliyun_sms")) == 3)
    process.send_signal(signal.SIGSTOP)
    sandbox.no_faults()
    with shop.ledger() as ledger:  # its lease has run out
        ledger.execute("update leases set expires_at = 0")
    second = shop.run_here(sandbox, ref)
    before = shop.dump()
    with shop.ledger() as ledger:
        recorded = [tuple(row) for row in ledger.rows("select * from deliveries")] + [
            tuple(r) for r in ledger.rows("select * from messages")
        ]
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "sms/short was taken over by another process" in err
    assert shop.dump() == before
    with shop.ledger() as ledger:
        after = [tuple(row) for row in ledger.rows("select * from deliveries")] + [tuple(r) for r in ledger.rows("select * from messages")]
    assert after == recorded
    assert second.planned == 0  # all three are held: they may have arrived, and did
    assert set(sandbox.message_ids("aliyun_sms").values()) == {1}


def test_a_run_that_rows_failed_in_ends_with_exit_code_one_and_a_clean_one_with_zero(shop: SmallProject, processes: Processes) -> None:
    sandbox, start = processes
    shop.people(2)
    ref = shop.sync()
    sandbox.fault("hubspot", "partial", match="u1@mail.example")
    codes = []
    for _ in range(2):
        process = start("run", ref)
        process.communicate(timeout=300)
        codes.append(process.returncode)
    assert codes == [1, 0]


def test_two_runs_at_one_moment_are_told_apart(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(1)
    ref = shop.sync()
    sandbox.fault("hubspot", "partial", times=2)
    runs = {shop.run(ref).run_id for _ in range(3)}
    assert len(runs) == 3
    assert shop.rows("select count(*) from activation.sync_runs where as_of = ?", NOON.replace(tzinfo=None)) == [(3,)]
    later = shop.run(ref, now=NOON + timedelta(days=1))
    assert later.planned == 0
    assert datetime.now(UTC) > NOON
