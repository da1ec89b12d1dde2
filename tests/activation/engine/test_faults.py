"""What goes wrong for a while, or all at once: storms of refusals, answers in drops, a full disk, locks. Each ends in a true outcome."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from running_sandbox import RunningSandbox, as_a_process
from scripted_server import TRICKLE, serving
from small_project import SmallProject
from test_run import parallel, until

from activation.engine.errors import LedgerBroken
from activation.engine.history import status

CRM, SMS = "hubspot/people", "sms/short"


def end_pauses(shop: SmallProject) -> None:
    """As if every pause had run its time."""
    with shop.ledger() as ledger:
        for row in ledger.rows("select destination from circuits"):
            ledger.close_circuit(row["destination"])


# -- the destination ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_a_storm_of_429_that_passes_costs_nothing_but_time(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(100)
    ref = shop.sync()
    sandbox.fault("hubspot", "rate_limit", retry_after=0, times=40)
    result = shop.run(ref)
    assert (result.status, result.outcomes["sent"], sandbox.faults_left()) == ("succeeded", 100, 0)
    assert len(sandbox.taken("hubspot")) == 100


@pytest.mark.usefixtures("quick")
def test_a_storm_of_429_that_does_not_pass_leaves_every_message_to_a_later_run(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(20)
    ref = shop.send(SMS)
    sandbox.fault("aliyun_sms", "rate_limit", retry_after=0, times=100_000)
    result = shop.run(ref)
    assert (result.status, result.outcomes["skipped"], sandbox.taken("aliyun_sms")) == ("incomplete", 20, [])
    shop.books(result.run_id)
    sandbox.no_faults()
    end_pauses(shop)
    assert shop.run(ref).outcomes["sent"] == 20
    assert set(sandbox.message_ids("aliyun_sms").values()) == {1}


@pytest.mark.usefixtures("quick")
def test_a_destination_that_breaks_in_the_middle_leaves_a_run_to_resume_with_what_is_left(
    shop: SmallProject, sandbox: RunningSandbox
) -> None:
    shop.people(100)
    ref = shop.sync()
    sandbox.fault("hubspot", "server_error", match="u55@mail.example", times=100_000)
    first = shop.run(ref)
    assert first.status == "incomplete"
    books = shop.books(first.run_id)
    assert 0 < books["sent"] == len(sandbox.contacts()) < 100
    assert books["skipped"] == 100 - books["sent"]
    assert [circuit["destination"] for circuit in status(shop.project, shop.declarations).circuits] == ["hubspot"]
    sandbox.no_faults()
    end_pauses(shop)
    second = shop.run(ref)
    assert (second.status, second.planned, second.outcomes["sent"]) == ("succeeded", books["skipped"], books["skipped"])
    assert len(sandbox.taken("hubspot")) == 100


@pytest.mark.usefixtures("quick")
async def test_an_answer_that_comes_in_drops_is_not_waited_for_for_ever(shop: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.people(1)
    ref = shop.send(SMS)
    async with serving(TRICKLE) as script:
        monkeypatch.setenv("SLUICE_SANDBOX_URL", script.address)
        result = await asyncio.wait_for(asyncio.to_thread(shop.run, ref), 20)
    assert (result.outcomes["unknown"], len(script.times)) == (1, 1)
    assert [row["key"] for row in status(shop.project, shop.declarations).held] == ["p_0"]


# -- this machine ---------------------------------------------------------------------------------------------------------


@contextmanager
def ledger_locked(shop: SmallProject) -> Iterator[None]:
    """Somebody else writes to the ledger, and is slow."""
    other = sqlite3.connect(shop.project.ledger, isolation_level=None)
    other.execute("begin immediate")
    try:
        yield
    finally:
        other.close()


def test_a_ledger_that_is_locked_for_a_while_is_waited_for(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(40)
    ref = shop.sync()
    sandbox.fault("hubspot", "slow", seconds=25, times=4)
    thread, results = parallel(shop, ref)
    until(lambda: sandbox.faults_left() == 0)
    with ledger_locked(shop):
        sandbox.no_faults()
        time.sleep(1.0)  # all that was in flight is answered, and none of it can be written down
        assert thread.is_alive()
    thread.join()
    assert (results[0].status, results[0].outcomes["sent"]) == ("succeeded", 40)


def test_a_ledger_that_stays_locked_ends_the_run_and_the_next_one_knows_what_may_have_arrived(
    shop: SmallProject, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.people(60)
    ref = shop.send(SMS)
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: real(*args, **{**kwargs, "timeout": 0.2}))
    sandbox.fault("aliyun_sms", "slow", seconds=25, times=10)
    thread, results = parallel(shop, ref)
    until(lambda: len(sandbox.taken("aliyun_sms")) >= 10)
    with ledger_locked(shop):
        sandbox.no_faults()
        thread.join(180)
    assert not thread.is_alive()
    assert isinstance(results[0], LedgerBroken)
    assert "database is locked" in str(results[0])
    monkeypatch.undo()
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    with shop.ledger() as ledger:  # it could not be given back either, and runs out
        ledger.execute("update leases set expires_at = 0")
    next_one_closes_it(shop, sandbox, ref)


def test_a_full_disk_ends_the_run_in_a_sentence_and_the_next_one_knows_what_may_have_arrived(shop: SmallProject, tmp_path: Path) -> None:
    shop.people(60)
    ref = shop.send(SMS)
    with as_a_process(tmp_path / "sandbox") as sandbox:
        sandbox.fault("aliyun_sms", "slow", seconds=25, times=10)
        process = shop.start("run", ref, **sandbox.environment)
        until(lambda: len(sandbox.taken("aliyun_sms")) >= 10)
        # From now on no file of this process grows, as on a disk that is full.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, 1))
        sandbox.no_faults()
        out, err = process.communicate(timeout=300)
        assert (process.returncode, out) == (1, "")
        assert err.startswith("sluice: The ledger failed: "), err
        assert err.count("\n") == 1, err
        next_one_closes_it(shop, sandbox, ref)


def next_one_closes_it(shop: SmallProject, sandbox: RunningSandbox, ref: str) -> None:
    """What was on its way when the run ended is held, the rest leaves, and nobody gets anything twice."""
    second = shop.run_here(sandbox, ref)
    broken = shop.rows("select run_id, status from activation.sync_runs where run_id <> ?", second.run_id)
    assert [state for _, state in broken] == ["interrupted"]
    books = shop.books(broken[0][0])
    assert 0 < books["unknown"] < 60
    assert books["sent"] + books["unknown"] + books["skipped"] == 60
    assert second.outcomes["sent"] == second.planned == books["skipped"]
    came = sandbox.message_ids("aliyun_sms")
    held = {row["key"] for row in status(shop.project, shop.declarations).held}
    assert set(came.values()) == {1}
    assert len(held) == books["unknown"]
    assert len(came) >= 60 - len(held)
