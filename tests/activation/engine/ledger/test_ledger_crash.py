"""`kill -9` with the ledger in PostgreSQL: as in a file, nothing is lost and nothing comes twice. See test_crash.py for what may be set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from crash_rounds import Rounds
from deadly_sandbox import deadly
from forked_processes import Mother

ROUNDS = int(os.environ.get("SLUICE_CRASH_ROUNDS", "32"))
SEED = int(os.environ.get("SLUICE_CRASH_SEED", "20261122"))


def test_killed_at_any_moment_with_the_ledger_in_postgres(tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LEDGER_URL", postgres)
    with Mother() as mother, deadly(mother, tmp_path / "sandbox") as sandbox:
        rounds = Rounds(tmp_path, mother, sandbox, SEED)
        for _ in range(ROUNDS // 5):
            rounds.play()
        rounds.finish()
        print(f"died: {dict(rounds.kills)}")
        rounds.verify()
    assert not rounds.shop.project.ledger.exists()
