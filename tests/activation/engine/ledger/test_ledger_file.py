"""The ledger in a file: its owner's alone, on disk with every commit, carried over from older versions and left alone by newer ones."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activation.engine.errors import LedgerBroken, SluiceError
from activation.engine.ledger import Intent, Ledger
from activation.engine.ledger.store import VERSION, step


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_the_ledger_is_for_its_owner_alone(path: Path) -> None:
    with Ledger(path):
        assert {file.stat().st_mode & 0o777 for file in path.parent.glob("ledger.db*")} == {0o600}


def test_every_commit_is_on_disk(path: Path) -> None:
    with Ledger(path) as ledger:
        assert ledger.rows("pragma synchronous")[0][0] == 2
        assert ledger.rows("pragma journal_mode")[0][0] == "wal"


def test_a_ledger_of_a_newer_version_is_left_alone(path: Path) -> None:
    Ledger(path).close()
    with sqlite3.connect(path) as db:
        db.execute("pragma user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(SluiceError, match=r"newer Sluice \(ledger version 99"):
        Ledger(path)
    assert path.read_bytes() == before


def test_a_ledger_of_the_first_version_is_carried_over_with_its_rows(path: Path) -> None:
    with sqlite3.connect(path) as db:
        for statement in step("sqlite", 1):
            db.execute(statement)
        db.execute(
            "insert into messages values ('m_1', 'mail/hello', 'p_1', 'email', 'newsletter', 'run-1', 'sent', 1.5, '2026-11-20T04:00:00+00:00')"
        )
        db.execute("insert into deliveries values ('run-1', 7, 0, 1, 1.5, 'sent', '', '', 'v_1', 2.5)")
        db.execute("insert into leases values ('mail/hello', 41, 'elsewhere:1:1', 'run-1', 0)")
        db.execute("pragma user_version = 1")
    db.close()
    with Ledger(path) as ledger:
        assert [dict(row) for row in ledger.rows("select message_id, state, run_id from messages")] == [
            {"message_id": "m_1", "state": "sent", "run_id": "run-1"}
        ]
        assert [tuple(row) for row in ledger.outcomes("run-1")] == [(7, "sent", "", "", "v_1")]
        assert ledger.lots("run-1") == []
        assert ledger.acquire("mail/hello", "run-2").token == 42
    with Ledger(path) as ledger:
        assert ledger.rows("pragma user_version")[0][0] == VERSION


def test_a_step_that_fails_leaves_the_old_version_whole(path: Path) -> None:
    with sqlite3.connect(path) as db:
        for statement in step("sqlite", 1):
            db.execute(statement)
        db.execute("create table messages_in_order (something text)")  # in the way of the second step
        db.execute("pragma user_version = 1")
    db.close()
    with pytest.raises(LedgerBroken, match="cannot be used as the ledger"):
        Ledger(path)
    with sqlite3.connect(path) as db:
        assert db.execute("pragma user_version").fetchone() == (1,)
        assert db.execute("select count(*) from sqlite_master where name = 'lots'").fetchone() == (0,)
    db.close()


def test_a_file_that_is_damaged_while_it_is_open_is_told(path: Path) -> None:
    with Ledger(path) as ledger:
        for number in range(500):
            ledger.note_plan(f"hash {number}", "mail/hello", "file" * 50, datetime(2026, 11, 20, tzinfo=UTC), {})
        ledger.rows("pragma wal_checkpoint(truncate)")
    data = path.read_bytes()
    page = 4096
    path.write_bytes(data[: 2 * page] + b"\xff" * (len(data) - 2 * page))
    with Ledger(path) as ledger, pytest.raises(LedgerBroken, match=r"^The ledger failed: database disk image is malformed\.$"):
        ledger.rows("select counts from plans where file = ''")


def test_a_full_disk_is_told_and_what_was_written_before_stays(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.open_circuit("mail", 60, "UNREACHABLE", "It cannot be reached.")
        pages = ledger.rows("pragma page_count")[0][0]
        ledger.rows(f"pragma max_page_count = {pages}")
        lease = ledger.acquire("mail/hello", "r")
        with pytest.raises(LedgerBroken, match=r"^The ledger failed: database or disk is full\.$"):
            ledger.intend(lease, {"run_id": "r"}, [Intent(number, 0) for number in range(10_000)])
        assert ledger.circuit("mail") is not None
        assert ledger.outcomes("r") == []
        ledger.rows("pragma max_page_count = 1000000")
        ledger.intend(lease, {"run_id": "r"}, [Intent(0, 0)])
