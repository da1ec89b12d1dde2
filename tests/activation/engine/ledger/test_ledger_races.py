"""Many processes at one ledger: one holds a sync, a message is claimed once, a bucket never gives more than it has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from activation.engine.errors import Held
from activation.engine.ledger import Intent, Ledger, Recorded

ROOT = Path(__file__).parents[4]
MOMENT = "2026-11-20T04:00:00+00:00"
BEGIN = """
import json, os, random, sys, time
from pathlib import Path
import activation.engine.ledger as module
from activation.engine.errors import Held
from activation.engine.ledger import Intent, LeaseLost, Ledger, Recorded
where, number = sys.argv[1], sys.argv[2]
ledger = Ledger(where if where.startswith("postgresql:") else Path(where))
def begin(ref, run_id):
    lease = ledger.acquire(ref, run_id)
    run = {"run_id": run_id, "ref": ref, "kind": "send", "destination": "mail", "channel": "email", "plan_hash": "h"}
    ledger.begin_run(lease, run | {"as_of": "2026-11-20T04:00:00+00:00", "started_at": "2026-11-20T04:00:00+00:00"})
    return lease, run | {"purpose": "newsletter", "as_of": "2026-11-20T04:00:00+00:00"}
print("ready", flush=True)
sys.stdin.readline()
"""
TAKE_TURNS = """
inside = Path(sys.argv[3])
tokens, until = [], time.monotonic() + 60
while len(tokens) < 5 and time.monotonic() < until:
    try:
        lease = ledger.acquire("mail/hello", number)
    except Held:
        time.sleep(random.uniform(0, 0.01))
        continue
    tokens.append(lease.token)
    os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # fails when somebody else is inside
    time.sleep(0.002)
    inside.unlink()
    ledger.release(lease)
print(json.dumps(tokens))
"""
CLAIM = """
lease, run = begin(f"mail/{number}", f"run-{number}")
ids = [f"m_{i}" for i in range(600)]
random.Random(number).shuffle(ids)
mine = []
for start in range(0, len(ids), 30):
    batch = [Intent(start + i, start, id) for i, id in enumerate(ids[start:start + 30])]
    refused = ledger.intend(lease, run, batch)
    mine += [intent.message_id for intent in batch if intent.row_number not in refused]
print(json.dumps(mine))
"""
TAKE = """
waits, began = [], time.time()
for _ in range(60):
    waits.append(ledger.take("bucket", 1, 200.0, 10.0) + time.time())
print(json.dumps([began, max(waits)]))
"""
WAKE = """
module.LEASE_SECONDS = 0.2
lease, run = begin("mail/hello", "paused")
ledger.intend(lease, run, [Intent(0, 0, "m_0")])
print("working", flush=True)
sys.stdin.readline()
try:
    ledger.write_together(lease, run, [[Intent(1, 0, "m_1"), Recorded(0, "sent", "", "", None, "m_0")]])
    print(json.dumps("wrote"))
except LeaseLost as error:
    print(json.dumps(str(error)))
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(where: Path | str) -> Iterator[Start]:
    """Starts processes that have opened the ledger and wait for a line."""
    started: list[subprocess.Popen[str]] = []

    def begin(script: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", BEGIN + script, str(where), str(len(started)), *map(str, arguments)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def say(process: subprocess.Popen[str], line: str = "go") -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def all_together(processes: list[subprocess.Popen[str]]) -> list[list[float]]:
    """What each of them printed, after all began at one moment."""
    assert {heard(process) for process in processes} == {"ready"}
    for process in processes:
        say(process)
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [json.loads(text) for text in said]


def test_of_many_processes_one_at_a_time_holds_a_sync(start: Start, tmp_path: Path) -> None:
    tokens = all_together([start(TAKE_TURNS, tmp_path / "inside") for _ in range(6)])
    assert sorted(token for mine in tokens for token in mine) == list(range(1, 31))


def test_of_two_runs_that_claim_the_same_messages_each_message_goes_to_one(start: Start) -> None:
    first, second = all_together([start(CLAIM), start(CLAIM)])
    assert len(set(first) | set(second)) == len(first) + len(second) == 600


def test_processes_together_take_no_more_than_the_bucket_gives(start: Start) -> None:
    spans = all_together([start(TAKE) for _ in range(4)])
    seconds = max(ready for _, ready in spans) - min(began for began, _ in spans)
    assert 10 + 200 * seconds + 1e-6 >= 4 * 60


def test_a_paused_process_that_wakes_after_its_lease_was_taken_writes_nothing(start: Start, where: Path | str) -> None:
    process = start(WAKE)
    assert heard(process) == "ready"
    say(process)
    assert heard(process) == "working"
    os.kill(process.pid, signal.SIGSTOP)
    with Ledger(where) as ledger:
        deadline = time.monotonic() + 20
        while True:
            try:
                lease = ledger.acquire("mail/hello", "next")
                break
            except Held:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        ledger.close_interrupted(lease, "paused")
        run = {"run_id": "next", "ref": "mail/hello", "kind": "send", "destination": "mail", "channel": "email", "plan_hash": "h"}
        ledger.begin_run(lease, run | {"as_of": MOMENT, "started_at": MOMENT})
        ledger.intend(lease, run | {"purpose": "newsletter", "as_of": MOMENT}, [Intent(1, 0, "m_1")])
        ledger.record(lease, "next", [Recorded(1, "sent", "", "", None, "m_1")])
        os.kill(process.pid, signal.SIGCONT)
        say(process)
        assert heard(process) == json.dumps("mail/hello was taken over by another process. This one stopped and wrote nothing more.")
        assert [tuple(row) for row in ledger.rows("select run_id, row_number, outcome from deliveries order by run_id")] == [
            ("next", 1, "sent"),
            ("paused", 0, "unknown"),
        ]
        states = {row["message_id"]: (row["state"], row["run_id"]) for row in ledger.rows("select * from messages")}
        assert states == {"m_0": ("unknown", "paused"), "m_1": ("sent", "next")}
