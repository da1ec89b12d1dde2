"""`kill -9` with the ledger in PostgreSQL: as in a file, nothing is lost and nothing comes twice. See test_crash.py for what may be set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from crash_rounds import Rounds
from running_sandbox import as_a_process

ROUNDS = int(os.environ.get("SLUICE_CRASH_ROUNDS", "24"))
SEED = int(os.environ.get("SLUICE_CRASH_SEED", "20261122"))


def test_killed_at_any_moment_with_the_ledger_in_postgres(tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LEDGER_URL", postgres)
    with as_a_process(tmp_path / "sandbox") as sandbox:
        rounds = Rounds(tmp_path, sandbox, SEED)
        for _ in range(ROUNDS // 4):
            rounds.change()
            rounds.killed()
        rounds.finish()
        rounds.finish()  # what the last one left unanswered and may be sent again
        print(f"died: {dict(rounds.kills)}")
        rounds.verify()
    assert not rounds.shop.project.ledger.exists()
