"""Uploaded lists become people whom segments can name, and consent is not made of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from warehouse_house import House

from activation.engine.list_upload import upload

NOW = datetime(2026, 10, 31, 2, tzinfo=UTC)
FILE = """email,phone,full_name,company
Li.Lei@example.com,13800138000,李雷,云起
,+86 138 0013 8000,李雷,
han@example.com,,韩梅梅,
"""


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House], tmp_path_factory: pytest.TempPathFactory) -> House:
    house = new_house()
    file: Path = tmp_path_factory.mktemp("lists") / "fair.csv"
    file.write_text(FILE, encoding="utf-8")
    house.land(
        NOW, [("forms/a.jsonl", {"submission_id": "s1", "form_id": "f", "fields": {"email": "han@example.com", "first_name": "Mei"}})]
    )
    for name in ("autumn_fair", "spring_fair"):
        upload(house.project, house.declarations, file, name, NOW)
    house.build(select=["+dim_list_members", "+consent_state", "+dim_profiles"])
    return house


def test_members_are_people_each_once_on_each_list(house: House) -> None:
    found = house.rows("select list_name, profile_id, count(*) from marts.dim_list_members group by all order by all")
    people = sorted({house.profile("li.lei@example.com"), house.profile("han@example.com")})
    assert found == [(name, person, 1) for name in ("autumn_fair", "spring_fair") for person in people]
    assert house.profile("+8613800138000") == house.profile("li.lei@example.com")


def test_what_a_list_says_of_a_person_counts_least(house: House) -> None:
    named = dict(house.rows("select email, coalesce(first_name, full_name) from identity.dim_profiles"))
    assert named == {"li.lei@example.com": "李雷", "han@example.com": "Mei"}


def test_being_on_a_list_is_no_consent(house: House) -> None:
    assert house.rows("select * from marts.consent_state") == []
