"""One run of a sync at a time: who holds the lease is named, a dead holder is followed at once, and who lost it writes nothing more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activation.engine.errors import Held
from activation.engine.ledger import Intent, LeaseLost, Ledger, Recorded

ROOT = Path(__file__).parents[4]
HOLD = """
import sys
from pathlib import Path
from activation.engine.ledger import Ledger
where = sys.argv[1]
ledger = Ledger(where if where.startswith("postgresql:") else Path(where))
ledger.acquire(sys.argv[2], "the other run")
print("held", flush=True)
sys.stdin.read()
"""
OPEN = """
import sys
from pathlib import Path
from activation.engine.ledger import Ledger
where = sys.argv[1]
sys.stdin.readline()
with Ledger(where if where.startswith("postgresql:") else Path(where)) as ledger:
    for _ in range(5):
        ledger.take("bucket", 1, 0.1, 10.0)
"""


@pytest.fixture
def other(where: Path | str) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts processes that hold the lease of a sync."""
    started: list[subprocess.Popen[str]] = []

    def hold(ref: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(where), ref], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def expire(ledger: Ledger, ref: str) -> None:
    """As if the holder had not been heard of for as long as a lease runs."""
    ledger.execute("update leases set expires_at = 0 where ref = ?", (ref,))


def test_a_second_process_is_told_who_holds_the_sync(where: Path | str, other: Callable[[str], subprocess.Popen[str]]) -> None:
    process = other("mail/hello")
    with Ledger(where) as ledger, pytest.raises(Held) as held:
        ledger.acquire("mail/hello", "mine")
    assert f"{os.uname().nodename}:{process.pid}, run the other run" in str(held.value)


def test_another_sync_is_free(where: Path | str, other: Callable[[str], subprocess.Popen[str]]) -> None:
    other("mail/hello")
    with Ledger(where) as ledger:
        ledger.acquire("mail/another", "mine")


def test_a_holder_that_was_killed_is_followed_at_once(where: Path | str, other: Callable[[str], subprocess.Popen[str]]) -> None:
    process = other("mail/hello")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with Ledger(where) as ledger:
        assert ledger.acquire("mail/hello", "mine").token == 2


def test_a_holder_that_is_dead_but_not_yet_buried_is_followed_at_once(
    where: Path | str, other: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = other("mail/hello")
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie until it is waited for
    with Ledger(where) as ledger:
        ledger.acquire("mail/hello", "mine")


def test_another_process_with_the_dead_holders_pid_is_not_taken_for_it(where: Path | str) -> None:
    with Ledger(where) as ledger:
        ledger.acquire("mail/hello", "before")
        ledger.execute("update leases set holder = ?", (f"{os.uname().nodename}:{os.getpid()}:1",))  # this pid, started at boot
        ledger.acquire("mail/hello", "mine")


def test_a_holder_on_another_machine_is_believed_until_its_lease_runs_out(where: Path | str) -> None:
    with Ledger(where) as ledger:
        ledger.acquire("mail/hello", "there")
        ledger.execute("update leases set holder = 'elsewhere:1:1'")
        with pytest.raises(Held):
            ledger.acquire("mail/hello", "mine")
        expire(ledger, "mail/hello")
        ledger.acquire("mail/hello", "mine")


def test_a_machine_of_the_same_name_is_another_machine(where: Path | str) -> None:
    with Ledger(where) as ledger:
        ledger.acquire("mail/hello", "there")
        # Its process number means nothing here.
        ledger.execute("update leases set holder = ?", (f"{os.uname().nodename}:{os.getpid()}:1@another.1",))
        with pytest.raises(Held):
            ledger.acquire("mail/hello", "mine")


def test_a_lease_that_was_given_back_is_free_and_its_token_is_spent(where: Path | str) -> None:
    with Ledger(where) as ledger:
        first = ledger.acquire("mail/hello", "one")
        ledger.release(first)
        second = ledger.acquire("mail/hello", "two")
        assert second.token > first.token
        ledger.release(first)
        with pytest.raises(Held):
            ledger.acquire("mail/hello", "three")


def test_who_lost_the_lease_writes_nothing(where: Path | str) -> None:
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    run = {"run_id": "r1", "ref": "mail/hello", "kind": "send", "destination": "mail", "channel": "email", "plan_hash": "h"}
    run |= {"as_of": moment.isoformat(), "started_at": moment.isoformat()}
    with Ledger(where) as ledger, Ledger(where) as paused:
        old = paused.acquire("mail/hello", "r1")
        paused.begin_run(old, run)
        expire(ledger, "mail/hello")
        ledger.acquire("mail/hello", "r2")
        before = [[tuple(row) for row in ledger.rows(f"select * from {table}")] for table in ("runs", "leases", "deliveries", "messages")]
        claims = run | {"purpose": "newsletter"}
        for write in (
            lambda: paused.renew(old),
            lambda: paused.intend(old, claims, [Intent(0, 0, "m_1")]),
            lambda: paused.record(old, "r1", [Recorded(0, "sent", "", "", None, "m_1")]),
            lambda: paused.write_together(old, claims, [[Intent(0, 0, "m_1")]]),
            lambda: paused.close_interrupted(old, "r1"),
            lambda: paused.begin_run(old, run | {"run_id": "r3"}),
            lambda: paused.end_delivery(old, "r1", "complete", moment),
            lambda: paused.end_run(old, "r1"),
        ):
            with pytest.raises(LeaseLost, match="mail/hello was taken over by another process"):
                write()
        paused.release(old)
        after = [[tuple(row) for row in ledger.rows(f"select * from {table}")] for table in ("runs", "leases", "deliveries", "messages")]
        assert after == before


def test_a_renewed_lease_is_not_taken(where: Path | str) -> None:
    with Ledger(where) as ledger:
        lease = ledger.acquire("mail/hello", "mine")
        ledger.execute("update leases set holder = 'elsewhere:1:1', expires_at = 0")
        ledger.renew(lease)
        with pytest.raises(Held):
            ledger.acquire("mail/hello", "other")


def test_processes_that_open_a_new_ledger_together_share_it(where: Path | str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(where)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(6)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate()[1] for process in processes]
    assert errors == [""] * 6
    with Ledger(where) as ledger:
        # Thirty were taken of ten, at one in ten seconds: who comes now waits for two hundred seconds, less the time that has passed.
        assert ledger.take("bucket", 0, 0.1, 10.0) > 100
