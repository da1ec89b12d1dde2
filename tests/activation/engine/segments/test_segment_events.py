"""Every kind of condition on what people did, beside the SQL that an analyst would write for it, over the same people."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from people_at_hand import NOW, SEEN, did, tells_apart, those

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
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_about_events_finds_whom_the_same_by_hand_finds_and_none_of_it_everybody_else(
    people: duckdb.DuckDBPyConnection, tmp_path: Path, name: str
) -> None:
    tells_apart(people, tmp_path, *RULES[name])
