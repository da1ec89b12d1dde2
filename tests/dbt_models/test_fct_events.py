"""Events, touches, tags and scores: built landing by landing they are what they would be built at once, and recomputable by hand."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime

import pytest
from sent_records import alias, at, contact, form, identify, mail, opportunity, order, page, sms, track, wechat
from warehouse_house import MODELS, House, Record

NOW = at("2026-06-30 00:00")
SELECT = ["+fct_touches", "+tag_assignments", "+score_engagement", "+fct_orders"]
BAIDU = {"campaign": {"source": "baidu", "medium": "cpc", "name": "spring"}}

FIRST: list[Record] = [
    identify("2026-06-01 10:00", anonymous="d1", user="u1", email="one@mail.example"),
    page("2026-06-01 10:01", anonymous="d1", user="u1", url="https://shop.example/", referrer="https://www.google.com/", path="/"),
    track("Product Viewed", "2026-06-01 10:02", anonymous="d1", category="dresses", product_id="sku-1"),
    track("Product Viewed", "2026-06-02 10:02", anonymous="d1", category="dresses", product_id="sku-2"),
    *(track("Pricing Viewed", f"2026-06-10 10:0{n}", anonymous="d1", user="u1") for n in range(5)),
    page("2026-06-20 10:00", anonymous="d1", path="/careers/sales"),
    # a device that is not known to anybody yet
    page("2026-06-03 10:00", anonymous="d2", url="https://shop.example/?utm_source=newsletter&utm_medium=email", path="/"),
    page("2026-06-04 10:00", anonymous="d2", context=BAIDU, url="https://shop.example/a"),
    page("2026-06-04 10:01", anonymous="d2", url="https://shop.example/b", referrer="https://shop.example/a"),
    page("2026-06-05 10:00", anonymous="d3", url="https://shop.example/"),
    order("o1", "2026-06-05 10:00", total=1200.0, user_id="u1"),
    order("o2", "2026-06-06 10:00", email="one@mail.example"),
    form("2026-06-07 10:00", email="one@mail.example", anonymous="d1"),
    mail("click", "one@mail.example", "2026-06-08 10:00"),
    sms("13911110001", "2026-06-08 10:00:00"),
    wechat("o-1", "subscribe", "2026-06-08 10:00", EventKey="qrscene_store_1"),
    contact("c1", email="one@mail.example"),
    opportunity("deal", "c1", "proposal", "2026-06-09T10:00:00Z"),
]
SECOND: list[Record] = [
    # late: it happened before anything that landed first
    track("Product Viewed", "2026-05-01 10:00", anonymous="d1", category="coffee", product_id="sku-9"),
    track("Product Added", "2026-06-25 10:00", anonymous="d1", user="u1", category="coffee", product_id="sku-9"),
    # newer versions of records
    order("o2", "2026-06-06 10:00", "refunded", updated="2026-06-21 10:00", email="one@mail.example"),
    opportunity("deal", "c1", "closed_won", "2026-06-09T10:00:00Z", "2026-06-22T10:00:00Z"),
    # the unknown device turns out to be the same person's
    alias("d2-as-account", "u1", "2026-06-23 10:00"),
    identify("2026-06-23 10:00", anonymous="d2", email="one@mail.example"),
    # no identifier at all, junk instead of an account, and a time that cannot be read
    page("2026-06-24 10:00", url="https://shop.example/"),
    page("2026-06-24 10:00", anonymous="d4", user="undefined", url="https://shop.example/"),
    (
        "web/events.jsonl",
        {"messageId": "odd", "type": "track", "event": "Odd", "anonymousId": "d4", "timestamp": "yesterday", "properties": []},
    ),
    (
        "web/events.jsonl",
        {"messageId": "odder", "type": "track", "event": "Odd", "anonymousId": "d4", "context": "none", "properties": {"value": "many"}},
    ),
]
LANDINGS = [(at("2026-06-22 00:00"), FIRST), (at("2026-06-26 00:00"), SECOND)]


@pytest.fixture(scope="module")
def twice(new_house: Callable[[], House]) -> House:
    house = new_house()
    for now, records in LANDINGS:
        house.land(now, records)
        house.build(NOW, select=SELECT)
    return house


@pytest.fixture(scope="module")
def at_once(new_house: Callable[[], House]) -> House:
    house = new_house()
    for now, records in LANDINGS:
        house.land(now, records)
    house.build(NOW, select=SELECT)
    return house


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        ("marts.fct_events", "* exclude (identifier_key, device_key)"),
        ("marts.fct_touches", "* exclude (_seen_to)"),
        ("tags.tag_assignments", "* exclude (_seen_to)"),
        # in what order points are added up, and so their last digit, is the warehouse's affair
        (
            "scores.score_components",
            "* exclude (_seen_to, _written_at) replace (round(points, 9) as points, round(counted_points, 9) as counted_points)",
        ),
        ("scores.int_score_profiles", "* exclude (_taken_at, _written_at)"),
        ("marts.int_message_receipts", "*"),
    ],
)
def test_built_landing_by_landing_is_built_at_once(model: str, columns: str, twice: House, at_once: House) -> None:
    assert twice.rows(f"select {columns} from {model} order by all") == at_once.rows(f"select {columns} from {model} order by all")


def test_a_build_without_new_landings_changes_nothing(twice: House) -> None:
    before = twice.rows("select * from marts.int_events order by all")
    twice.build(NOW, select=["+int_events"])
    assert twice.rows("select * from marts.int_events order by all") == before


def test_events_of_a_device_follow_it_to_the_person_it_turns_out_to_be(twice: House) -> None:
    assert twice.column(
        "select distinct profile_id from marts.fct_events where source = 'web' and page_url like '%utm_source=newsletter%'"
    ) == [twice.profile("u1")]


def test_a_newer_version_of_a_record_replaces_its_events(twice: House) -> None:
    assert twice.column("select event_name from marts.fct_events where object_id = 'o2' order by 1") == [
        "Order Paid",
        "Order Placed",
        "Order Refunded",
    ]
    assert twice.column("select event_name from marts.fct_events where object_id = 'deal' order by 1") == [
        "Opportunity Created",
        "Opportunity Won",
    ]
    assert twice.rows("select order_id, is_paid from marts.fct_orders order by 1") == [("o1", True), ("o2", False)]


def test_a_junk_account_leaves_the_event_with_the_device(twice: House) -> None:
    assert set(
        twice.column(
            "select profile_id from marts.fct_events where _landed_at = timestamp '2026-06-26' and page_url = 'https://shop.example/'"
        )
    ) == {
        None,
        twice.profile("d4"),
    }


def test_values_that_cannot_be_read_do_not_break_the_build(twice: House) -> None:
    assert twice.rows("select event_id, occurred_at, value from marts.fct_events where event_name = 'Odd' order by 1") == [
        ("web:odd", datetime(2026, 6, 26), None),
        ("web:odder", datetime(2026, 6, 26), None),
    ]


def test_arrivals_are_grouped_into_channels(twice: House) -> None:
    assert Counter(twice.column("select channel from marts.fct_touches")) == {
        "organic_search": 1,
        "email": 1,
        "paid_search": 1,
        # somebody whose first event has no trace came straight: two devices, and the account by its late event
        "direct": 3,
        "wechat": 1,
    }


def test_two_views_or_one_in_the_cart_make_an_interest(twice: House) -> None:
    assert twice.rows(
        "select tag, rule, last_seen_at from tags.tag_assignments where dimension = 'interest' and profile_id = ? order by 1",
        twice.profile("u1"),
    ) == [
        ("interest:coffee", "added_coffee", datetime(2026, 6, 25, 10)),
        ("interest:dresses", "viewed_dresses", datetime(2026, 6, 2, 10, 2)),
        ("interest:pricing", "viewed_pricing", datetime(2026, 6, 10, 10, 4)),
    ]


def _seed(name: str) -> list[dict[str, str]]:
    with (MODELS / "seeds" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_score_can_be_recomputed_by_hand(twice: House) -> None:
    """From the rules and what this person did: days, caps, half-lives, groups."""
    rules = {rule["rule"]: rule for rule in _seed("score_rules") if rule["model"] == "engagement"}
    did = {
        # rule: days and how often, days before the 30th of June
        "page_viewed": {29: 1, 27: 1, 26: 2, 10: 1},
        "product_viewed": {29: 1, 28: 1, 60: 1},
        "pricing_viewed": {20: 5},
        "product_added": {5: 1},
        "form_submitted": {23: 1},
        "message_clicked": {22: 1},
        "careers_viewed": {10: 1},
    }
    groups: dict[str, float] = defaultdict(float)
    for name, days in did.items():
        rule = rules[name]
        assert rule["decay"] == "half_life"
        for age, times in days.items():
            groups[rule["rule_group"]] += (
                min(times, float(rule["daily_cap"])) * float(rule["weight"]) * 0.5 ** (age / float(rule["decay_days"]))
            )
    bought = rules["order_paid"]
    # the first order is worth 1200 / 500 times the usual, the second, at 100, no less than the usual
    for age, multiplier in ((25, 2.4), (24, 1.0)):
        groups["purchase"] += float(bought["weight"]) * multiplier * 0.5 ** (age / float(bought["decay_days"]))
    caps = {group["rule_group"]: float(group["group_cap"]) for group in _seed("score_groups") if group["model"] == "engagement"}
    expected = sum(min(points, caps[group]) for group, points in groups.items())
    (score,) = twice.column("select score from scores.score_engagement where profile_id = ?", twice.profile("u1"))
    assert score == pytest.approx(expected, abs=0.006)


def test_the_past_can_be_scored_again(twice: House, at_once: House) -> None:
    """As of the 2nd of June nothing later counts."""
    at_once.build(
        at("2026-06-02 00:00"), select=["int_score_days", "score_components", "int_score_profiles", "score_profiles", "score_engagement"]
    )
    assert at_once.rows(
        "select rule, occurrences from scores.score_components where model = 'engagement' and profile_id = ? order by 1",
        at_once.profile("u1"),
    ) == [
        ("page_viewed", 1),
        ("product_viewed", 2),
    ]
