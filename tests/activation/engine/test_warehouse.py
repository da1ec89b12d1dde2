"""The door to the warehouse: tables and views are there for whoever comes in, and who only looks leaves no trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from activation.engine.project import Project
from activation.engine.warehouse import opened


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
