"""int_profile_people is made again for those alone of whose identifiers something is new, and says what one made from nothing does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sent_records import at, identify, page
from warehouse_house import House

NOON = at("2026-06-20 12:00")
LATER = NOON + timedelta(hours=1)
SELECT = ["+int_profile_people"]
FIVE = [f"p{n}@mail.example" for n in range(5)]


@pytest.fixture
def house(new_house: Callable[[], House]) -> House:
    """Five people with a device each, and a device of nobody that opened two pages within a minute."""
    house = new_house()
    house.land(NOON, [
        *(identify("2026-06-01 10:00", anonymous=f"d{n}", user=f"u{n}", email=email) for n, email in enumerate(FIVE)),
        page("2026-06-02 10:00:01", anonymous="quick"), page("2026-06-02 10:00:02", anonymous="quick"),
        identify("2026-06-20 12:30", anonymous="d4", email="ahead@mail.example"),
    ])  # fmt: skip
    house.build(NOON, SELECT)
    return house


def people(house: House) -> list[tuple[Any, ...]]:
    return house.rows("""
        select profile_id, profile_key, first_seen_at, last_seen_at, identifiers, origin_system, is_test, is_machine, machine_devices
        from identity.int_profile_people order by profile_key
    """)


def machines(house: House) -> list[int]:
    return house.column("select machine_devices from identity.int_profile_people where is_machine")


def build(house: House, now: datetime, variables: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """What the build makes of it, having seen that one made from nothing is the same."""
    house.dbt.run(["run"], house.project.warehouse, now, SELECT, variables=variables)
    found = people(house)
    house.dbt.run(["run"], house.project.warehouse, now, ["int_profile_people"], full=True, variables=variables)
    assert people(house) == found
    return found


def test_whoever_has_news_is_made_again_and_nobody_else(house: House) -> None:
    house.execute("update identity.int_profile_people set origin_system = 'as before'")
    house.land(LATER, [page("2026-06-20 12:20", anonymous="d0"), identify("2026-06-20 12:10", anonymous="d9", user="u1")])
    house.dbt.run(["run"], house.project.warehouse, LATER, SELECT)
    # Of whom it is that d4 was dated ahead: now it counts.
    again = "select identifiers from identity.int_profile_people where origin_system <> 'as before' order by 1"
    assert house.column(again) == [3, 4, 4]


def test_a_device_that_is_found_to_be_a_machine_is_one_until_it_is_none(house: House) -> None:
    assert machines(house) == []
    strict = {"machine_events_per_minute": 1}
    house.dbt.run(["run"], house.project.warehouse, NOON, SELECT, variables=strict)
    assert machines(house) == [1]
    assert machines(house) == [row[-1] for row in build(house, NOON, strict) if row[-2]]
    house.dbt.run(["run"], house.project.warehouse, NOON, SELECT)
    assert machines(house) == []
    build(house, NOON)


def test_two_who_become_one_are_counted_once(house: House) -> None:
    house.land(LATER, [identify("2026-06-20 12:40", anonymous="d0", email=FIVE[1])])
    before = people(house)
    assert len(build(house, LATER)) == len(before) - 1


def test_what_is_dated_ahead_was_seen_when_it_landed_until_its_moment_comes(house: House) -> None:
    seen = [max(row[3] for row in build(house, now)) for now in (NOON, LATER, NOON - timedelta(days=19), LATER)]
    assert [f"{moment:%d %H:%M}" for moment in seen] == ["20 12:00", "20 12:30", "01 10:00", "20 12:30"]


def test_whose_address_is_of_our_own_tests_is_told_as_soon_as_the_seed_says_so(house: House) -> None:
    assert not any(row[6] for row in people(house))
    house.execute("update seeds.test_identifiers set pattern = '^p3@'")
    assert [row[6] for row in build(house, NOON)].count(True) == 1
