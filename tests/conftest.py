"""What every test may use: a project of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from activation.engine.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A copy of the shipped project in a folder that is gone after the test."""
    return Project.create(tmp_path / "project")
