"""`sluice` as tests call it: what a command said, and `sluice` as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from activation.engine.project import REPOSITORY

NOON = "2026-11-20T12:00:00+08:00"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Sluice = Callable[..., Said]


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """A process that has been started: its exit code and what it said."""
    out, err = process.communicate(timeout=300)
    assert "Traceback" not in err
    return process.returncode, out, err


def process(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "activation.cli", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False, **options
    )
