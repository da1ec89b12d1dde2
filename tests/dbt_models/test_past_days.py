"""A past day rebuilt is the build of that day: what happened, was said or was bought since is not known yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sent_records import account, at, consent, contact, form, identify, mail, opportunity, order, page, track
from warehouse_house import House, Record

DAY, LATER = at("2026-05-31 12:00"), at("2026-06-30 12:00")
SELECT = ["+segment_members", "+score_accounts", "+tag_assignments", "+suppressions"]
WHAT_IT_SAYS = "columns(c -> not starts_with(c, '_'))"  # and not which build said it
TABLES = {
    "identity.dim_profiles": "* exclude (profile_key)",
    "identity.dim_accounts": "*",
    "identity.bridge_profile_accounts": "*",
    "marts.fct_opportunities": "*",
    "marts.profile_lifecycle": "*",
    "marts.consent_state": "*",
    "marts.suppressions": "*",
    "marts.dim_contact_points": "*",
    "tags.tag_assignments": WHAT_IT_SAYS,
    "scores.score_components": WHAT_IT_SAYS,
    "scores.score_profiles": "*",
    "scores.score_accounts": "*",
    "segments.segment_members": "*",
}


def _person(name: str, first: str, **traits: str) -> list[Record]:
    """Somebody with a device and an account on the site, who reads two pages."""
    return [
        identify(
            f"{first} 09:00", anonymous=f"d-{name}", user=f"u-{name}", email=f"{name}@{traits.pop('domain', 'firm.example')}", **traits
        ),
        page(f"{first} 09:05", anonymous=f"d-{name}", user=f"u-{name}", url="https://shop.example/pricing", path="/pricing"),
        track("Product Viewed", f"{first} 09:10", anonymous=f"d-{name}", user=f"u-{name}", product_id="p1", category="coffee"),
    ]


def _company(size: int, revenue: int, industry: str, updated: str) -> Record:
    name, found = account("a-1", "Bright", "firm.example")
    return name, {**found, "employees": size, "annual_revenue": revenue, "industry": industry, "updated_at": updated}


THEN: list[Record] = [
    *_person("ann", "2026-05-20", title="Engineer"),
    *_person("ben", "2026-01-10"),
    *_person("cem", "2026-05-25"),
    *_person("dan", "2026-02-01", domain="gmail.com"),
    *_person("fay", "2026-05-10", domain="old.example"),
    *_person("fay", "2026-05-15", domain="new.example"),
    _company(40, 1000, "software", "2026-05-01"),
    contact("c-ann", "2026-05-21 10:00", email="ann@firm.example", account_id="a-1", lifecycle_stage="lead", title="Engineer"),
    contact("c-cem", "2026-05-26 10:00", email="cem@firm.example", account_id="a-1"),
    opportunity("o-1", "c-ann", "proposal", "2026-05-22T10:00:00Z", amount="100"),
    opportunity("o-3", "c-cem", "discovery", "2026-05-27T10:00:00Z", amount="7"),
    order("b-1", "2026-05-23 10:00", email="ben@firm.example"),
    order("b-2", "2026-05-24 10:00", total=30.0, email="dan@gmail.com"),
    order("b-3", "2026-01-24 10:00", total=60.0, email="ben@firm.example"),
    consent("email", "ann@firm.example", "email", "newsletter", "granted", "2026-05-20 10:00"),
    consent("email", "ben@firm.example", "email", "newsletter", "granted", "2026-05-20 10:00"),
]
SINCE: list[Record] = [
    *_person("ann", "2026-06-10", title="Director"),
    *_person("ben", "2026-06-15"),
    page("2026-06-16 10:00", anonymous="d-ben", user="u-ben", url="https://shop.example/", context={"campaign": {"source": "baidu", "medium": "cpc", "name": "x"}}),
    *_person("eve", "2026-06-20"),
    *_person("fay", "2026-06-10", domain="old.example"),
    _company(900, 9000000, "finance", "2026-06-05"),
    account("a-2", "Young", "young.example", "2026-06-06"),
    contact("c-ann", "2026-06-11 10:00", email="ann@firm.example", account_id="a-1", lifecycle_stage="sql", title="Director"),
    contact("c-cem", "2026-06-12 10:00", email="cem@firm.example", account_id="a-2"),
    opportunity("o-1", "c-ann", "closed_won", "2026-05-22T10:00:00Z", "2026-06-12T10:00:00Z", amount="900"),
    opportunity("o-2", "c-ann", "proposal", "2026-06-13T10:00:00Z", amount="50"),
    opportunity("o-3", "c-cem", "negotiation", "2026-05-27T10:00:00Z", updated="2026-06-18T10:00:00Z", amount="8"),
    order("b-2", "2026-05-24 10:00", "refunded", total=30.0, updated="2026-06-14 10:00", email="dan@gmail.com"),
    order("b-4", "2026-06-14 10:00", total=500.0, email="ann@firm.example"),
    consent("email", "ben@firm.example", "email", "newsletter", "may_contact", "2026-06-20 10:00"),
    consent("email", "cem@firm.example", "email", "newsletter", "granted", "2026-06-20 10:00"),
    mail("spamreport", "ann@firm.example", "2026-06-22 10:00"),
    mail("bounce", "ben@firm.example", "2026-06-22 10:00", type="bounce", status="5.1.1"),
    form("2026-06-25 10:00", email="new@young.example", form_id="demo-request"),
]  # fmt: skip


@pytest.fixture(scope="module")
def found(new_house: Callable[[], House]) -> dict[str, tuple[list[Any], list[Any], list[Any]]]:
    """By table: the columns, the rows of the build of that day, and those of its rebuild a month later."""
    house = new_house()
    house.land(DAY, THEN)
    house.build(DAY, select=SELECT)
    then = {table: house.rows(f"select {columns} from {table} order by all") for table, columns in TABLES.items()}
    house.land(LATER, SINCE)
    house.build(LATER, select=SELECT)
    now = {table: house.rows(f"select {columns} from {table} order by all") for table, columns in TABLES.items()}
    assert [table for table in TABLES if then[table] == now[table]] == [], "nothing happened since"
    house.build(DAY, select=SELECT)
    return {
        table: (
            house.column(f"select column_name from (describe select {columns} from {table})"),
            then[table],
            house.rows(f"select {columns} from {table} order by all"),
        )
        for table, columns in TABLES.items()
    }


@pytest.mark.parametrize("table", TABLES)
def test_a_past_day_rebuilt_is_the_build_of_that_day(found: dict[str, tuple[list[Any], list[Any], list[Any]]], table: str) -> None:
    columns, then, rebuilt = found[table]
    differences = [
        (name, was, now)
        for row_then, row_now in zip(then, rebuilt, strict=False)
        for name, was, now in zip(columns, row_then, row_now, strict=True)
        if was != now
    ]
    assert (len(rebuilt), differences) == (len(then), [])


def test_a_clock_that_runs_ahead_makes_nobody_seen_anew_with_every_build(new_house: Callable[[], House]) -> None:
    house, seen = new_house(), []
    house.land(DAY, [identify("2031-01-01 09:00", anonymous="d-gus", user="u-gus", email="gus@firm.example")])
    for moment in (DAY, LATER):
        house.build(moment, select=["+dim_contact_points", "+int_profile_people"])
        seen.append(
            house.rows("select last_seen_at from marts.dim_contact_points union all select last_seen_at from identity.int_profile_people")
        )
    assert len(seen[0]) == 2
    assert seen[0] == seen[1]
