"""What is known of a person and of a company: visits, contact points, habits, worth, the way through the stages."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import Any

import pytest
from sent_records import account, at, consent, contact, crm_change, form, identify, mail, opportunity, order, page, wechat
from warehouse_house import House, Record

NOW = at("2026-06-30 00:00")
SELECT = ["+dim_profiles", "+fct_sessions"]


def _visit(device: str, when: str, **campaign: str) -> Record:
    return page(when, anonymous=device, url=f"https://shop.example/?{device}", context={"campaign": campaign} if campaign else {})


FIRST: list[Record] = [
    # visits: thirty minutes are no pause yet, thirty and a second are; midnight is nothing
    *(_visit("pauses", f"2026-06-10 {time}") for time in ("10:00:00", "10:30:00", "11:00:01")),
    *(_visit("nightly", time) for time in ("2026-06-10 23:50", "2026-06-11 00:10")),
    _visit("campaigns", "2026-06-10 10:00", source="baidu", medium="cpc", name="spring"),
    _visit("campaigns", "2026-06-10 10:05"),
    _visit("campaigns", "2026-06-10 10:10", source="baidu", medium="cpc", name="spring"),
    _visit("campaigns", "2026-06-10 10:15", source="news", medium="email", name="june"),
    _visit("late", "2026-06-10 10:00"),
    _visit("late", "2026-06-10 10:50"),
    page("2026-06-10 10:00", anonymous="robot", context={"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}),
    # contact points
    *(form(email=f"{name}@mail.example") for name in ("works", "bounced", "complains", "agrees", "refuses")),
    mail("bounce", "bounced@mail.example", "2026-06-03 10:00", type="bounce", status="5.1.1"),
    mail("spamreport", "complains@mail.example", "2026-06-03 10:00"),
    consent("email", "agrees@mail.example", "email", "newsletter", "granted", "2026-06-01 10:00"),
    consent("email", "refuses@mail.example", "email", "newsletter", "withdrawn", "2026-06-01 10:00"),
    wechat("o-left", "subscribe", "2026-06-01 10:00", EventKey="qrscene_booth_7"),
    wechat("o-left", "unsubscribe", "2026-06-02 10:00"),
    # habits
    identify("2026-06-20 10:00", anonymous="habits", user="u-habits", email="habits@mail.example"),
    *(
        page(f"2026-06-2{day} 12:30", anonymous="habits", user="u-habits", context={"timezone": "Asia/Shanghai", "locale": "zh-CN"})
        for day in range(3)
    ),
    page("2026-06-20 01:30", anonymous="habits", user="u-habits"),
    *(mail(event, "habits@mail.example", "2026-06-21 10:00", f"m_{1:032x}") for event in ("delivered", "click")),
    _visit("cools", "2026-05-01 10:00"),
    _visit("sleeps", "2025-12-01 10:00"),
    _visit("gone", "2024-12-01 10:00"),
    # a name that is written in full, and later shortened
    identify("2026-06-01 10:00", user="u-named", name="Wang Xiaoming"),
    identify("2026-06-05 10:00", user="u-named", name="Wang X."),
    # worth: three who buy often, rarely, once
    *(order(f"often{day}", f"2026-06-{day} 10:00", email="often@mail.example") for day in (10, 20, 29)),
    order("never-paid", "2026-06-29 10:00", "cancelled", total=9000.0, email="often@mail.example"),
    *(order(f"rare{day}", f"2026-0{day}-01 10:00", total=30.0, email="rarely@mail.example") for day in (1, 3)),
    order("single", "2026-06-01 00:00", total=20.0, email="once@mail.example"),
    # stages: sales hands somebody back, who comes again; a deal is lost; a customer is not set back; words of the CRM alone set nobody back
    contact("c-back", "2026-06-01 10:00", email="back@mail.example", lifecycle_stage="sql"),
    contact("c-back", "2026-06-05 10:00", email="back@mail.example", lifecycle_stage="sql", lead_status="Bad Timing"),
    contact("c-again", "2026-06-01 10:00", email="again@mail.example", lifecycle_stage="sql"),
    contact("c-again", "2026-06-05 10:00", email="again@mail.example", lifecycle_stage="sql", lead_status="unqualified"),
    form("2026-06-08 10:00", email="again@mail.example"),
    contact("c-lost", "2026-06-01 10:00", email="lost@firm.example", account_id="a-1"),
    opportunity("d-lost", "c-lost", "closed_lost", "2026-06-02T10:00:00Z", "2026-06-09T10:00:00Z"),
    contact("c-bought", "2026-06-15 10:00", email="often@mail.example", lead_status="unqualified"),
    contact("c-quiet", "2026-06-01 10:00", email="quiet@mail.example", lifecycle_stage="mql"),
    contact("c-quiet", "2026-06-05 10:00", email="quiet@mail.example", lifecycle_stage="lead"),
    contact("601", "2026-06-01 10:00", email="said@mail.example", lifecycle_stage="lead"),
    crm_change("contact.propertyChange", 601, "2026-06-03 10:00", "hs_lead_status", "UNQUALIFIED"),
    # a company
    account("a-1", "Bright", "firm.example"),
    contact("c-boss", "2026-06-01 10:00", email="boss@firm.example", account_id="a-1"),
    opportunity("d-open", "c-boss", "proposal", "2026-06-02T10:00:00Z"),
    order("firm", "2026-06-20 10:00", total=70.0, email="boss@firm.example"),
]
# in the middle of the pause
SECOND: list[Record] = [_visit("late", "2026-06-10 10:25")]


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House]) -> House:
    house = new_house()
    house.land(at("2026-06-29 00:00"), FIRST)
    house.build(NOW, select=SELECT)
    house.execute("create table first_sessions as from marts.fct_sessions")
    house.land(NOW, SECOND)
    house.build(NOW, select=SELECT)
    return house


def _sessions(house: House, device: str, table: str = "marts.fct_sessions") -> list[tuple[Any, ...]]:
    return house.rows(
        f"select events, seconds, is_bounce, channel from {table} s join identity.int_identifiers i on s.visitor_key = i.identifier_key "
        "where i.identifier = ? order by session_number",
        device,
    )


def test_more_than_thirty_minutes_of_silence_end_a_visit(house: House) -> None:
    assert _sessions(house, "pauses") == [(2, 1800, False, "direct"), (1, 0, True, "direct")]


def test_midnight_ends_a_visit_only_where_it_is_told_to(house: House) -> None:
    assert _sessions(house, "nightly") == [(2, 1200, False, "direct")]


def test_another_campaign_begins_a_visit_and_the_same_one_does_not(house: House) -> None:
    assert _sessions(house, "campaigns") == [(3, 600, False, "paid_search"), (1, 0, True, "email")]


def test_a_late_event_joins_the_visits_it_lies_between(house: House) -> None:
    assert len(_sessions(house, "late", "first_sessions")) == 2
    assert _sessions(house, "late") == [(3, 3000, False, "direct")]


def test_machines_visit_nothing(house: House) -> None:
    assert _sessions(house, "robot") == []


def test_every_event_of_the_site_lies_in_one_visit(house: House) -> None:
    assert house.rows("select sum(events) from marts.fct_sessions") == house.rows(
        "select count(*) from marts.fct_events where source = 'web' and not is_bot"
    )


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("works@mail.example", (True, None, True, False)),
        ("bounced@mail.example", (False, "hard bounce", False, False)),
        ("complains@mail.example", (True, None, False, False)),
        ("agrees@mail.example", (True, None, True, True)),
        ("refuses@mail.example", (True, None, True, False)),
        ("o-left", (False, "left the account", False, False)),
    ],
)
def test_a_contact_point_says_whether_it_works_and_may_be_used(house: House, identifier: str, expected: tuple[Any, ...]) -> None:
    columns = "is_valid, invalid_reason, is_reachable, accepts_marketing"
    assert house.rows(f"select {columns} from marts.dim_contact_points where identifier = ?", identifier) == [expected]


def test_the_scene_of_a_code_is_kept_with_the_touch(house: House) -> None:
    assert house.column("select qr_scene from marts.fct_touches where profile_id = ?", house.profile("o-left")) == ["booth_7"]


def _person(house: House, identifier: str, columns: str) -> tuple[Any, ...]:
    (row,) = house.rows(f"select {columns} from identity.dim_profiles where profile_id = ?", house.profile(identifier))
    return row


def test_habits_are_read_in_the_persons_own_time_zone(house: House) -> None:
    columns = "activity_level, best_hour, preferred_channel, time_zone, language"
    assert _person(house, "u-habits", columns) == ("active", 20, "email", "Asia/Shanghai", "zh")


def test_the_fullest_name_survives_as_it_is_declared(house: House) -> None:
    assert _person(house, "u-named", "full_name") == ("Wang Xiaoming",)


@pytest.mark.parametrize(("device", "level"), [("pauses", "active"), ("cools", "cooling"), ("sleeps", "sleeping"), ("gone", "lost")])
def test_activity_fades(house: House, device: str, level: str) -> None:
    assert _person(house, device, "activity_level") == (level,)


def test_worth_can_be_recomputed_by_hand(house: House) -> None:
    orders, revenue, rfm, churn, lifetime = _person(house, "rarely@mail.example", "orders, revenue, rfm, churn_risk, lifetime_value")
    # days between the first of January and of March, beside one gap of everybody's mean; and from there to the end of June
    pace, away = (59 + 26) / 2, 121
    assert (orders, revenue) == (2, 60.0)
    assert churn == pytest.approx(1 - exp(-away / pace), abs=0.0001)
    assert lifetime == pytest.approx(60 + exp(-away / pace) * 30 * 365 / pace, abs=0.01)
    # of four customers: the longest away, one of two middle places by orders, and by money
    assert rfm == "132"
    assert _person(house, "often@mail.example", "orders, revenue, rfm, next_order_expected_at::date::varchar") == (
        3,
        300.0,
        "444",
        "2026-07-14",
    )
    assert _person(house, "works@mail.example", "orders, revenue, rfm, churn_risk") == (0, 0.0, None, None)


def test_worth_knows_the_pace_of_others_where_there_was_one_order(house: House) -> None:
    pace = (19 + 59) / (2 + 1)  # of the two who came back: the 26 days of above
    assert _person(house, "once@mail.example", "churn_risk")[0] == pytest.approx(1 - exp(-29 / pace), abs=0.0001)


@pytest.mark.parametrize(
    ("person", "way"),
    [
        ("back@mail.example", ["sql", "recycled"]),
        ("again@mail.example", ["sql", "recycled", "lead"]),
        ("lost@firm.example", ["opportunity", "recycled"]),
        ("often@mail.example", ["customer"]),
        ("quiet@mail.example", ["mql"]),
        ("said@mail.example", ["lead", "recycled"]),
    ],
)
def test_sales_hands_back_and_nothing_else_does(house: House, person: str, way: list[str]) -> None:
    profile = house.profile(person)
    assert (
        house.column("select to_stage from marts.fct_lifecycle_transitions where profile_id = ? order by transitioned_at", profile) == way
    )
    assert _person(house, person, "lifecycle_stage") == (way[-1],)


def test_the_furthest_stage_is_remembered(house: House) -> None:
    assert _person(house, "again@mail.example", "furthest_stage") == ("sql",)
    assert house.rows(
        "select previous_stage, setbacks from marts.profile_lifecycle where profile_id = ?", house.profile("again@mail.example")
    ) == [("recycled", 1)]


def test_a_company_is_the_sum_of_its_people_and_deals(house: House) -> None:
    columns = "profiles, leads, customers, order_revenue, open_opportunities, won_opportunities"
    assert house.rows(f"select {columns} from identity.dim_accounts where account_id = 'a-1'") == [(2, 2, 1, 70.0, 1, 0)]
