"""What a build said to the warehouse, said again by hand, leaves what the build left."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from activation.engine.build import build, prepare_warehouse
from activation.engine.declarations import Declarations
from activation.engine.project import Project
from bench.statements import said, say, say_again

FILES = {
    "dbt_project.yml": "name: sluice\nprofile: sluice\nseeds: {+schema: seeds}\nmodels: {+schema: marts, +materialized: table}\n"
    "on-run-start: [create schema if not exists notes, create table if not exists notes.built (model varchar)]\n",
    "seeds/pairs.csv": "left_key,right_key\n1,2\n2,3\n3,7\n8,9\n",
    # by way of temporary tables
    "models/islands.sql": "{{ connected_components(ref('pairs')) }}",
    "models/a_sizes.sql": "{{ config(post_hook=\"insert into notes.built values ('a_sizes')\") }} select component, count(*) as keys from {{ ref('islands') }} group by component",
}


@pytest.fixture
def islands(project: Project) -> Project:
    """A project of two models, with the macros of the shipped one."""
    for folder in ("models", "seeds", "tests"):
        shutil.rmtree(project.models / folder)
    for name, text in FILES.items():
        (project.models / name).parent.mkdir(exist_ok=True)
        (project.models / name).write_text(text, encoding="utf-8")
    return project


def tables(warehouse: Path) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        names = connection.sql("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
        return {name: connection.sql(f"from {name} order by all").fetchall() for (name,) in names}


def test_the_statements_of_a_build_said_again_leave_the_same_tables(
    islands: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_LOG_LEVEL_FILE", "debug")
    monkeypatch.setenv("DBT_LOG_FORMAT_FILE", "json")
    declarations = Declarations(islands)
    prepare_warehouse(islands, declarations)
    bare = Path(shutil.copy(islands.warehouse, tmp_path))
    report = build(islands, declarations, tests=False)
    assert report.ok, report.failures
    models = said(islands)
    assert list(models) == ["sluice-on-run-start-0", "sluice-on-run-start-1", "islands", "a_sizes"]
    say_again(models, bare, islands.warehouse)
    assert tables(islands.warehouse)["marts.a_sizes"] == [(1, 4), (8, 2)]
    assert tables(islands.warehouse)["notes.built"] == [("a_sizes",)]
    assert tables(bare) == tables(islands.warehouse)


def test_what_only_one_model_needed_is_gone_when_it_is_done() -> None:
    with duckdb.connect() as connection:
        say(connection, "pairs", ["create temporary table told as from range(9)", "create table pairs as from told"])
        assert connection.sql("select table_name, temporary from duckdb_tables()").fetchall() == [("pairs", False)]


def test_a_statement_that_fails_is_told_with_its_model() -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as caught:
        say(connection, "pairs", ["select 1", "create table pairs as from nothing"])
    assert caught.value.__notes__ == ["It was saying, for pairs: create table pairs as from nothing"]
