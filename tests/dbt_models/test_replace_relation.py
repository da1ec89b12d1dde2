"""Tables and views take the place of those before in one commit, whatever was there and whatever goes wrong."""

from __future__ import annotations

import duckdb
import pytest
from few_models import FewModels

from activation.engine.project import Project

HOUSE = """
name: sluice
profile: sluice
models:
  +schema: marts
  sluice:
    halves: {+materialized: table}
    numbers: {+materialized: table}
    doubles: {+materialized: view}
    promised: {+materialized: table, +contract: {enforced: true}}
"""
FILES = {
    "dbt_project.yml": HOUSE,
    "models/numbers.sql": "select i as number from range(3) as numbers (i)",
    "models/doubles.sql": "select number * 2 as double from {{ ref('numbers') }}",
    "models/promised.sql": "select double as number from {{ ref('doubles') }}",
    "models/promised.yml": "models: [{name: promised, columns: [{name: number, data_type: bigint, constraints: [{type: not_null}]}]}]",
}


@pytest.fixture
def small(project: Project) -> FewModels:
    return FewModels(project, FILES)


def test_what_is_built_again_takes_the_place_of_what_was_there_and_leaves_nothing_beside_it(small: FewModels) -> None:
    assert small.build().ok
    assert small.found() == {"doubles": ("VIEW", [0, 2, 4]), "numbers": ("BASE TABLE", [0, 1, 2]), "promised": ("BASE TABLE", [0, 2, 4])}
    small.write("models/numbers.sql", "select i + 7 as number from range(2) as numbers (i)")
    assert small.build().ok
    assert small.found() == {"doubles": ("VIEW", [14, 16]), "numbers": ("BASE TABLE", [7, 8]), "promised": ("BASE TABLE", [14, 16])}


def test_a_table_that_becomes_a_view_and_a_view_that_becomes_a_table_are_replaced(small: FewModels) -> None:
    assert small.build().ok
    small.write("dbt_project.yml", HOUSE.replace("numbers: {+materialized: table}", "numbers: {+materialized: view}").replace("doubles: {+materialized: view}", "doubles: {+materialized: table}"))  # fmt: skip
    assert small.build().ok
    assert small.found() == {"doubles": ("BASE TABLE", [0, 2, 4]), "numbers": ("VIEW", [0, 1, 2]), "promised": ("BASE TABLE", [0, 2, 4])}


@pytest.mark.parametrize("wrong", ["select cast('x' as bigint) as double", "select error('no') as double from {{ ref('numbers') }}"])
def test_where_a_statement_fails_the_one_before_is_what_everybody_reads(small: FewModels, wrong: str) -> None:
    small.write("dbt_project.yml", HOUSE.replace("doubles: {+materialized: view}", "doubles: {+materialized: table}"))
    assert small.build().ok
    before = small.found()
    small.write("models/doubles.sql", wrong)
    report = small.build()
    assert (len(report.failures), report.skipped) == (1, 1)
    assert small.found() == before


def test_a_row_that_breaks_a_contract_leaves_the_table_of_before(small: FewModels) -> None:
    assert small.build().ok
    before = small.found()
    small.write("models/promised.sql", "select nullif(double, 2) as number from {{ ref('doubles') }}")
    assert len(small.build().failures) == 1
    assert small.found() == before


def test_what_asks_for_more_than_a_statement_is_made_as_dbt_makes_it(small: FewModels) -> None:
    small.write("models/numbers.sql", "{{ config(indexes=[{'columns': ['number'], 'unique': true}]) }} " + FILES["models/numbers.sql"])
    small.write("models/halves.py", "def model(dbt, session):\n    return session.sql('select 7 as half')\n")
    for _ in range(2):
        report = small.build()
        assert report.ok, report.failures
        assert (small.found()["numbers"], small.found()["halves"]) == (("BASE TABLE", [0, 1, 2]), ("BASE TABLE", [7]))
        assert small.rows("select table_name, is_unique from duckdb_indexes()") == [("numbers", True)]


# Twenty rows of a key and a text, and what they may become: the model before and after.
TWENTY = "select i as key, 'row ' || i as text from range(20) as rows (i)"
CHANGES = {
    "nothing": (TWENTY, TWENTY),
    "one_text": (TWENTY, f"select key, case key when 7 then 'new' else text end as text from ({TWENTY})"),
    "one_to_null": (TWENTY, f"select key, nullif(text, 'row 3') as text from ({TWENTY})"),
    "one_from_null": (f"select key, nullif(text, 'row 3') as text from ({TWENTY})", TWENTY),
    "one_comes_one_goes": (TWENTY, f"select key + 1 as key, 'row ' || (key + 1) as text from ({TWENTY})"),
    "two_swap": (TWENTY, f"select case key when 1 then 2 when 2 then 1 else key end as key, text from ({TWENTY})"),
    "all_texts": (TWENTY, f"select key, text || '!' as text from ({TWENTY})"),
    "all_go": (TWENTY, f"{TWENTY} where false"),
    "all_come": (f"{TWENTY} where false", TWENTY),
    "columns_turn": (TWENTY, f"select text, key from ({TWENTY})"),
    "column_comes": (TWENTY, f"select *, key * 2 as double from ({TWENTY})"),
    "column_goes": (TWENTY, f"select key from ({TWENTY})"),
    "type": (TWENTY, f"select key, key as text from ({TWENTY})"),
    "nested": (f"select key, [key, null] as text from ({TWENTY})", f"select key, [key, nullif(key, 3)] as text from ({TWENTY})"),
    "text_key": (f"select text as key, key as text from ({TWENTY})", f"select text as key, nullif(key, 3) as text from ({TWENTY})"),
    "comment_at_the_end": (TWENTY, f"{TWENTY} where i <> 5 -- not that one"),
    # what no model may do, and is written as the model says all the same
    "two_of_a_key": (TWENTY, f"{TWENTY} union all select 50, 'a' union all select 50, 'b'"),
    "two_of_a_key_before": (f"{TWENTY} union all select 50, 'a' union all select 50, 'b'", f"{TWENTY} union all select 50, 'b'"),
    "no_key": (TWENTY, f"{TWENTY} union all select null, 'a'"),
    "no_key_before": (f"{TWENTY} union all select null, 'a'", TWENTY),
    "no_key_twice": (f"{TWENTY} union all select null, 'a'", f"{TWENTY} union all select null, 'a'"),
}
KEYED = "name: sluice\nprofile: sluice\nmodels: {+schema: marts, +materialized: table, +unique_key: key}\n"


