"""A project is one directory; everything is found from it, and what is written in it is its owner's alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from activation.engine.errors import UsageError
from activation.engine.project import REPOSITORY, VARIABLE, Project


@pytest.fixture(autouse=True)
def _no_project_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def minimal(root: Path) -> Path:
    for name in ("dbt_models/dbt_project.yml", "activation/destinations.yml"):
        path = root / name
        path.parent.mkdir(parents=True)
        path.touch()
    return root.resolve()


def test_the_project_is_what_is_named_then_the_variable_then_around_here_then_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = (minimal(tmp_path / name) for name in ("one", "two", "three"))
    monkeypatch.chdir(tmp_path)
    assert Project.find().root == REPOSITORY
    (three / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(three / "deep" / "er")
    assert Project.find().root == three
    monkeypatch.setenv(VARIABLE, str(two))
    assert Project.find().root == two
    assert Project.find(one).root == one
    monkeypatch.chdir(tmp_path)
    assert Project.find(Path("one")).root == one


@pytest.mark.parametrize("kind", ["nothing", "file", "empty", "only models", "only declarations"])
def test_what_is_no_project_is_said(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "here"
    if kind == "file":
        root.touch()
    elif kind != "nothing":
        root.mkdir()
    if kind == "only models":
        (root / "dbt_models").mkdir()
        (root / "dbt_models" / "dbt_project.yml").touch()
    if kind == "only declarations":
        (root / "activation").mkdir()
    missing = "activation" if kind == "only models" else "dbt_models/dbt_project.yml"
    with pytest.raises(UsageError) as refusal:
        Project.find(root)
    assert str(refusal.value) == f"{root} is not a Sluice project: it has no {missing}. Make one with `sluice init {root}`."


def test_a_new_project_has_everything_shipped_and_nothing_of_our_code(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "new")
    names = {str(path.relative_to(project.root)) for path in project.root.rglob("*") if path.is_file()}
    assert {"dbt_models/dbt_project.yml", "activation/destinations.yml", "activation/policies/purposes.yml"} <= names
    assert not any(name.endswith((".py", ".pyc", ".duckdb")) or "/target/" in name or "/logs/" in name for name in names)
    assert Project.find(tmp_path / "new") == project


def test_a_project_is_not_made_where_something_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"is not empty\. Choose an empty or new directory\."):
        Project.create(tmp_path)
    with pytest.raises(UsageError, match=r"is a file\. Choose an empty or new directory\."):
        Project.create(tmp_path / "notes.txt")


def test_a_directory_that_holds_only_state_can_become_a_project(tmp_path: Path) -> None:
    (tmp_path / ".sluice").mkdir()
    assert Project.create(tmp_path).declarations.is_dir()


def test_state_is_its_owners_alone_and_out_of_version_control(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        project = Project(minimal(tmp_path))
        folder = project.state
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"
    for path in (project.spool, project.plans, project.target, project.logs, project.sandbox, project.dagster_home):
        assert path.is_dir()
        assert path.parent == folder


def test_paths_are_shown_from_the_project(tmp_path: Path) -> None:
    project = Project(minimal(tmp_path / "here"))
    assert project.relative(project.root / "activation" / "x.yml") == "activation/x.yml"
    assert project.relative(Path("/elsewhere/x.yml")) == "/elsewhere/x.yml"
    assert project.relative(project.root / os.fsdecode(b"\xff")) == "\\xff"
