"""`kill -9` again and again: nothing is lost, nothing comes twice, and what nobody can know is listed as held.

The small form of `make crash`. SLUICE_CRASH_ROUNDS sets how many rounds, SLUICE_CRASH_SEED which moments are drawn.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from crash_rounds import Rounds
from deadly_sandbox import deadly
from forked_processes import Mother

ROUNDS = int(os.environ.get("SLUICE_CRASH_ROUNDS", "200"))
PARTS = 4
SEED = int(os.environ.get("SLUICE_CRASH_SEED", "20261120"))


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_any_moment_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path, part: int) -> None:
    with Mother() as mother, deadly(mother, tmp_path / "sandbox") as sandbox:
        rounds = Rounds(tmp_path, mother, sandbox, SEED + part)
        for _ in range((ROUNDS + part) // PARTS):
            rounds.play()
        rounds.finish()
        print(f"died: {dict(rounds.kills)}")
        assert rounds.kills["between request and record"], "nobody died where it matters: draw other moments"
        rounds.verify()
