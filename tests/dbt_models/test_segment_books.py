"""Who came and who went, and which thresholds were crossed: what one build after the other adds, and what none takes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sent_records import at
from warehouse_house import House

HOT = "segment_hot"


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House]) -> House:
    """Three builds about segments, and one that is late: tables by hand where other models would be built."""
    house = new_house()
    house.execute("create schema segments")
    house.execute("create schema identity")
    house.execute("create table identity.profile_merges (previous_id varchar, profile_id varchar)")
    for day, members in (
        ("2026-06-01", ["p_stays", "p_leaves", "p_returns", "p_other"]),
        ("2026-06-02", ["p_stays", "p_new", "p_other"]),
        ("2026-06-03", ["p_stays", "p_new", "p_returns", "p_one"]),
        # a build about the past knows nothing new
        ("2026-06-01", []),
    ):
        house.execute("create or replace table segments.segment_members (segment varchar, profile_id varchar, reason varchar)")
        for profile_id in members:
            house.execute(f"insert into segments.segment_members values ('{HOT}', '{profile_id}', 'score')")
        if day == "2026-06-03":
            house.execute("insert into identity.profile_merges values ('p_other', 'p_one')")
        house.dbt.run(["run"], house.project.warehouse, at(f"{day} 00:00"), ["segment_changes", "segment_sizes", "segment_overlaps"])
    return house


def test_who_is_new_enters_and_who_is_gone_exits_with_the_reason_of_before(house: House) -> None:
    assert house.rows(
        "select strftime(changed_at, '%d'), change, profile_id, reason from segments.segment_changes where not is_merge order by change_number"
    ) == [
        ("01", "enter", "p_leaves", "score"),
        ("01", "enter", "p_other", "score"),
        ("01", "enter", "p_returns", "score"),
        ("01", "enter", "p_stays", "score"),
        ("02", "enter", "p_new", "score"),
        ("02", "exit", "p_leaves", "no longer: score"),
        ("02", "exit", "p_returns", "no longer: score"),
        ("03", "enter", "p_returns", "score"),
    ]


def test_a_merge_is_neither_a_coming_nor_a_going(house: House) -> None:
    assert house.rows("select change, profile_id, reason from segments.segment_changes where is_merge order by change_number") == [
        ("enter", "p_one", "was in it under the id p_other"),
        ("exit", "p_other", "is one person with p_one"),
    ]


def test_every_build_has_a_run_and_a_late_one_adds_nothing(house: House) -> None:
    assert house.rows("select count(distinct run_id), max(changed_at)::varchar from segments.segment_changes") == [
        (3, "2026-06-03 00:00:00")
    ]


def test_sizes_are_those_after_each_build(house: House) -> None:
    assert house.rows(
        "select strftime(changed_at, '%d'), entered, exited, members from segments.segment_sizes where segment = ? order by 1", HOT
    ) == [("01", 4, 0, 4), ("02", 1, 2, 3), ("03", 2, 1, 4)]


def test_overlaps_count_who_is_in_both_and_say_so_of_pairs_without_anybody(house: House) -> None:
    house.execute("create or replace table segments.segment_members (segment varchar, profile_id varchar, reason varchar)")
    for segment, profile_id in (("a", "p_1"), ("a", "p_2"), ("b", "p_2"), ("c", "p_3")):
        house.execute(f"insert into segments.segment_members values ('{segment}', '{profile_id}', null)")
    assert house.rows("select segment, other_segment, members, people, share from segments.segment_overlaps order by 1, 2") == [
        ("a", "a", 2, 2, 1.0),
        ("a", "b", 2, 1, 0.5),
        ("a", "c", 2, 0, 0.0),
        ("b", "a", 1, 1, 1.0),
        ("b", "b", 1, 1, 1.0),
        ("b", "c", 1, 0, 0.0),
        ("c", "a", 1, 0, 0.0),
        ("c", "b", 1, 0, 0.0),
        ("c", "c", 1, 1, 1.0),
    ]


def test_a_score_that_trembles_between_two_thresholds_crosses_nothing(new_house: Callable[[], House]) -> None:
    house = new_house()
    house.execute("create schema scores")
    house.execute("create schema seeds")
    house.execute("create schema identity")
    house.execute("create table identity.profile_merges (previous_id varchar, profile_id varchar)")
    house.execute(
        "create table seeds.score_thresholds as select 'engagement' as model, 'hot' as threshold, 60.0 as rises_at, 50.0 as falls_at"
    )
    for day, score in enumerate((10, 55, 61, 55, 59, 49, 55, 60), 1):
        house.execute(
            f"create or replace table scores.score_profiles as select 'engagement' as model, 'p_1' as profile_id, {score} as score, 'A1' as grade"
        )
        house.dbt.run(["run"], house.project.warehouse, at(f"2026-06-0{day} 00:00"), ["fct_score_crossings"])
    assert house.rows(
        "select crossing_number, direction, score, strftime(crossed_at, '%d') from scores.fct_score_crossings order by 1"
    ) == [(1, "up", 61, "03"), (2, "down", 49, "06"), (3, "up", 60, "08")]


def test_who_is_found_to_be_somebody_else_does_not_cross_again(new_house: Callable[[], House]) -> None:
    house = new_house()
    for schema in ("scores", "seeds", "identity"):
        house.execute(f"create schema {schema}")
    house.execute("create table identity.profile_merges (previous_id varchar, profile_id varchar)")
    house.execute(
        "create table seeds.score_thresholds as select 'engagement' as model, 'hot' as threshold, 60.0 as rises_at, 50.0 as falls_at"
    )
    for day, scores in enumerate(([("p_a", 70), ("p_b", 10)], [("p_b", 70)], [("p_b", 45)], [("p_b", 65)]), 1):
        people = ", ".join(f"('engagement', '{who}', {score}, 'A1')" for who, score in scores)
        house.execute(f"create or replace table scores.score_profiles as from (values {people}) as t (model, profile_id, score, grade)")
        if day == 2:
            house.execute("insert into identity.profile_merges values ('p_a', 'p_b')")
        house.dbt.run(["run"], house.project.warehouse, at(f"2026-06-0{day} 00:00"), ["fct_score_crossings"])
    assert house.rows(
        "select profile_id, crossing_number, direction, strftime(crossed_at, '%d') from scores.fct_score_crossings order by crossed_at"
    ) == [("p_a", 1, "up", "01"), ("p_b", 2, "down", "03"), ("p_b", 3, "up", "04")]
