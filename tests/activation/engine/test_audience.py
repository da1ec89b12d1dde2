"""Whom a send addresses: limits, waterfalls, and people that nothing reaches; and whom a sync lets go."""

from __future__ import annotations

from typing import Any

import pytest
from small_project import SmallProject

from activation.engine.errors import GuardStop, PlanRefused

MAIL, SMS, FILES = "mail/hello", "sms/short", "files/people"


def addressed(shop: SmallProject, ref: str = MAIL) -> list[str]:
    return [key for _, key, _ in shop.planned(ref)]


def limited(shop: SmallProject, limit: dict[str, Any], ref: str = MAIL) -> str:
    return shop.send(ref, audience={"include": ["segment_everyone"], "limit": limit})


@pytest.fixture
def five(shop: SmallProject) -> SmallProject:
    """p_0 … p_4, whose first names are their rank; p_0 to p_2 are in Wuhan time, p_3 and p_4 in Berlin's."""
    shop.people(5)
    shop.sql(
        "update dim_profiles set first_name = profile_id, time_zone = case when profile_id >= 'p_3' then 'Europe/Berlin' else 'Asia/Shanghai' end"
    )
    return shop


# -- limits ---------------------------------------------------------------------------------------------------------------


def test_the_first_of_an_order_are_addressed(five: SmallProject) -> None:
    limited(five, {"top": 2, "by": "first_name desc"})
    assert addressed(five) == ["p_3", "p_4"]
    limited(five, {"top": 2, "by": "first_name asc"})
    assert addressed(five) == ["p_0", "p_1"]


def test_who_has_no_value_comes_last_either_way(five: SmallProject) -> None:
    five.sql("update dim_profiles set first_name = null where profile_id in ('p_0', 'p_4')")
    for direction, first in (("asc", ["p_1", "p_2", "p_3"]), ("desc", ["p_1", "p_2", "p_3"])):
        limited(five, {"top": 3, "by": f"first_name {direction}"})
        assert addressed(five) == first


def test_equal_ones_go_by_profile_id(five: SmallProject) -> None:
    five.sql("update dim_profiles set first_name = 'same'")
    for direction in ("asc", "desc"):
        limited(five, {"top": 2, "by": f"first_name {direction}"})
        assert addressed(five) == ["p_0", "p_1"]


def test_a_limit_may_hold_for_each_value_of_a_column(five: SmallProject) -> None:
    limited(five, {"top": 1, "by": "first_name desc", "per": "time_zone"})
    assert addressed(five) == ["p_2", "p_4"]


def test_an_order_may_come_from_the_segment(five: SmallProject) -> None:
    five.sql(
        "alter table segment_everyone add column score integer", "update segment_everyone set score = 5 - right(profile_id, 1)::integer"
    )
    limited(five, {"top": 2, "by": "score desc"})
    assert addressed(five) == ["p_0", "p_1"]


def test_an_order_by_a_column_that_is_nowhere_is_refused(five: SmallProject) -> None:
    limited(five, {"top": 2, "by": "points desc"})
    with pytest.raises(PlanRefused, match="neither dim_profiles nor `segment_everyone` has a column `points`"):
        five.plan(MAIL)


def test_who_has_had_the_message_keeps_a_place(five: SmallProject) -> None:
    """At most so many people ever get it, whoever climbs to the top meanwhile."""
    limited(five, {"top": 2, "by": "first_name asc"})
    five.sql(f"insert into activation.sync_snapshot (ref, key, state) values ('{MAIL}', 'p_4', 'acknowledged')")
    assert addressed(five) == ["p_0"]


# -- waterfalls -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def waterfall(five: SmallProject) -> SmallProject:
    """First the mail to p_0 and p_1 (segment_excluded), then the text message to everybody."""
    five.fill("segment_excluded", [("p_0",), ("p_1",)])
    five.send(MAIL, audience={"include": ["segment_excluded"]})
    five.send(SMS)
    five.policy("waterfalls", f"waterfalls: {{autumn: [{MAIL}, {SMS}]}}\n")
    return five


def test_a_person_belongs_to_the_first_send_that_takes_it(waterfall: SmallProject) -> None:
    assert waterfall.withheld(MAIL) == {}
    assert waterfall.withheld(SMS) == {"p_0": "WATERFALL", "p_1": "WATERFALL"}


def test_who_got_the_first_send_still_belongs_to_it_after_leaving_its_segment(waterfall: SmallProject) -> None:
    waterfall.sql(f"insert into activation.sync_snapshot (ref, key, state) values ('{MAIL}', 'p_4', 'acknowledged')")
    assert waterfall.withheld(SMS) == {"p_0": "WATERFALL", "p_1": "WATERFALL", "p_4": "WATERFALL"}


