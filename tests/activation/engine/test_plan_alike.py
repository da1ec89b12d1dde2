"""A large source is first asked whether anything changed at all, by sums: the answer must be that of the comparison row by row."""

from __future__ import annotations

import pytest
from small_project import SmallProject

from activation.engine import differences

FILES = "files/people"
PEOPLE = 500


@pytest.fixture(params=[PEOPLE, 100_000], ids=["by its sums", "row by row"])
def ref(shop: SmallProject, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A sync all of whose rows are acknowledged, and how many rows count as many. The sample finds little: ten rows of them."""
    monkeypatch.setattr(differences, "LARGE", request.param)
    monkeypatch.setattr(differences, "SAMPLE", 10)
    shop.people(PEOPLE)
    ref = shop.sync(FILES, mode="mirror", on_removed="delete", guards={"max_removed_pct": 100})
    shop.run(ref)
    return ref


def test_nothing_is_planned_when_nothing_changed(shop: SmallProject, ref: str) -> None:
    assert shop.planned(ref) == []


def test_one_value_of_one_row_is_found(shop: SmallProject, ref: str) -> None:
    shop.sql("update sync_people set first_name = 'Mei' where profile_id = 'p_77'")
    assert shop.planned(ref) == [("change", "p_77", None)]


def test_two_rows_that_changed_places_are_found(shop: SmallProject, ref: str) -> None:
    shop.sql(
        "update sync_people set first_name = case profile_id when 'p_1' then 'Name2' else 'Name1' end where profile_id in ('p_1', 'p_2')"
    )
    assert shop.planned(ref) == [("change", "p_1", None), ("change", "p_2", None)]


def test_one_who_came_in_place_of_one_who_went_is_found(shop: SmallProject, ref: str) -> None:
    shop.sql("update sync_people set profile_id = 'new' where profile_id = 'p_3'")
    assert shop.planned(ref) == [("add", "new", None), ("remove", "p_3", None)]


def test_a_row_that_stands_twice_in_place_of_another_is_found(shop: SmallProject, ref: str) -> None:
    shop.sql("delete from sync_people where profile_id = 'p_4'")
    shop.sql("insert into sync_people from sync_people where profile_id = 'p_5'")
    assert shop.planned(ref) == [("change", "p_5", "DUPLICATE_KEY"), ("change", "p_5", "DUPLICATE_KEY"), ("remove", "p_4", None)]