def keyed(small: FewModels, models: dict[str, str]) -> dict[str, list[tuple[object, ...]]]:
    """The rows of each model, with the place that each has in its table at the end, after a build."""
    small.write("dbt_project.yml", KEYED)
    for file in (small.project.models / "models").iterdir():
        file.unlink()
    for name, text in models.items():
        small.write(f"models/{name}.sql", text)
    report = small.build()
    assert report.ok, report.failures
    return {name: small.rows(f"select *, rowid from marts.{name} order by rowid") for name in models}


def test_a_table_with_a_key_holds_what_it_would_if_it_were_made_anew(small: FewModels) -> None:
    keyed(small, {name: before for name, (before, _) in CHANGES.items()})
    for _ in range(2):
        found = keyed(small, {name: after for name, (_, after) in CHANGES.items()})
        for name, (_, after) in CHANGES.items():
            assert sorted((row[:-1] for row in found[name]), key=repr) == sorted(duckdb.sql(after).fetchall(), key=repr), name


def test_rows_that_are_what_they_were_are_left_where_they_stand(small: FewModels) -> None:
    few = ["nothing", "one_text", "one_to_null", "one_comes_one_goes", "two_swap", "nested"]
    keyed(small, {name: CHANGES[name][0] for name in few})
    found = keyed(small, {name: CHANGES[name][1] for name in few})
    # what is written comes behind what was there
    last = {name: [row[0] for row in rows][-3:] for name, rows in found.items()}
    assert {name: keys[-1] for name, keys in last.items() if name != "two_swap"} == {
        "nothing": 19, "one_text": 7, "one_to_null": 3, "one_comes_one_goes": 20, "nested": 3
    }  # fmt: skip
    assert sorted(last["two_swap"]) == [1, 2, 19]


def test_a_table_of_which_much_is_another_is_left_without_gaps(small: FewModels) -> None:
    most = f"select key, case when key < 15 then 'new' else text end as text from ({TWENTY})"
    keyed(small, {"most": TWENTY})
    # and so what did not change comes behind what did
    assert [row[0] for row in keyed(small, {"most": most})["most"]] == list(range(20))


def test_a_table_with_a_key_is_the_one_before_where_its_statement_fails(small: FewModels) -> None:
    before = keyed(small, {"one": TWENTY})
    small.write("models/one.sql", f"select key, case key when 7 then error('no') else text end as text from ({TWENTY})")
    assert len(small.build().failures) == 1
    assert small.rows("select *, rowid from marts.one order by rowid") == before["one"]


APPENDED = """
{%- if is_incremental() %} {{ wrong }} select i, 'more' as text, 1 as column_of_later from range((select max(i) + 1 from {{ this }}), 23) as rows (i) -- to there
{%- else %} select i, 'first' as text from range(20) as rows (i) {%- endif %}
"""


def test_what_is_appended_comes_with_what_is_deleted_before_it_or_not_at_all(small: FewModels) -> None:
    small.write("dbt_project.yml", """
name: sluice
profile: sluice
models: {+schema: marts, +materialized: incremental, +incremental_strategy: append, +pre-hook: "delete from {{ this }} where i >= 18"}
""".replace("delete from", "{% if is_incremental() %} delete from").replace(">= 18", ">= 18 {% endif %}"))  # fmt: skip
    for name in ("doubles", "promised"):
        (small.project.models / f"models/{name}.sql").unlink()
    (small.project.models / "models/promised.yml").unlink()

    def found() -> list[tuple[int, str]]:
        return small.rows("from marts.numbers order by all")

    first = [(i, "first") for i in range(20)]
    small.write("models/numbers.sql", APPENDED.replace("{{ wrong }}", ""))
    assert small.build().ok
    assert found() == first
    small.write("models/numbers.sql", APPENDED.replace("{{ wrong }} select i", "select i + error('no')"))
    assert len(small.build().failures) == 1
    assert found() == first
    small.write("models/numbers.sql", APPENDED.replace("{{ wrong }}", ""))
    for _ in range(2):
        assert small.build().ok
        assert found() == first[:18] + [(i, "more") for i in range(18, 23)]
    assert small.build(full_refresh=True).ok
    assert found() == first
