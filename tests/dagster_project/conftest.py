"""Projects and definitions for tests of Dagster's part."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from activation.engine.project import Project
from dagster_project import manifest
from dagster_project.definitions import defs

sys.path.insert(0, str(Path(__file__).parents[1] / "activation" / "engine"))  # `small_project`, `running_sandbox`

from running_sandbox import RunningSandbox, in_a_thread
from small_project import SmallProject


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the shipped project whose models dbt has parsed. Not to be changed: every test of the session reads it."""
    project = Project.create(tmp_path_factory.mktemp("parsed") / "project")
    manifest.load(project)
    return project


@pytest.fixture
def project(parsed: Project, tmp_path: Path) -> Project:
    """A copy of the shipped project of the test's own, parsed already."""
    shutil.copytree(parsed.root, tmp_path / "project")
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def definitions(parsed: Project) -> dg.Definitions:
    """What Dagster loads for the shipped project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_PROJECT", str(parsed.root))
        return defs()


@pytest.fixture
def shop(tmp_path: Path) -> SmallProject:
    """A small project with nobody in it."""
    return SmallProject(tmp_path / "shop")


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSandbox]:
    """Every vendor, listening; the project's destinations lead there."""
    with in_a_thread() as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox
