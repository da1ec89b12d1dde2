"""Whom a send would reach: who is in its audience and has not had it."""

from __future__ import annotations

import pytest
from running_sandbox import RunningSandbox
from small_project import SmallProject, plan_rows

from activation.engine.errors import PlanRefused

FILES = "files/people"  # a folder: whatever leaves is acknowledged


def test_a_send_addresses_who_is_in_any_included_and_no_excluded_segment(shop: SmallProject) -> None:
    shop.people(4)
    shop.fill("segment_excluded", [("p_1",), ("p_9",)])
    ref = shop.send(audience={"include": ["segment_everyone"], "exclude": ["segment_excluded"]})
    shop.sql("insert into segment_everyone values ('p_0'), ('stranger')")
    assert shop.planned(ref) == [("add", "p_0", None), ("add", "p_2", None), ("add", "p_3", None)]


def test_a_message_keeps_its_id_whatever_becomes_of_its_fields(shop: SmallProject) -> None:
    shop.people(2)
    ref = shop.send()
    first = [row["message_id"] for row in plan_rows(shop.plan(ref))]
    shop.sql("update dim_profiles set first_name = 'Mei'")
    assert [row["message_id"] for row in plan_rows(shop.plan(ref))] == first
    assert len(set(first)) == 2
    assert {row["message_id"] for row in plan_rows(shop.plan(shop.send("mail/other")))}.isdisjoint(first)


def test_who_got_the_message_does_not_get_it_again(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    ref = shop.send()
    shop.run(ref)
    shop.sql("update dim_profiles set first_name = 'Mei'")
    assert shop.planned(ref) == []


def test_a_segment_without_profiles_cannot_be_an_audience(shop: SmallProject) -> None:
    ref = shop.send()
    shop.sql("alter table segment_everyone rename profile_id to person")
    with pytest.raises(PlanRefused, match="`segment_everyone` has no column `profile_id`"):
        shop.plan(ref)


def test_the_plan_file_is_for_its_owner_alone(shop: SmallProject) -> None:
    shop.people(1)
    assert shop.plan(shop.sync(FILES)).file.stat().st_mode & 0o777 == 0o600
