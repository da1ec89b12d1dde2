"""Tables and views take the place of those before in one commit, whatever was there and whatever goes wrong."""

from __future__ import annotations

import shutil

import duckdb
import pytest

from activation.engine.build import BuildReport, build
from activation.engine.declarations import Declarations
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


class Small:
    """Three models, with the macros of the shipped project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        for folder in ("models", "seeds", "tests"):
            shutil.rmtree(project.models / folder)
        (project.models / "models").mkdir()
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.project.models / name).write_text(text, encoding="utf-8")

    def build(self) -> BuildReport:
        return build(self.project, Declarations(self.project))

    def found(self) -> dict[str, tuple[str, list[int]]]:
        """Everything there is in the schema: what it is, and its rows."""
        with duckdb.connect(str(self.project.warehouse), read_only=True) as warehouse:
            names = warehouse.sql("select table_name, table_type from information_schema.tables where table_schema = 'marts'").fetchall()
            return {
                name: (kind, [row for (row,) in warehouse.sql(f"from marts.{name} order by all").fetchall()])
                for name, kind in sorted(names)
            }


@pytest.fixture
def small(project: Project) -> Small:
    return Small(project)


def test_what_is_built_again_takes_the_place_of_what_was_there_and_leaves_nothing_beside_it(small: Small) -> None:
    assert small.build().ok
    assert small.found() == {"doubles": ("VIEW", [0, 2, 4]), "numbers": ("BASE TABLE", [0, 1, 2]), "promised": ("BASE TABLE", [0, 2, 4])}
    small.write("models/numbers.sql", "select i + 7 as number from range(2) as numbers (i)")
    assert small.build().ok
    assert small.found() == {"doubles": ("VIEW", [14, 16]), "numbers": ("BASE TABLE", [7, 8]), "promised": ("BASE TABLE", [14, 16])}


def test_a_table_that_becomes_a_view_and_a_view_that_becomes_a_table_are_replaced(small: Small) -> None:
    assert small.build().ok
    small.write("dbt_project.yml", HOUSE.replace("numbers: {+materialized: table}", "numbers: {+materialized: view}").replace("doubles: {+materialized: view}", "doubles: {+materialized: table}"))  # fmt: skip
    assert small.build().ok
    assert small.found() == {"doubles": ("BASE TABLE", [0, 2, 4]), "numbers": ("VIEW", [0, 1, 2]), "promised": ("BASE TABLE", [0, 2, 4])}


@pytest.mark.parametrize("wrong", ["select cast('x' as bigint) as double", "select error('no') as double from {{ ref('numbers') }}"])
def test_where_a_statement_fails_the_one_before_is_what_everybody_reads(small: Small, wrong: str) -> None:
    small.write("dbt_project.yml", HOUSE.replace("doubles: {+materialized: view}", "doubles: {+materialized: table}"))
    assert small.build().ok
    before = small.found()
    small.write("models/doubles.sql", wrong)
    report = small.build()
    assert (len(report.failures), report.skipped) == (1, 1)
    assert small.found() == before


def test_a_row_that_breaks_a_contract_leaves_the_table_of_before(small: Small) -> None:
    assert small.build().ok
    before = small.found()
    small.write("models/promised.sql", "select nullif(double, 2) as number from {{ ref('doubles') }}")
    assert len(small.build().failures) == 1
    assert small.found() == before


def test_what_asks_for_more_than_a_statement_is_made_as_dbt_makes_it(small: Small) -> None:
    small.write("models/numbers.sql", "{{ config(indexes=[{'columns': ['number'], 'unique': true}]) }} " + FILES["models/numbers.sql"])
    small.write("models/halves.py", "def model(dbt, session):\n    return session.sql('select 7 as half')\n")
    for _ in range(2):
        report = small.build()
        assert report.ok, report.failures
        assert (small.found()["numbers"], small.found()["halves"]) == (("BASE TABLE", [0, 1, 2]), ("BASE TABLE", [7]))
        with duckdb.connect(str(small.project.warehouse), read_only=True) as warehouse:
            assert warehouse.sql("select table_name, is_unique from duckdb_indexes()").fetchall() == [("numbers", True)]
