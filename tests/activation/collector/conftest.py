"""Fixtures that start real collectors and end them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from running_collector import SERVE, Process, Running, start


@pytest.fixture
def collect(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts collectors. Options: those of the spool, of the bodies, and `write_keys`."""
    with ExitStack() as stack:
        yield lambda **options: start(stack, tmp_path / "spool", **options)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[[], Process]]:
    """Starts collector processes of the project in `tmp_path`."""
    started: list[subprocess.Popen[str]] = []

    def begin() -> Process:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        popen = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(tmp_path)],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=Path(__file__).parents[3],
        )
        started.append(popen)
        assert popen.stderr is not None
        seen = []
        for text in popen.stderr:
            seen.append(text)
            if found := re.search(r"running on (http://\S+)", text):
                return Process(found[1], popen)
        raise AssertionError("the collector did not start: " + "".join(seen))

    yield begin
    for popen in started:
        if popen.poll() is None:
            popen.kill()
        popen.communicate()
