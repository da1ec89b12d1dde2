"""Models that make again only what changed say what they would say if they made everything anew, whatever happens in between."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sent_records import at, contact, form, identify, mail, order, page, track
from warehouse_house import House, Record

from activation.engine.erasure import books
from activation.engine.erasure.person import Person, note
from activation.engine.warehouse import opened, transaction

START = at("2026-01-01 00:00")
DAYS = 35  # of a round, so that people pass out of the 30 and the 90 days that are counted
TABLES = [
    "identity.int_profile_settings",
    "marts.int_arrivals",
    "marts.fct_touches",
    "marts.fct_sessions",
    "marts.int_activity_counts",
    "marts.int_lifecycle_events",
    "scores.int_score_days",
    "scores.int_score_totals",
    "scores.score_components",
    "tags.int_tag_matches",
    "tags.tag_assignments",
]
# Not made of events themselves: scores of what changed of their components, what is taken in batch by batch, and what is known of whom.
OTHERS = [
    "scores.int_score_profiles",
    "marts.int_event_counts",
    "marts.int_message_receipts",
    "identity.int_crm_contact_versions",
    "identity.int_profile_fields",
    "identity.int_profile_values",
    # made in full, and written where they differ
    "identity.int_profile_people",
    "identity.dim_profiles",
    "marts.int_profile_activity",
    "marts.fct_message_events",
    "marts.dim_contact_points",
    "marts.fct_lifecycle_transitions",
    "marts.profile_lifecycle",
]
MODELS = [table.split(".")[1] for table in [*TABLES, *OTHERS]]
SELECT = [f"+{model}" for model in MODELS]
EVENTS = ["Product Viewed", "Product Added", "Pricing Viewed", "Document Downloaded"]
CAMPAIGNS: list[dict[str, Any]] = [
    {},
    {"campaign": {"source": "baidu", "medium": "cpc", "name": "spring"}, "timezone": "Asia/Shanghai"},
    {"campaign": {"source": "weibo", "medium": "social", "name": "may"}, "timezone": "Europe/London", "locale": "en-GB"},
]
Step = tuple[dict[str, list[tuple[Any, ...]]], dict[str, list[tuple[Any, ...]]], dict[str, tuple[int, int]]]


def landing(draw: random.Random, number: int, days: int = DAYS) -> list[Record]:
    """Some weeks of some of the people, on shared and own devices: new, late, corrected, or telling that two are one."""
    records: list[Record] = []
    people = range(40) if number == 0 else draw.sample(range(48), 9)

    def when(late: bool = False) -> str:
        day = draw.randrange(DAYS * number if late else days) + (0 if late else DAYS * number)
        return f"{START + timedelta(days=day, minutes=draw.randrange(1440)):%Y-%m-%d %H:%M}"

    for person in people:
        for _ in range(4):
            late = number > 0 and draw.random() < 0.3
            device = draw.choice([f"d{person}", f"d{person}", f"d{person}-phone", "shop-terminal"])
            user = f"u{person}" if draw.random() < 0.3 else None
            if draw.random() < 0.5:
                context, url = draw.choice(CAMPAIGNS), f"https://shop.example/{draw.randrange(5)}"
                records.append(page(when(late), anonymous=device, user=user, url=url, path="/careers/x", title="数据仓库", context=context))
            else:
                event, category = draw.choice(EVENTS), draw.choice(["coffee", "desks"])
                records.append(track(event, when(late), anonymous=device, user=user, category=category))
    for person in list(people)[:3]:
        records.append(identify(when(), anonymous=f"d{person}", user=f"u{person}", email=f"p{person}@mail.example"))
        records.append(mail("click", f"p{person}@mail.example", when(), url="https://shop.example/pricing"))
        # a newer version of an order may be another person's
        records.append(order(f"o{person}", "2026-01-02 10:00", "paid", updated=when(), user_id=f"u{draw.randrange(40)}"))
        # who they are in the CRM gives points without any event, and no longer does
        title = draw.choice(["CEO", "Marketing Director", "Student"])
        records.append(contact(f"c{person}", when(), email=f"p{person}@mail.example", title=title))
    records.append(form(when(), email="p1@mail.example", anonymous=f"d{people[0]}"))
    if number == 2:
        # known for two rounds, and now found to be a program
        records += [page(f"{START + timedelta(days=71):%Y-%m-%d %H:%M}", anonymous="d3", url="https://shop.example/") for _ in range(70)]
    return records


def by_hand(day: datetime) -> list[tuple[Any, ...]]:
    """Tags that people give and take: from before, from this very day on, and until noon."""
    morning, noon, before = day + timedelta(hours=7), day + timedelta(hours=12), START
    return [
        ("email", "p2@mail.example", "manual:vip", "give", "sales", before, noon),
        ("email", "p3@mail.example", "manual:vip", "give", "sales", morning, None),
        ("email", "p4@mail.example", "interest:coffee", "take", "sales", before, noon),
        ("user_id", "u5", "interest:coffee", "take", "sales", morning, None),
    ]


def said(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """What the models say, without the columns that say when they said it. Sums depend on their order in the last digits."""
    rows = {table: house.rows(f"select columns(c -> not starts_with(c, '_')) from {table} order by all") for table in [*TABLES, *OTHERS]}
    return {
        table: sorted((tuple(round(v, 9) if isinstance(v, float) else v for v in row) for row in found), key=repr)
        for table, found in rows.items()
    }


def made_again(house: House) -> dict[str, tuple[int, int]]:
    """Rows that the last build made, and all."""
    latest = "(select max(changed_at) from marts.int_event_sets)"
    return {table: house.rows(f"select count(*) filter (_seen_to = {latest}), count(*) from {table}")[0] for table in TABLES}


def run(house: House, now: datetime, select: list[str] = SELECT, full: bool = False) -> None:
    house.dbt.run(["run"], house.project.warehouse, now, select, full)


def forget(house: House, identifier: str) -> None:
    """What an erasure does to the warehouse."""
    profile = house.profile(identifier)
    rows = house.rows(
        "select identifier_type, identifier, identifier_key from identity.bridge_profile_identifiers where profile_id = ?", profile
    )
    person = Person((str(profile),), tuple((kind, value) for kind, value, _ in rows), tuple(key for _, _, key in rows), ())
    with opened(house.project) as connection:
        note(connection, person)
        books.gather(connection)
        with transaction(connection):
            assert books.erase(connection, person)["marts.int_events"] > 0


@pytest.fixture(scope="module")
def steps(new_house: Callable[[], House]) -> dict[str, Step]:
    """After each build: what the models say, what they say when they are made from nothing, and how much was made again."""
    draw, house, other, found = random.Random(7), new_house(), new_house(), {}

    def compare(step: str, now: datetime) -> None:
        run(house, now)
        shutil.copy(house.project.warehouse, other.project.warehouse)
        run(other, now, MODELS, full=True)
        found[step] = said(house), said(other), made_again(house)

    def moment(number: int) -> datetime:
        return START + timedelta(days=DAYS * (number + 1))

    house.land(moment(0), landing(draw, 0))
    house.build(moment(0), SELECT)
    house.execute("insert into seeds.tag_manual values (?, ?, ?, ?, ?, ?, ?)", by_hand(moment(4)))
    house.land(moment(1), landing(draw, 1))
    run(house, moment(1), ["+fct_touches", "+int_score_days"])
    house.land(moment(2), landing(draw, 2))
    compare("others missed a build, and somebody was a program", moment(2))
    house.land(moment(3), landing(draw, 3))
    forget(house, "p1@mail.example")
    compare("somebody was forgotten", moment(3))
    compare("the build spoke about the past", moment(3) - timedelta(days=20))
    # within a day scores do not wear off
    house.land(moment(4), landing(draw, 4, days=1))
    run(house, moment(4))
    house.land(moment(4), landing(draw, 4, days=1))
    compare("hours passed, and some came", moment(4) + timedelta(hours=15))
    compare("hours were gone back", moment(4) + timedelta(hours=6))
    house.execute("update seeds.score_rules set path_like = '/careers/%' where event_name = 'Page Viewed'")
    house.execute("delete from seeds.tag_rules where event_name = 'Product Viewed'")
    house.execute("update seeds.channel_rules set channel = 'elsewhere' where channel = 'paid_search'")
    house.execute("update seeds.lifecycle_rules set event_name = 'Product Viewed' where event_name = 'Account Followed'")
    house.execute("update seeds.score_bands set min_score = min_score / 2")
    house.execute("update seeds.survivorship set priority = 9 where source = 'crm'")
    house.execute("update seeds.message_event_types set event_type = 'page_shown' where source = 'mail' and event_type = 'clicked'")
    compare("rules were changed", moment(4) + timedelta(hours=6))
    return found


@pytest.mark.parametrize("table", [*TABLES, *OTHERS])
def test_what_is_made_again_in_part_is_what_is_made_anew(steps: dict[str, Step], table: str) -> None:
    for step, (partly, anew, _) in steps.items():
        assert anew[table], step
        assert partly[table] == anew[table], step


def test_only_what_changed_is_made_again_unless_the_rules_did(steps: dict[str, Step]) -> None:
    *before, last = (counts for _, _, counts in steps.values())
    ruled = {table for table in TABLES if table not in ("identity.int_profile_settings", "marts.int_activity_counts")}
    for table in TABLES:
        assert any(0 < new < all_rows for new, all_rows in (counts[table] for counts in before)), table
        assert (last[table][0] == last[table][1]) == (table in ruled), table


def test_a_table_from_before_is_made_anew(new_house: Callable[[], House]) -> None:
    house = new_house()
    house.land(START, [track("Product Viewed", "2025-12-30 10:00", anonymous="d1", category="coffee")])
    house.build(START, ["+int_score_days"])
    for column in ("_seen_to", "_basis"):
        house.execute(f"alter table scores.int_score_days drop column {column}")
    house.execute("update scores.int_score_days set occurrences = 7")
    run(house, START, ["int_score_days"])
    assert house.rows("select distinct occurrences, _seen_to is not null from scores.int_score_days") == [(1, True)]


def test_two_of_one_moment_that_are_told_anew_together_are_found_changed(new_house: Callable[[], House]) -> None:
    house, moment, found = new_house(), "2025-12-20 10:00", list[Any]()
    for hours, updated in enumerate((moment, "2025-12-21 10:00")):
        house.land(START + timedelta(hours=hours), [order(name, moment, "paid", updated=updated, user_id="u1") for name in ("o1", "o2")])
        house.build(START, ["+int_event_sets"])
        found += house.column("select changed_at from marts.int_event_sets where profile_id <> ''")
    first, second = found
    assert second > first


def test_a_visit_that_somebody_forgotten_had_a_part_in_is_counted_again(new_house: Callable[[], House]) -> None:
    house = new_house()
    house.land(START, [
        identify("2025-12-20 09:00", anonymous="d1", user="u1", email="p1@mail.example"),
        identify("2025-12-20 09:00", anonymous="d2", user="u2", email="p2@mail.example"),
        track("Product Viewed", "2025-12-20 10:00", anonymous="kiosk", user="u1"),
        track("Product Viewed", "2025-12-20 10:05", anonymous="kiosk", user="u2"),
        track("Product Viewed", "2025-12-20 10:10", anonymous="kiosk", user="u2"),
        track("Product Viewed", "2025-12-20 10:00", anonymous="d3", user="u3"),
    ])  # fmt: skip
    house.build(START, ["+fct_sessions"])
    events = "select sum(events) from marts.fct_sessions"
    assert house.column(events) == [4]
    forget(house, "p1@mail.example")
    run(house, START + timedelta(hours=1), ["+fct_sessions"])
    assert house.column(events) == [3]


def test_a_table_of_persons_and_of_visitors_is_found_new_as_a_whole(new_house: Callable[[], House]) -> None:
    house = new_house()
    house.land(
        START,
        [identify("2025-12-20 09:00", anonymous="d1", user="u1"), track("Product Viewed", "2025-12-20 10:00", anonymous="d1", user="u1")],
    )
    house.build(START, ["+fct_sessions"])
    pairs = "select profile_id <> '' and visitor_key <> 0, events from marts.int_event_sets where changed_at > ? order by all"
    before = at("2000-01-01 00:00").replace(tzinfo=None)
    assert house.rows(pairs, before) == [(False, 0), (True, 1)]
    # as it was when each had a row of their own
    house.execute(
        "insert into marts.int_event_sets select profile_id, 0, events, fingerprint, changed_at from marts.int_event_sets where profile_id <> ''"
    )
    house.execute("update marts.int_event_sets set profile_id = '' where visitor_key <> 0")
    latest = house.column("select max(changed_at) from marts.int_event_sets")[0]
    run(house, START, ["int_event_sets", "int_changed_events", "fct_sessions"])
    assert house.rows(pairs, latest) == [(True, 1)]
    assert house.column("select count(*) from marts.int_event_sets") == [2]
    assert house.column("select sum(events) from marts.fct_sessions") == [1]
