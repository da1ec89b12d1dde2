"""Rows of a plan that may be looked at: what changes, and nothing personal."""

from __future__ import annotations

import pytest
from small_project import SmallProject

from activation.engine.masking import mask
from activation.engine.samples import sample_rows

FILES = "files/people"


def shown(shop: SmallProject, ref: str) -> list[tuple[str, str | None, str, str]]:
    rows = sample_rows(shop.project, shop.find(ref), shop.plan(ref))
    return [(row["operation"], row["key"], row["before"], row["after"]) for row in rows]


def test_personal_fields_are_masked_and_others_shown(shop: SmallProject) -> None:
    shop.people(1)
    ref = shop.sync(FILES, fields={"email": "email", "name": "first_name", "city": "city"})
    assert shown(shop, ref) == [("add", "p_0", "", "email=u***@mail.example, name=N***, city=Wuhan")]


def test_a_change_shows_only_what_changes_before_and_after(shop: SmallProject) -> None:
    shop.people(2)
    ref = shop.sync(FILES, fields={"email": "email", "name": "first_name", "city": "city"})
    shop.run(ref)
    shop.sql("update sync_people set city = 'Beijing', first_name = 'Mei' where profile_id = 'p_1'")
    assert shown(shop, ref) == [("change", "p_1", "name=N***, city=Wuhan", "name=M***, city=Beijing")]


def test_a_few_rows_of_each_operation_are_shown(shop: SmallProject) -> None:
    shop.people(20)
    ref = shop.sync(FILES, mode="mirror", on_removed="delete")
    shop.run(ref)
    shop.sql("delete from sync_people where profile_id = 'p_3'", "update sync_people set first_name = 'x' where profile_id > 'p_3'")
    shop.sql("insert into sync_people values (null, 'n@mail.example', 'n', '', 1)")
    operations = [row[0] for row in shown(shop, ref)]
    assert {kind: operations.count(kind) for kind in operations} == {"NULL_KEY": 1, "change": 5, "remove": 1}


def test_a_key_that_is_personal_is_masked(shop: SmallProject) -> None:
    shop.people(1)
    assert shown(shop, shop.sync(FILES, key="email", fields={"city": "city"})) == [("add", "u***@mail.example", "", "city=Wuhan")]


def test_the_fields_of_a_send_are_masked(shop: SmallProject) -> None:
    shop.people(1)
    assert shown(shop, shop.send()) == [("add", "p_0", "", "first_name=N***")]


@pytest.mark.parametrize(
    ("value", "masked"), [(None, ""), ("", ""), ("李小明", "李***"), ("a@b.co", "a***@b.co"), ("+8613800000000", "+***"), (42, "4***")]
)
def test_a_mask_leaves_too_little_to_know_whom(value: object, masked: str) -> None:
    assert mask(value) == masked
