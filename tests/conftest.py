"""What every test may use: a project of its own. And where and in what order tests work: in memory, those that take longest first."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from activation.engine.project import Project

MEMORY, ROOM = Path("/dev/shm"), 6 * 1024**3  # bytes that must be free for it
# Minutes or most of one. Whoever takes one of these up last would keep everybody waiting.
LONGEST = (
    "test_demo.py",
    "test_real_dagster.py",
    "test_contract.py",
    "test_changed_events.py",
    "test_identity.py",
    "test_olist.py",
    "test_crash.py",
    "test_services.py",
    "test_sample_build.py",
    "test_check.py",
    "test_identity_increments.py",
    "test_fct_events.py",
    "test_manifest.py",
    "test_ledger_crash.py",
    "test_run.py",
    "test_plan_history.py",
)


def pytest_configure() -> None:
    """Files of tests lie in memory where there is room: half the time of a test on a disk is waiting for the disk to have written."""
    if "TMPDIR" not in os.environ and _available() > ROOM and os.access(MEMORY, os.W_OK):
        os.environ["TMPDIR"], tempfile.tempdir = str(MEMORY), None


def _available() -> int:
    """Bytes of memory that files may take."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        mounted = os.statvfs(MEMORY)
    except OSError:
        return 0
    return min(int(lines["MemAvailable"].split()[0]) * 1024, mounted.f_bavail * mounted.f_frsize)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of the shipped project in a folder that is gone after the test."""
    return Project.create(tmp_path / "project")
