"""Who is in a segment and why: its first few, the reasons, and how long somebody has been in it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from people_at_hand import NOW, TABLES, by_hand, did, differs_by, members, rule


@pytest.mark.parametrize(
    ("top", "sql"),
    [
        pytest.param(
            "{count: 7, by: lifetime_value desc, per: country}",
            "select profile_id from dim_profiles where not is_test and phone is not null "
            "qualify row_number() over (partition by country order by lifetime_value desc nulls last, profile_id) <= 7",
            id="ties go by id",
        ),
        pytest.param(
            "{count: 9, by: score asc, model: fit}",
            "select p.profile_id from dim_profiles p left join score_profiles s on s.profile_id = p.profile_id and model = 'fit' "
            "where not is_test and phone is not null qualify row_number() over (order by coalesce(score, 0), p.profile_id) <= 9",
            id="who has no score counts as nothing",
        ),
    ],
)
def test_the_top_are_the_first_in_order(people: duckdb.DuckDBPyConnection, tmp_path: Path, top: str, sql: str) -> None:
    assert differs_by(people, tmp_path, f"description: Some.\nrule: {{profile: {{phone: {{known: true}}}}}}\ntop: {top}\n", sql) == set()


def test_the_reason_says_what_holds_of_each(people: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    text = "description: Some.\nrule: {any: [{profile: {country: CN}}, {did: Order Paid, within: 2 days}]}\n"
    found = members(people, rule(tmp_path, text))
    assert set(found.values()) == {"country is CN", "Order Paid within 2 days", "country is CN, Order Paid within 2 days"}
    paid = by_hand(people, did(f"event_name = 'Order Paid' and occurred_at > {NOW} - interval 2 days"))
    assert {person for person, reason in found.items() if "Order Paid" in reason} == paid


@pytest.mark.parametrize(
    ("history", "held"),
    [
        # who was in it under the id of before, up to the merge, which the last build has or has not seen
        ([("old", "enter", 10), ("new", "enter", 3), ("old", "exit", 3)], True),
        ([("old", "enter", 10)], True),
        ([("old", "enter", 6), ("new", "enter", 10), ("new", "exit", 4), ("old", "exit", 3), ("new", "enter", 3)], True),
        ([("old", "enter", 10), ("new", "enter", 5)], True),
        # a break that none of the ids fills begins it anew
        ([("old", "enter", 10), ("old", "exit", 6), ("new", "enter", 5)], False),
        ([("new", "enter", 10), ("new", "exit", 6), ("new", "enter", 5)], False),
        ([("old", "enter", 10), ("old", "exit", 6)], False),
        ([("old", "enter", 6)], False),
        # somebody else's time is not theirs
        ([("other", "enter", 10), ("new", "enter", 3)], False),
    ],
)
def test_how_long_somebody_is_in_a_segment_goes_on_over_a_merge(tmp_path: Path, history: list[tuple[str, str, int]], held: bool) -> None:
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        connection.execute("insert into dim_profiles (profile_id, is_test) values ('new', false)")
        connection.execute("insert into segment_hot values ('new')")
        connection.execute("insert into profile_merges values ('old', 'new')")
        for number, (who, change, days) in enumerate(history):
            when = datetime(2026, 6, 30) - timedelta(days=days)
            connection.execute("insert into segment_history values ('segment_hot', ?, ?, ?, ?)", [who, change, number, when])
        text = "description: Some.\nrule: {in_segment: segment_hot, held_for: 7 days}\n"
        assert bool(members(connection, rule(tmp_path, text))) == held
