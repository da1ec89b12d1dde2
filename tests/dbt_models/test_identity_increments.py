"""Whatever lands, is decided and is blocked between two builds: a build that takes up only what is new ends where one from nothing ends."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from sent_records import alias, at, contact, form, identify, page
from warehouse_house import House, Record

SELECT = ["+int_identity_dropped_edges", "+profile_merges"]
TABLES = {
    "bridge_profile_identifiers": "profile_id, profile_key, identifier_key, identifier, first_seen_at, last_seen_at, source, observations, own_profile_id",
    "int_identity_components": "identifier_key, component",
    "int_identity_links": "left_key, right_key, strength, component",
    "int_identity_edges": "*",
    "int_identity_dropped_edges": "*",
    "profile_merges": "previous_id, profile_id, rule, edge, merged_at, identifier_key",
}
Pair = tuple[str, str, str, str, str]


def _drawn(seed: int, count: int = 250) -> list[Record]:
    """Few identifiers, so that people meet, part and crowd; the limits of partners are reached and passed."""
    drawn = random.Random(seed)
    records: list[Record] = []
    for _ in range(count):
        email, phone = f"e{drawn.randrange(90)}@mail.example", f"+861391000{drawn.randrange(90):04d}"
        device, user = f"device-{drawn.randrange(60)}", f"u-{drawn.randrange(40)}"
        records.append(
            drawn.choice(
                [
                    form(email=email, phone=phone),
                    form(email=email),
                    identify(user=user, email=email),
                    identify(user=user, anonymous=device),
                    identify(anonymous=device, email=email),
                    contact(f"c-{drawn.randrange(30)}", email=email, phone=phone),
                    alias(user, f"u-{drawn.randrange(40)}"),
                    page("2026-06-01 12:00", anonymous=f"device-{drawn.randrange(90)}"),
                ]
            )
        )
    return records


def _decide(house: House, *pairs: Pair) -> None:
    house.execute("delete from seeds.identity_manual_pairs")
    for pair in pairs:
        house.execute(
            "insert into seeds.identity_manual_pairs by name select ? as left_type, ? as left_identifier, ? as right_type, ? as right_identifier, "
            "? as verdict, 'they told us' as reason",
            [pair],
        )


def _tables(house: House) -> dict[str, list[tuple[Any, ...]]]:
    return {table: house.rows(f"select {columns} from identity.{table} order by all") for table, columns in TABLES.items()}


@pytest.fixture(scope="module")
def steps(new_house: Callable[[], House]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """After each build: the tables, and those of a build from nothing over the same records."""
    house, found = new_house(), []

    def build() -> None:
        house.dbt.run(["run"], house.project.warehouse, select=SELECT)
        other = new_house()
        shutil.copy(house.project.warehouse, other.project.warehouse)
        other.dbt.run(["run"], other.project.warehouse, select=SELECT, full=True)
        found.append((_tables(house), _tables(other)))

    house.land(at("2026-06-02 00:00"), _drawn(1))
    house.build(select=SELECT)
    joined = house.rows(
        "select a.identifier_type, a.identifier, b.identifier_type, b.identifier from identity.bridge_profile_identifiers a join "
        "identity.bridge_profile_identifiers b using (profile_id) where a.identifier_type = 'email' and b.identifier_type = 'phone' order by all"
    )
    never: list[Pair] = [(*pair, "never") for pair in (joined[0], joined[-1])]
    same: Pair = ("email", "e1@mail.example", "email", "e2@mail.example", "same")
    house.land(at("2026-06-03 00:00"), _drawn(2))
    _decide(house, *never, same)
    build()
    _decide(house, never[0])
    house.land(at("2026-06-04 00:00"), _drawn(3))
    build()
    _decide(house)
    house.execute("insert into seeds.identity_blocked_values values ('email', '^e3@', 'placeholder mailbox')")
    house.execute("update seeds.identity_partner_limits set max_partners = 2 where identifier_type = '*' and partner_type = '*'")
    build()
    return found


@pytest.mark.parametrize("table", TABLES)
def test_what_a_build_adds_to_is_what_a_build_from_nothing_makes(steps: list[tuple[dict[str, Any], dict[str, Any]]], table: str) -> None:
    for number, (added, made) in enumerate(steps):
        assert added[table] == made[table], f"build {number}"


def test_the_steps_did_something(steps: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    reasons = [{row[7].split(" of ")[0].split(":")[0] for row in added["int_identity_dropped_edges"]} for added, _ in steps]
    assert all(any(reason.startswith("more than") for reason in of_step) for of_step in reasons)
    assert ["between two that are never the same" in of_step for of_step in reasons] == [True, True, False]
    assert ["blocked value" in of_step for of_step in reasons] == [False, False, True]
    people = [len({row[0] for row in added["bridge_profile_identifiers"]}) for added, _ in steps]
    assert len(set(people)) == 3
