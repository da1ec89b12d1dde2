"""The door to the warehouse: tables and views are there for whoever comes in, and who only looks leaves no trace."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from activation.engine.project import Project
from activation.engine.warehouse import opened, packs_text


@pytest.fixture
def place(tmp_path: Path) -> Project:
    """A project whose warehouse is made."""
    place = Project(tmp_path)
    with opened(place):
        pass
    return place


def test_who_only_looks_writes_nothing(place: Project) -> None:
    before = (place.warehouse.read_bytes(), place.warehouse.stat().st_mtime_ns)
    for read_only in (True, False):
        with opened(place, read_only=read_only) as connection:
            assert connection.execute("select count(*) from activation.deliveries").fetchall() == [(0,)]
    assert (place.warehouse.read_bytes(), place.warehouse.stat().st_mtime_ns) == before


@pytest.mark.parametrize("read_only", [True, False], ids=["to read", "to write"])
@pytest.mark.parametrize(
    "older",
    [
        "drop table activation.sync_columns",
        "drop view activation.deliveries",
        "create or replace view activation.deliveries as select 1 as one",
        "comment on view activation.deliveries is 'of an older Sluice'",
    ],
)
def test_a_warehouse_of_an_older_sluice_gets_what_it_lacks(place: Project, older: str, read_only: bool) -> None:
    with opened(place) as connection:
        whole = connection.execute("select table_schema, table_name, column_name from information_schema.columns order by all").fetchall()
        connection.execute(older)
    with opened(place, read_only=read_only) as connection:
        now = connection.execute("select table_schema, table_name, column_name from information_schema.columns order by all").fetchall()
    assert now == whole


def layouts(warehouse: Path, table: str) -> set[str]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return {
            name
            for (name,) in connection.execute(
                f"select distinct compression from pragma_storage_info('{table}') where segment_type = 'VARCHAR'"
            ).fetchall()
        }


def test_a_file_that_somebody_else_made_keeps_its_layout_and_is_used_all_the_same(tmp_path: Path) -> None:
    by_sluice, by_dbt = Project(tmp_path / "a"), Project(tmp_path / "b")
    by_dbt.warehouse.parent.mkdir(parents=True, exist_ok=True)
    duckdb.connect(str(by_dbt.warehouse)).close()
    for place in (by_sluice, by_dbt):
        with opened(place) as connection:
            assert packs_text(connection) is (place is by_sluice)
            connection.execute(
                "insert into activation.sync_snapshot (ref, key, payload) select 'crm/people', i, repeat(i::varchar, 99) from range(9_999) t(i)"
            )
            connection.execute("checkpoint")
    assert layouts(by_sluice.warehouse, "activation.sync_snapshot") == {"DICT_FSST", "ZSTD"}
    assert not layouts(by_dbt.warehouse, "activation.sync_snapshot") & {"DICT_FSST", "ZSTD"}


def test_it_may_be_open_in_the_same_process_already(place: Project) -> None:
    with duckdb.connect(str(place.warehouse)), opened(place) as connection:
        assert connection.execute("select count(*) from activation.deliveries").fetchall() == [(0,)]
