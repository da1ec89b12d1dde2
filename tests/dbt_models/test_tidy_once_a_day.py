"""Gaps that deleted rows leave are closed by the first build of a day, and by none after it that day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sent_records import at, track
from warehouse_house import House

DAY = at("2026-01-01 08:00")
ROWS = 400_000


def row_groups(house: House) -> int:
    """In how many pieces a table lies on disk."""
    return len(house.rows("select distinct row_group_id from pragma_storage_info('thinned')"))


def built(house: House, now: datetime) -> int:
    """The pieces of a table of which most rows were deleted, after a build."""
    house.execute(f"create or replace table thinned as select range as number from range({ROWS})")
    house.execute("set max_vacuum_tasks = 0; delete from thinned where number % 10 <> 0")
    before = row_groups(house)
    house.dbt.run(["run"], house.project.warehouse, now, ["stg_web__events", "int_event_sets"])
    assert before == -(-ROWS // 122_880)
    return row_groups(house)


def test_the_first_build_of_a_day_closes_gaps_and_the_others_leave_them(new_house: Callable[[], House]) -> None:
    house = new_house()
    house.land(DAY, [track("Product Viewed", "2025-12-30 10:00", anonymous="d1")])
    house.build(DAY, ["+int_event_sets"])
    assert built(house, DAY + timedelta(hours=1)) > 1
    assert built(house, DAY + timedelta(days=1)) == 1
    assert built(house, DAY + timedelta(days=1, hours=1)) > 1


def test_a_build_reads_its_moment_among_the_fingerprints_of_ten_thousand_people(new_house: Callable[[], House]) -> None:
    house = new_house()
    house.land(DAY, [track("Product Viewed", "2025-12-30 10:00", anonymous="d1")])
    house.build(DAY, ["+int_event_sets"])
    # In a dictionary on disk, where DuckDB looks at each word of it, whosever it is.
    house.execute("""
        create or replace table marts.int_event_sets as
        select * from marts.int_event_sets where profile_id = ''
        union all
        select 'p_' || hash(i), hash(i) % 2000000 + 1, i, cast(cast(hash(i) as hugeint) * (i % 5 + 1) as varchar), timestamp '2026-01-01 08:00'
        from range(10500) as rows (i)
    """)
    house.dbt.run(["run"], house.project.warehouse, DAY + timedelta(hours=1), ["stg_web__events"])
    assert house.column("select count(*) from marts.int_event_sets") == [10501]
