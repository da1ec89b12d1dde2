"""What is written span by span is what would be written at once, in its order, and what a build that fails leaves is the table of before."""

from __future__ import annotations

import shutil

import duckdb
import pytest

from activation.engine.build import build
from activation.engine.declarations import Declarations
from activation.engine.project import Project

HOUSE = """
name: sluice
profile: sluice
models:
  +schema: marts
  sluice:
    made: {+materialized: incremental, +incremental_strategy: delete+insert, +unique_key: number, +meta: {in_order_of: place}}
"""
MODEL = """
{%- do find_spans('place', [ref('few'), ref('many')], at_once=1000) -%}
select number, place{MORE} from (select * from {{ ref('many') }} union all select * from {{ ref('few') }})
"""
MANY = "select i as number, cast(hash(i) % 997 as integer) as place from range(5000) as numbers (i)"


def written(project: Project, made: str = MODEL.replace("{MORE}", ""), few: str = "select -1 as number, null::integer as place", full_refresh: bool = False) -> bool:  # fmt: skip
    for folder in ("models", "seeds", "tests"):
        shutil.rmtree(project.models / folder, ignore_errors=True)
    (project.models / "models").mkdir()
    (project.models / "dbt_project.yml").write_text(HOUSE, encoding="utf-8")
    for name, text in {"made": made, "many": MANY, "few": few}.items():
        (project.models / "models" / f"{name}.sql").write_text(text, encoding="utf-8")
    return build(project, Declarations(project), full_refresh=full_refresh).ok


def found(project: Project) -> list[tuple[int, int | None]]:
    with duckdb.connect(str(project.warehouse), read_only=True) as warehouse:
        assert {name for (name,) in warehouse.sql("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()} == {
            "made"
        }
        return warehouse.sql("select number, place from marts.made").fetchall()


def test_every_row_is_written_once_and_in_order_with_those_that_have_no_place_at_the_end(project: Project) -> None:
    assert written(project)
    rows = found(project)
    assert sorted(number for number, _ in rows) == list(range(-1, 5000))
    assert [place for _, place in rows] == [*sorted(place for _, place in rows if place is not None), None]


@pytest.mark.parametrize("few", ["select 1 as number, 2 as place where false", "select i + 5000, 7 from range(20000) as rows (i)"])
def test_spans_that_are_empty_or_end_at_the_same_place_lose_nothing(project: Project, few: str) -> None:
    assert written(project, few=few.replace("i + 5000, 7", "i + 5000 as number, 7 as place"))
    rows = found(project)
    assert len({number for number, _ in rows}) == len(rows) == (25_000 if "20000" in few else 5_000)


def test_what_comes_later_is_added_and_a_full_refresh_makes_all_anew(project: Project) -> None:
    assert written(project)
    added = "{%- if is_incremental() -%} select 5 as number, 3 as place {%- else -%}" + MODEL.replace("{MORE}", "") + "{%- endif -%}"
    assert written(project, made=added)
    rows = found(project)
    assert len(rows) == 5001
    assert rows.count((5, 3)) == 1
    assert written(project, made=added, full_refresh=True)
    assert (5, 3) not in found(project)


def test_where_a_later_span_fails_the_table_of_before_is_what_everybody_reads(project: Project) -> None:
    assert written(project)
    before = found(project)
    fails_late = MODEL.replace("{MORE}", ", case when place > 900 then error('no') else 'yes' end as said")
    assert not written(project, made=fails_late, full_refresh=True)
    assert found(project) == before
