"""Every kind of condition beside the SQL that an analyst would write for it, over the same people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from people_at_hand import TABLES, members, rule, world

NOW = "timestamp '2026-06-30 12:00:00'"
SEEN = f"from fct_events e where profile_id is not null and not is_bot and occurred_at <= {NOW}"
EVERYBODY = "select profile_id from dim_profiles where not is_test"


def those(condition: str) -> str:
    return f"{EVERYBODY} and ({condition})"


def did(condition: str) -> str:
    return those(f"profile_id in (select profile_id {SEEN} and {condition})")


RULES: dict[str, tuple[str, str]] = {
    "did": ("{did: Order Paid}", did("event_name = 'Order Paid'")),
    "did in a rolling window": (
        "{did: Order Paid, within: 24 hours}",
        did(f"event_name = 'Order Paid' and occurred_at > {NOW} - interval 24 hours"),
    ),
    "did not": (
        "{did_not: Order Paid, within: 30 days}",
        those(f"profile_id not in (select profile_id {SEEN} and event_name = 'Order Paid' and occurred_at > {NOW} - interval 30 days)"),
    ),
    "did n times": (
        "{did: Product Viewed, times: {at_least: 3, at_most: 5}, within: 2 months}",
        those(
            f"profile_id in (select profile_id {SEEN} and event_name = 'Product Viewed' and occurred_at > {NOW} - interval 2 months "
            "group by 1 having count(*) between 3 and 5)"
        ),
    ),
    "did at most n times, never included": (
        "{did: Pricing Viewed, times: {at_most: 6}}",
        those(f"(select count(*) {SEEN} and e.profile_id = dim_profiles.profile_id and event_name = 'Pricing Viewed') <= 6"),
    ),
    "did exactly so often": (
        "{did: Pricing Viewed, times: {exactly: 7}}",
        those(f"(select count(*) {SEEN} and e.profile_id = dim_profiles.profile_id and event_name = 'Pricing Viewed') = 7"),
    ),
    "did exactly never": (
        "{did: Pricing Viewed, times: {exactly: 0}, within: 20 days}",
        those(
            f"(select count(*) {SEEN} and e.profile_id = dim_profiles.profile_id and event_name = 'Pricing Viewed' "
            f"and occurred_at > {NOW} - interval 20 days) = 0"
        ),
    ),
    "the same product twice": (
        "{did: Product Viewed, times: {at_least: 2, same: product_id}, within: 20 days}",
        those(
            f"profile_id in (select profile_id {SEEN} and event_name = 'Product Viewed' and product_id is not null "
            f"and occurred_at > {NOW} - interval 20 days group by profile_id, product_id having count(*) >= 2)"
        ),
    ),
    "property filters": (
        "{did: Product Viewed, where: {product_category: [coffee, desks], value: {at_least: 700}, properties.colour: red}}",
        did(
            "event_name = 'Product Viewed' and product_category in ('coffee', 'desks') and value >= 700 "
            "and json_extract_string(properties, '$.colour') = 'red'"
        ),
    ),
    "numbers in the payload": (
        "{did: Product Viewed, where: {properties.size: {more_than: 47}}}",
        did("event_name = 'Product Viewed' and cast(json_extract_string(properties, '$.size') as int) > 47"),
    ),
    "text that looks like a template": (
        '{did: Product Viewed, where: {product_category: "50% {{ off }}"}, within: 3 days}',
        did(f"event_name = 'Product Viewed' and product_category = '50% {{{{ off }}}}' and occurred_at > {NOW} - interval 3 days"),
    ),
    "what is not known is not something": (
        "{did: Product Viewed, where: {product_category: {is_not: coffee}}, within: 3 days}",
        did(f"event_name = 'Product Viewed' and product_category is distinct from 'coffee' and occurred_at > {NOW} - interval 3 days"),
    ),
    "a calendar month": (
        "{did: Order Paid, during: last_month, where: {value: {less_than: 60}}}",
        did("event_name = 'Order Paid' and occurred_at >= '2026-05-01' and occurred_at < '2026-06-01' and value < 60"),
    ),
    "this quarter": (
        "{did: Order Paid, during: this_quarter, where: {value: {less_than: 60}}}",
        did("event_name = 'Order Paid' and occurred_at >= '2026-04-01' and value < 60"),
    ),
    "last quarter": (
        "{did: Order Paid, during: last_quarter}",
        did("event_name = 'Order Paid' and occurred_at >= '2026-01-01' and occurred_at < '2026-04-01'"),
    ),
    "yesterday": ("{did: Order Paid, during: yesterday}", did("event_name = 'Order Paid' and occurred_at::date = '2026-06-29'")),
    "this week begins on Monday": (
        "{did: Order Paid, during: this_week}",
        did("event_name = 'Order Paid' and occurred_at >= '2026-06-29'"),
    ),
    "absolute days, both included": (
        "{did: Order Paid, between: [2026-06-01, 2026-06-03]}",
        did("event_name = 'Order Paid' and occurred_at::date between '2026-06-01' and '2026-06-03'"),
    ),
    "relative to a date of the person": (
        "{did: Product Added, relative_to: {field: first_touch_at, from: -1 day, until: 3 days}}",
        those(
            f"profile_id in (select e.profile_id from fct_events e join dim_profiles d using (profile_id) where not is_bot and occurred_at <= {NOW} "
            "and event_name = 'Product Added' and occurred_at between first_touch_at - interval 1 day and first_touch_at + interval 3 days)"
        ),
    ),
    "the first one": (
        "{did: Product Viewed, occurrence: first, where: {product_category: coffee}}",
        those(
            f"profile_id in (select profile_id from (select profile_id, arg_min(coalesce(product_category, ''), (occurred_at, event_id)) as c {SEEN} "
            "and event_name = 'Product Viewed' group by 1) where c = 'coffee')"
        ),
    ),
    "the last one": (
        "{did: Order Paid, occurrence: last, within: 14 days, where: {value: {at_least: 100}}}",
        those(
            f"profile_id in (select profile_id from (select profile_id, last(coalesce(value, 0) order by occurred_at, event_id) as v, "
            f"max(occurred_at) as t {SEEN} and event_name = 'Order Paid' group by 1) where v >= 100 and t > {NOW} - interval 14 days)"
        ),
    ),
    "in sequence": (
        "{sequence: [{did: Product Viewed}, {did: Product Added, within: 2 days}, {did: Order Paid, within: 1 day}], within: 60 days}",
        those(
            f"profile_id in (select a.profile_id from (select * {SEEN} and occurred_at > {NOW} - interval 60 days) a "
            f"join (select * {SEEN} and occurred_at > {NOW} - interval 60 days) b on a.profile_id = b.profile_id and b.occurred_at > a.occurred_at "
            f"and b.occurred_at <= a.occurred_at + interval 2 days join (select * {SEEN} and occurred_at > {NOW} - interval 60 days) c "
            "on c.profile_id = b.profile_id and c.occurred_at > b.occurred_at and c.occurred_at <= b.occurred_at + interval 1 day "
            "where a.event_name = 'Product Viewed' and b.event_name = 'Product Added' and c.event_name = 'Order Paid')"
        ),
    ),
    "the same thing again": (
        "{sequence: [{did: Order Paid, where: {product_category: coffee}}, {did: Order Paid, where: {product_category: coffee}, within: 5 days}]}",
        those(
            f"profile_id in (select a.profile_id from (select * {SEEN}) a join (select * {SEEN}) b on a.profile_id = b.profile_id "
            "and b.occurred_at > a.occurred_at and b.occurred_at <= a.occurred_at + interval 5 days where a.event_name = 'Order Paid' "
            "and b.event_name = 'Order Paid' and a.product_category = 'coffee' and b.product_category = 'coffee')"
        ),
    ),
    "fields of the person": (
        "{profile: {country: [CN, DE], lifetime_value: {at_least: 200, less_than: 800}, phone: {known: true}}}",
        those("country in ('CN', 'DE') and lifetime_value >= 200 and lifetime_value < 800 and phone is not null"),
    ),
    "not in a list, unknown included": (
        "{profile: {country: {not_in: [CN, US]}}}",
        those("country is null or country not in ('CN', 'US')"),
    ),
    "nothing known": ("{profile: {country: {known: false}}}", those("country is null")),
    "text in a field": (
        "{profile: {email: {starts_with: P_1, contains: MAIL}}}",
        those("email like 'p_1%' and email like '%mail%'"),
    ),
    "a pattern": ('{profile: {email: {matches: "^p_[0-9]{2}@"}}}', those("regexp_matches(email, '^p_[0-9][0-9]@')")),
    "a date to come": (
        "{profile: {renewal_date: {in_next: 30 days}}}",
        those(f"renewal_date >= {NOW} and renewal_date < {NOW} + interval 30 days"),
    ),
    "a date gone by": (
        "{profile: {first_touch_at: {in_last: 7 days}}}",
        those(f"first_touch_at > {NOW} - interval 7 days and first_touch_at <= {NOW}"),
    ),
    "before and after": (
        "{profile: {first_touch_at: {after: 2026-05-01, before: 2026-05-15T06:00:00}}}",
        those("first_touch_at > '2026-05-01' and first_touch_at < '2026-05-15 06:00:00'"),
    ),
    "the company": (
        "{account: {industry: software, employees: {at_least: 50}}}",
        those("account_id in (select account_id from dim_accounts where industry = 'software' and employees >= 50)"),
    ),
    "colleagues, without oneself": (
        "{colleagues: {did: Order Paid, within: 10 days}, at_least: 3}",
        those(
            "(select count(*) from dim_profiles c where c.account_id = dim_profiles.account_id and c.profile_id <> dim_profiles.profile_id "
            f"and not c.is_test and c.profile_id in (select profile_id {SEEN} and event_name = 'Order Paid' and occurred_at > {NOW} - interval 10 days)) >= 3"
        ),
    ),
    "a tag": ("{tag: 'interest:coffee'}", those("profile_id in (select profile_id from tag_assignments where tag = 'interest:coffee')")),
    "any tag of a dimension, held": (
        "{tag: 'interest:*', held_for: 90 days}",
        those(
            f"profile_id in (select profile_id from tag_assignments where dimension = 'interest' and first_seen_at <= {NOW} - interval 90 days)"
        ),
    ),
    "a stage held": (
        "{stage: [lead, mql], held_for: 14 days}",
        those(
            f"profile_id in (select profile_id from profile_lifecycle where stage in ('lead', 'mql') and since <= {NOW} - interval 14 days)"
        ),
    ),
    "a score": (
        "{score: engagement, at_least: 40}",
        those("profile_id in (select profile_id from score_profiles where model = 'engagement' and score >= 40)"),
    ),
    "who has no score has none": (
        "{score: fit, less_than: 20}",
        those("coalesce((select score from score_profiles s where model = 'fit' and s.profile_id = dim_profiles.profile_id), 0) < 20"),
    ),
    "grades": (
        "{grade: [A1, '*2'], model: engagement}",
        those("profile_id in (select profile_id from score_profiles where model = 'engagement' and (grade = 'A1' or grade like '_2'))"),
    ),
    "in another segment": ("{in_segment: segment_hot}", those("profile_id in (select profile_id from segment_hot)")),
    "not in another segment": (
        "{not_in_segment: segment_hot}",
        those("profile_id not in (select profile_id from segment_hot where profile_id is not null)"),
    ),
    "in another segment for so long": (
        "{in_segment: segment_hot, held_for: 20 days}",
        those(
            "profile_id in (select profile_id from segment_hot) and profile_id in (select profile_id from (select profile_id, change, changed_at, "
            "row_number() over (partition by profile_id order by change_number desc) as place from segment_history) "
            f"where place = 1 and change = 'enter' and changed_at <= {NOW} - interval 20 days)"
        ),
    ),
    "reachable": (
        "{reachable: sms}",
        those("phone is not null and profile_id not in (select profile_id from suppressions where channel = 'sms' and scope = 'all')"),
    ),
    "reachable for a purpose": (
        "{reachable: email, purpose: newsletter}",
        those(
            "email is not null and profile_id not in (select profile_id from suppressions where channel = 'email') "
            "and profile_id in (select profile_id from consent_state where purpose = 'newsletter' and channel = 'email' and topic = 'all' and status = 'granted')"
        ),
    ),
    "a bucket": (
        "{bucket: spring, from: 10, below: 35}",
        those("cast('0x' || left(md5('spring:' || profile_id), 15) as bigint) % 10000 between 1000 and 3499"),
    ),
    "a list": ("{listed: [p_3@mail.example, own_4, p_5, nobody]}", those("profile_id in ('p_3', 'p_4', 'p_5')")),
    "a list in a seed": ("{listed: vips}", those("profile_id in ('p_3', 'p_4', 'p_5')")),
    "SQL": (
        '{sql: "with x as (select profile_id from fct_events group by 1 having count(*) > 35) select x.profile_id from x join dim_profiles using (profile_id)"}',
        those("profile_id in (select profile_id from fct_events group by 1 having count(*) > 35)"),
    ),
    "a property of the CRM changed": (
        "{changed: region, from: x, to: [y, z], within: 30 days}",
        those(
            "profile_id in (select profile_id from (select profile_id, occurred_at, object_name as v, "
            f"lag(object_name) over (partition by profile_id order by occurred_at, event_id) as w {SEEN} and event_name = 'CRM Property Changed' "
            f"and object_id = 'region') where w = 'x' and v in ('y', 'z') and occurred_at > {NOW} - interval 30 days)"
        ),
    ),
    "the stage changed, back as well as forward": (
        "{changed: stage, from: [sql, lead], to: [lead, opportunity], within: 90 days}",
        those(
            "profile_id in (select profile_id from fct_lifecycle_transitions where from_stage in ('sql', 'lead') and to_stage in ('lead', 'opportunity') "
            f"and transitioned_at > {NOW} - interval 90 days and transitioned_at <= {NOW})"
        ),
    ),
    "all, any and none, nested": (
        "{all: [{any: [{profile: {country: CN}}, {did: Order Paid, within: 5 days}]}, {none: [{in_segment: segment_hot}, {profile: {phone: {known: false}}}]}]}",
        those(
            f"(country = 'CN' or profile_id in (select profile_id {SEEN} and event_name = 'Order Paid' and occurred_at > {NOW} - interval 5 days)) "
            "and profile_id not in (select profile_id from segment_hot where profile_id is not null) and phone is not null"
        ),
    ),
}


@pytest.fixture(scope="module")
def people() -> Iterator[duckdb.DuckDBPyConnection]:
    with world() as connection:
        yield connection


@pytest.mark.parametrize("name", RULES)
def test_a_rule_finds_whom_the_same_by_hand_finds(people: duckdb.DuckDBPyConnection, tmp_path: Path, name: str) -> None:
    written, sql = RULES[name]
    expected = {row[0] for row in people.execute(sql).fetchall()}
    assert 0 < len(expected) < 294, "the rule would tell nobody apart"
    assert set(members(people, rule(tmp_path, f"description: Some.\nrule: {written}\n"))) == expected


@pytest.mark.parametrize("name", RULES)
def test_none_of_a_rule_is_everybody_else(people: duckdb.DuckDBPyConnection, tmp_path: Path, name: str) -> None:
    """No condition is ever null: who is not in it is out of it."""
    written, sql = RULES[name]
    expected = {row[0] for row in people.execute(f"{EVERYBODY} except {sql}").fetchall()}
    assert set(members(people, rule(tmp_path, f"description: Some.\nrule: {{none: [{written}]}}\n"))) == expected


def test_calendar_windows_are_those_of_the_time_zone(people: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    text = "description: Some.\ntime_zone: Asia/Shanghai\nrule: {did: Order Paid, during: yesterday}\n"
    sql = did("event_name = 'Order Paid' and occurred_at >= '2026-06-28 16:00:00' and occurred_at < '2026-06-29 16:00:00'")
    assert set(members(people, rule(tmp_path, text))) == {row[0] for row in people.execute(sql).fetchall()}


def test_the_top_are_the_first_in_order_and_ties_go_by_id(people: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    text = "description: Some.\nrule: {profile: {phone: {known: true}}}\ntop: {count: 7, by: lifetime_value desc, per: country}\n"
    sql = (
        "select profile_id from dim_profiles where not is_test and phone is not null "
        "qualify row_number() over (partition by country order by lifetime_value desc nulls last, profile_id) <= 7"
    )
    assert set(members(people, rule(tmp_path, text))) == {row[0] for row in people.execute(sql).fetchall()}


def test_the_top_of_a_score_counts_who_has_none_as_nothing(people: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    text = "description: Some.\nrule: {profile: {phone: {known: true}}}\ntop: {count: 9, by: score asc, model: fit}\n"
    sql = (
        "select p.profile_id from dim_profiles p left join score_profiles s on s.profile_id = p.profile_id and model = 'fit' "
        "where not is_test and phone is not null qualify row_number() over (order by coalesce(score, 0), p.profile_id) <= 9"
    )
    assert set(members(people, rule(tmp_path, text))) == {row[0] for row in people.execute(sql).fetchall()}


def test_the_reason_says_what_holds_of_each(people: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    text = "description: Some.\nrule: {any: [{profile: {country: CN}}, {did: Order Paid, within: 2 days}]}\n"
    found = members(people, rule(tmp_path, text))
    assert set(found.values()) == {"country is CN", "Order Paid within 2 days", "country is CN, Order Paid within 2 days"}
    paid = {row[0] for row in people.execute(did(f"event_name = 'Order Paid' and occurred_at > {NOW} - interval 2 days")).fetchall()}
    assert {person for person, reason in found.items() if "Order Paid" in reason} == paid


MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("zone", "window", "first", "after"),
    [
        # rolling: what is exactly so long ago is out, what is exactly now is in
        ("UTC", "within: 24 hours", "2026-06-29 12:00:00.000001", "2026-06-30 12:00:00.000001"),
        ("UTC", "within: 1 month", "2026-05-30 12:00:00.000001", "2026-06-30 12:00:00.000001"),
        ("Asia/Shanghai", "within: 1 day", "2026-06-29 12:00:00.000001", "2026-06-30 12:00:00.000001"),
        ("Asia/Shanghai", "during: today", "2026-06-29 16:00:00", "2026-06-30 12:00:00.000001"),
        ("America/New_York", "during: yesterday", "2026-06-29 04:00:00", "2026-06-30 04:00:00"),
        ("Asia/Kolkata", "during: last_week", "2026-06-21 18:30:00", "2026-06-28 18:30:00"),
        ("Europe/Berlin", "during: last_month", "2026-04-30 22:00:00", "2026-05-31 22:00:00"),
        # the quarter begins in winter time and ends in summer time
        ("Europe/Berlin", "during: last_quarter", "2025-12-31 23:00:00", "2026-03-31 22:00:00"),
        ("Europe/Berlin", "during: last_year", "2024-12-31 23:00:00", "2025-12-31 23:00:00"),
        # days of 23 and of 25 hours
        ("Europe/Berlin", "between: [2026-03-29, 2026-03-29]", "2026-03-28 23:00:00", "2026-03-29 22:00:00"),
        ("Europe/Berlin", "between: [2025-10-26, 2025-10-26]", "2025-10-25 22:00:00", "2025-10-26 23:00:00"),
        ("America/New_York", "between: [2026-03-07, 2026-03-08]", "2026-03-07 05:00:00", "2026-03-09 04:00:00"),
        ("UTC", "relative_to: {field: first_touch_at, from: -3 days, until: 1 hour}", "2026-06-07 08:00:00", "2026-06-10 09:00:00.000001"),
    ],
)
def test_a_window_begins_and_ends_where_it_says(tmp_path: Path, zone: str, window: str, first: str, after: str) -> None:
    begin, end = datetime.fromisoformat(first), datetime.fromisoformat(after)
    happened = {"before": begin - MOMENT, "first": begin, "last": end - MOMENT, "after": end}
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        connection.execute("set TimeZone = 'UTC'")
        for who, when in happened.items():
            connection.execute(
                "insert into dim_profiles (profile_id, first_touch_at, is_test) values (?, '2026-06-10 08:00', false)", [who]
            )
            connection.execute(
                "insert into fct_events (event_id, profile_id, event_name, occurred_at, is_bot) values (?, ?, 'Order Paid', ?, false)",
                [who, who, when],
            )
        text = f"description: Some.\ntime_zone: {zone}\nrule: {{did: Order Paid, {window}}}\n"
        assert set(members(connection, rule(tmp_path, text))) == {"first", "last"}
        text = f"description: Some.\ntime_zone: {zone}\nrule: {{did_not: Order Paid, {window}}}\n"
        assert set(members(connection, rule(tmp_path, text))) == {"before", "after"}


@pytest.mark.parametrize(("gap", "follows"), [(0, False), (1, True), (3600, True), (3601, False)])
def test_a_step_follows_after_its_step_and_within_its_reach(tmp_path: Path, gap: int, follows: bool) -> None:
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        connection.execute("insert into dim_profiles (profile_id, is_test) values ('p', false)")
        for name, seconds in (("Product Viewed", 0), ("Order Paid", gap)):
            when = datetime(2026, 6, 1) + timedelta(seconds=seconds)
            connection.execute(
                "insert into fct_events (event_id, profile_id, event_name, occurred_at, is_bot) values (?, 'p', ?, ?, false)",
                [name, name, when],
            )
        text = "description: Some.\nrule: {sequence: [{did: Product Viewed}, {did: Order Paid, within: 1 hour}]}\n"
        assert bool(members(connection, rule(tmp_path, text))) == follows


@pytest.mark.parametrize(
    ("history", "held"),
    [
        # who was in it under the id of before, up to the merge, which the last build has or has not seen
        ([("old", "enter", 10), ("new", "enter", 3), ("old", "exit", 3)], True),
        ([("old", "enter", 10)], True),
        ([("old", "enter", 6), ("new", "enter", 10), ("new", "exit", 4), ("old", "exit", 3), ("new", "enter", 3)], True),
        ([("old", "enter", 10), ("new", "enter", 5)], True),
        # a break that none of the ids fills begins it anew
        ([("old", "enter", 10), ("old", "exit", 6), ("new", "enter", 5)], False),
        ([("new", "enter", 10), ("new", "exit", 6), ("new", "enter", 5)], False),
        ([("old", "enter", 10), ("old", "exit", 6)], False),
        ([("old", "enter", 6)], False),
        # somebody else's time is not theirs
        ([("other", "enter", 10), ("new", "enter", 3)], False),
    ],
)
def test_how_long_somebody_is_in_a_segment_goes_on_over_a_merge(tmp_path: Path, history: list[tuple[str, str, int]], held: bool) -> None:
    with duckdb.connect() as connection:
        connection.execute(TABLES)
        connection.execute("insert into dim_profiles (profile_id, is_test) values ('new', false)")
        connection.execute("insert into segment_hot values ('new')")
        connection.execute("insert into profile_merges values ('old', 'new')")
        for number, (who, change, days) in enumerate(history):
            when = datetime(2026, 6, 30) - timedelta(days=days)
            connection.execute("insert into segment_history values ('segment_hot', ?, ?, ?, ?)", [who, change, number, when])
        text = "description: Some.\nrule: {in_segment: segment_hot, held_for: 7 days}\n"
        assert bool(members(connection, rule(tmp_path, text))) == held
