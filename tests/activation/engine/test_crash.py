"""`kill -9` at random moments, again and again: nothing is lost, nothing comes twice, and what nobody can know is listed as held.

SLUICE_CRASH_ROUNDS sets how many processes are killed, SLUICE_CRASH_SEED which moments are drawn.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from crash_rounds import Rounds
from running_sandbox import as_a_process

ROUNDS = int(os.environ.get("SLUICE_CRASH_ROUNDS", "24"))
SEED = int(os.environ.get("SLUICE_CRASH_SEED", "20261120"))


@pytest.mark.parametrize("part", range(2))
def test_killed_at_any_moment_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path, part: int) -> None:
    with as_a_process(tmp_path / "sandbox") as sandbox:
        rounds = Rounds(tmp_path, sandbox, SEED + part)
        for _ in range((ROUNDS + part) // 2):
            rounds.change()
            rounds.killed()
        rounds.finish()
        rounds.finish()  # what the last one left unanswered and may be sent again
        print(f"died: {dict(rounds.kills)}")
        assert rounds.kills["between request and answer"], "nobody died where it matters: draw other moments"
        rounds.verify()