def test_whom_the_limit_of_the_first_leaves_falls_to_the_next(waterfall: SmallProject) -> None:
    waterfall.send(MAIL, audience={"include": ["segment_excluded"], "limit": {"top": 1, "by": "first_name asc"}})
    assert waterfall.withheld(SMS) == {"p_0": "WATERFALL"}


def test_a_limit_counts_only_those_who_are_left(waterfall: SmallProject) -> None:
    limited(waterfall, {"top": 2, "by": "first_name asc"}, SMS)
    assert addressed(waterfall, SMS) == ["p_0", "p_1", "p_2", "p_3"]
    assert waterfall.withheld(SMS) == {"p_0": "WATERFALL", "p_1": "WATERFALL"}


# -- people that nothing reaches ------------------------------------------------------------------------------------------


def test_an_excluded_person_is_in_no_send(five: SmallProject) -> None:
    five.policy("exclusions", "segments: [segment_excluded]\n")
    five.fill("segment_excluded", [("p_0",), (None,)])
    five.send(MAIL)
    assert addressed(five) == ["p_1", "p_2", "p_3", "p_4"]


def test_segments_included_and_excluded_may_be_several(five: SmallProject) -> None:
    five.segment("segment_one", "p_0", "p_1")
    five.segment("segment_other", "p_1", "p_2", "p_3")
    five.segment("segment_gone", "p_3", "p_4")
    five.fill("segment_excluded", [("p_1",)])
    five.policy("exclusions", "segments: [segment_gone]\n")
    five.send(MAIL, audience={"include": ["segment_one", "segment_other"], "exclude": ["segment_excluded"]})
    assert addressed(five) == ["p_0", "p_2"]


def test_an_excluded_person_is_not_planned_by_a_sync_and_let_go_by_a_mirror(five: SmallProject) -> None:
    five.sync(FILES)
    five.run(FILES)
    five.policy("exclusions", "segments: [segment_excluded]\n")
    five.fill("segment_excluded", [("p_0",)])
    five.sql("update sync_people set first_name = 'x' where profile_id < 'p_2'")
    assert five.planned(FILES) == [("change", "p_1", None)]
    five.sync(FILES, mode="mirror", on_removed="delete")
    assert five.planned(FILES) == [("change", "p_1", None), ("remove", "p_0", None)]


def test_excluding_everybody_is_taken_for_an_empty_source(five: SmallProject) -> None:
    five.sync(FILES, mode="mirror", on_removed="delete", guards={"max_removed_pct": 100})
    five.run(FILES)
    five.policy("exclusions", "segments: [segment_everyone]\n")
    with pytest.raises(GuardStop, match="an empty source never deletes"):
        five.run(FILES)


def test_an_exclusion_that_is_not_built_lets_nothing_leave(five: SmallProject) -> None:
    five.policy("exclusions", "segments: [segment_excluded]\n")
    five.send(MAIL)
    five.sql("drop table segment_excluded")
    with pytest.raises(PlanRefused, match="`segment_excluded` is not in the warehouse"):
        five.plan(MAIL)


# -- scope ----------------------------------------------------------------------------------------------------------------


def test_removals_are_planned_only_below_parents_that_are_there(five: SmallProject) -> None:
    scoped = {"fields": {"email": "email", "town": "city"}, "mode": "mirror", "on_removed": "delete"}
    five.sync(FILES, **scoped, scope={"parent": "city"})
    five.sql("update sync_people set city = 'Berlin' where profile_id >= 'p_3'")
    five.run(FILES)
    five.sql("delete from sync_people where profile_id in ('p_0', 'p_3', 'p_4')")  # nobody of Berlin is left
    assert five.planned(FILES) == [("remove", "p_0", None)]
    five.sync(FILES, **scoped)
    assert five.planned(FILES) == [("remove", key, None) for key in ("p_0", "p_3", "p_4")]


def test_a_parent_may_be_a_key_of_another_sync(five: SmallProject) -> None:
    five.sync("files/parents")
    five.sync(
        FILES, fields={"owner": "first_name"}, mode="mirror", on_removed="delete", scope={"parent": "first_name", "of": "files/parents"}
    )
    five.sql("update sync_people set first_name = case profile_id when 'p_0' then 'p_2' else 'p_1' end")
    five.run(FILES)
    five.sql("delete from sync_people where profile_id in ('p_0', 'p_1')")  # whose parents are p_2, and p_1 itself
    assert five.planned(FILES) == [("remove", "p_0", None)]
