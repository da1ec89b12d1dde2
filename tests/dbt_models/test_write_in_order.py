"""What is written span by span is what would be written at once, in its order, and what a build that fails leaves is the table of before."""

from __future__ import annotations

import pytest
from few_models import FewModels

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


FILES = {
    "dbt_project.yml": HOUSE,
    "models/made.sql": MODEL.replace("{MORE}", ""),
    "models/many.sql": MANY,
    "models/few.sql": "select -1 as number, null::integer as place",
}
ALL = "select number, place from marts.made"


@pytest.fixture
def models(project: Project) -> FewModels:
    return FewModels(project, FILES)


def test_every_row_is_written_once_and_in_order_with_those_that_have_no_place_at_the_end(models: FewModels) -> None:
    assert models.build().ok
    rows = models.rows(ALL)
    assert sorted(number for number, _ in rows) == list(range(-1, 5000))
    assert [place for _, place in rows] == [*sorted(place for _, place in rows if place is not None), None]
    assert set(models.found()) == {"made", "many", "few"}


@pytest.mark.parametrize(
    ("few", "count"),
    [
        ("select 1 as number, 2 as place where false", 5_000),
        ("select i + 5000 as number, 7 as place from range(20000) as rows (i)", 25_000),
    ],
)
def test_spans_that_are_empty_or_end_at_the_same_place_lose_nothing(models: FewModels, few: str, count: int) -> None:
    models.write("models/few.sql", few)
    assert models.build().ok
    rows = models.rows(ALL)
    assert len({number for number, _ in rows}) == len(rows) == count


def test_what_comes_later_is_added_and_a_full_refresh_makes_all_anew(models: FewModels) -> None:
    whole = FILES["models/made.sql"]
    models.write("models/made.sql", "{%- if is_incremental() -%} select 5 as number, 3 as place {%- else -%}" + whole + "{%- endif -%}")
    assert models.build().ok
    assert models.build().ok
    rows = models.rows(ALL)
    assert len(rows) == 5001
    assert rows.count((5, 3)) == 1
    assert models.build(full_refresh=True).ok
    assert (5, 3) not in models.rows(ALL)


def test_where_a_later_span_fails_the_table_of_before_is_what_everybody_reads(models: FewModels) -> None:
    assert models.build().ok
    before = models.rows(ALL)
    models.write("models/made.sql", MODEL.replace("{MORE}", ", case when place > 900 then error('no') else 'yes' end as said"))
    assert not models.build(full_refresh=True).ok
    assert models.rows(ALL) == before
