"""Windows of time: where they begin and end, in which time zone."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from people_at_hand import TABLES, did, differs_by, members, rule

MOMENT = timedelta(microseconds=1)


def test_calendar_windows_are_those_of_the_time_zone(people: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    text = "description: Some.\ntime_zone: Asia/Shanghai\nrule: {did: Order Paid, during: yesterday}\n"
    sql = did("event_name = 'Order Paid' and occurred_at >= '2026-06-28 16:00:00' and occurred_at < '2026-06-29 16:00:00'")
    assert differs_by(people, tmp_path, text, sql) == set()


@pytest.mark.parametrize(
    ("zone", "window", "first", "after"),
    [
        # rolling: what is exactly so long ago is out, what is exactly now is in
        ("UTC", "within: 24 hours", "2026-06-29 12:00:00.000001", "2026-06-30 12:00:00.000001"),
        ("UTC", "within: 1 month", "2026-05-30 12:00:00.000001", "2026-06-30 12:00:00.000001"),
        ("Asia/Shanghai", "within: 1 day", "2026-06-29 12:00:00.000001", "2026-06-30 12:00:00.000001"),
        ("Asia/Shanghai", "during: today", "2026-06-29 16:00:00", "2026-06-30 12:00:00.000001"),
        ("America/New_York", "during: yesterday", "2026-06-29 04:00:00", "2026-06-30 04:00:00"),
        ("Asia/Kolkata", "during: last_week", "2026-06-21 18:30:00", "2026-06-28 18:30:00"),
        ("Europe/Berlin", "during: last_month", "2026-04-30 22:00:00", "2026-05-31 22:00:00"),
        # the quarter begins in winter time and ends in summer time
        ("Europe/Berlin", "during: last_quarter", "2025-12-31 23:00:00", "2026-03-31 22:00:00"),
        ("Europe/Berlin", "during: last_year", "2024-12-31 23:00:00", "2025-12-31 23:00:00"),
        # days of 23 and of 25 hours
        ("Europe/Berlin", "between: [2026-03-29, 2026-03-29]", "2026-03-28 23:00:00", "2026-03-29 22:00:00"),
        ("Europe/Berlin", "between: [2025-10-26, 2025-10-26]", "2025-10-25 22:00:00", "2025-10-26 23:00:00"),
        ("America/New_York", "between: [2026-03-07, 2026-03-08]", "2026-03-07 05:00:00", "2026-03-09 04:00:00"),
        ("UTC", "relative_to: {field: first_touch_at, from: -3 days, until: 1 hour}", "2026-06-07 08:00:00", "2026-06-10 09:00:00.000001"),
    ],
)
def test_a_window_begins_and_ends_where_it_says(tmp_path: Path, zone: str, window: str, first: str, after: str) -> None:
    begin, end = datetime.fromisoformat(first), datetime.fromisoformat(after)
    happened = {"before": begin - MOMENT, "first": begin, "last": end - MOMENT, "after": end}
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        connection.execute("set TimeZone = 'UTC'")
        for who, when in happened.items():
            connection.execute(
                "insert into dim_profiles (profile_id, first_touch_at, is_test) values (?, '2026-06-10 08:00', false)", [who]
            )
            connection.execute(
                "insert into fct_events (event_id, profile_id, event_name, occurred_at, is_bot) values (?, ?, 'Order Paid', ?, false)",
                [who, who, when],
            )
        text = f"description: Some.\ntime_zone: {zone}\nrule: {{did: Order Paid, {window}}}\n"
        assert set(members(connection, rule(tmp_path, text))) == {"first", "last"}
        text = f"description: Some.\ntime_zone: {zone}\nrule: {{did_not: Order Paid, {window}}}\n"
        assert set(members(connection, rule(tmp_path, text))) == {"before", "after"}


@pytest.mark.parametrize(("gap", "follows"), [(0, False), (1, True), (3600, True), (3601, False)])
def test_a_step_follows_after_its_step_and_within_its_reach(tmp_path: Path, gap: int, follows: bool) -> None:
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        connection.execute("insert into dim_profiles (profile_id, is_test) values ('p', false)")
        for name, seconds in (("Product Viewed", 0), ("Order Paid", gap)):
            when = datetime(2026, 6, 1) + timedelta(seconds=seconds)
            connection.execute(
                "insert into fct_events (event_id, profile_id, event_name, occurred_at, is_bot) values (?, 'p', ?, ?, false)",
                [name, name, when],
            )
        text = "description: Some.\nrule: {sequence: [{did: Product Viewed}, {did: Order Paid, within: 1 hour}]}\n"
        assert bool(members(connection, rule(tmp_path, text))) == follows
