"""A model that takes in what is new starts over where it, or a view that it reads, is written otherwise."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from activation.engine.build import build
from activation.engine.declarations import Declarations
from activation.engine.project import Project

HOUSE = """
name: sluice
profile: sluice
models:
  sluice:
    told: {+materialized: view}
    shown: {+materialized: view}
    kept: {+materialized: incremental, +incremental_strategy: append}
"""
KEPT = """
{%- set rules = own_words() -%}
{%- do start_over_with_other(rules) -%}
select *, '{{ rules }}' as _rules from {{ ref('shown') }} where {{ unseen_batches(ref('shown')) }}
"""
FILES = {
    "dbt_project.yml": HOUSE,
    "models/told.sql": "select 1 as number, 'b1' as _batch_id",
    "models/shown.sql": "select * from {{ ref('told') }}",
    "models/kept.sql": KEPT,
}


def test_a_view_behind_a_view_that_is_written_otherwise_makes_the_model_start_over(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    for folder in ("models", "seeds", "tests"):
        shutil.rmtree(project.models / folder)
    (project.models / "models").mkdir()

    def kept(**texts: str) -> list[tuple[int, str]]:
        """What the model has once these files are written and everything is built."""
        for name, text in texts.items():
            (project.models / "models" / f"{name}.sql").write_text(text, encoding="utf-8")
        assert build(project, Declarations(project)).ok
        with duckdb.connect(str(project.warehouse), read_only=True) as warehouse:
            return warehouse.sql("select number, _batch_id from kept order by all").fetchall()

    for name, text in FILES.items():
        (project.models / name).write_text(text, encoding="utf-8")
    assert kept() == [(1, "b1")]
    with duckdb.connect(str(project.warehouse)) as warehouse:
        warehouse.execute("update kept set number = 7")
    # Nothing is new, and nothing is written otherwise.
    assert kept() == [(7, "b1")]
    assert kept(told="select 2 as number, 'b1' as _batch_id") == [(2, "b1")]
    assert kept(told="select 2 as number, 'b1' as _batch_id union all select 3, 'b2'", kept=KEPT + "-- as before") == [(2, "b1"), (3, "b2")]
