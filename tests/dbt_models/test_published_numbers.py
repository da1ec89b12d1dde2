"""Visits, people and worth beside the same reckoned with pandas, as analysts do it in a notebook, over generated landings."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import networkx
import pandas as pd
import pytest
from sent_records import at, contact, identify, order, page
from warehouse_house import House, Record

NOW = at("2026-06-30 00:00")
DAY = datetime(2026, 6, 1)
# Gaps around the thirty minutes that part two visits, some of them exactly those.
GAPS = [0, 1, 60, 599, 1799, 1800, 1801, 3600, 5 * 3600, 26 * 3600]


def _iso(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S")


def _views(draw: random.Random) -> list[tuple[str, datetime, str | None]]:
    """Device, moment, campaign; a few at the same moment, and none more often in a minute than a person clicks."""
    views = []
    for device in (f"device_{number}" for number in range(40)):
        when = DAY + timedelta(hours=draw.randrange(48))
        for _ in range(draw.randrange(1, 14)):
            views.append((device, when, draw.choice([None, None, None, "spring", "june"])))
            when += timedelta(seconds=draw.choice(GAPS))
    return views


def _logins(draw: random.Random) -> list[tuple[str, str]]:
    """Device and user: each user on some devices, each device of one user."""
    return [(f"device_{number}", f"user_{draw.randrange(14)}") for number in range(40) if draw.random() < 0.7]


def _orders(draw: random.Random) -> list[tuple[str, str, datetime, float, str]]:
    orders = []
    for buyer in range(60):
        for _ in range(draw.choice([1, 1, 1, 2, 3, 5, 8])):
            when = datetime(2026, 6, 29, 23) - timedelta(hours=draw.choice([1, 24, 24 * 7]) * draw.randrange(1, 40))
            orders.append((f"o_{len(orders)}", f"buyer{buyer}@mail.example", when, float(draw.choice([10, 20, 20, 75, 400])), draw.choice(["paid"] * 9 + ["cancelled"])))  # fmt: skip
    return orders


VIEWS, LOGINS, ORDERS = _views(random.Random(3)), _logins(random.Random(4)), _orders(random.Random(5))


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House]) -> House:
    house, records = new_house(), list[Record]()
    for device, when, campaign in VIEWS:
        context = {"campaign": {"source": campaign, "medium": "email", "name": campaign}} if campaign else {}
        records.append(page(_iso(when), anonymous=device, url="https://shop.example/", context=context))
    records += [identify("2026-06-20 10:00", anonymous=device, user=user) for device, user in LOGINS]
    records += [order(number, _iso(when), status, total=total, email=email) for number, email, when, total, status in ORDERS]
    # what the CRM says of somebody changes
    records += [contact("c-1", f"2026-06-{day} 10:00", email="rises@firm.example", title=title) for day, title in (("05", "Intern"), ("20", "CTO"))]  # fmt: skip
    draw = random.Random(6)
    draw.shuffle(records)
    house.land(NOW, records[::2])
    house.build(NOW, select=["+fct_sessions", "+dim_profiles"])
    # the other half comes later, and out of order
    house.land(NOW, records[1::2])
    house.build(NOW, select=["+fct_sessions", "+dim_profiles"])
    return house


def test_visits_are_those_that_pandas_cuts(house: House) -> None:
    views = pd.DataFrame(VIEWS, columns=["device", "at", "campaign"])
    found = house.rows(
        "select i.identifier, s.started_at, s.ended_at, s.events from marts.fct_sessions s join identity.int_identifiers i on s.visitor_key = i.identifier_key "
        "where i.identifier like 'device_%' order by all"
    )
    # where a campaign stands beside none at one moment, the order of the two is not said: such devices are left out
    unclear = set(views[views.duplicated(["device", "at"], keep=False)]["device"])
    views = views[~views["device"].isin(unclear)].sort_values(["device", "at"], kind="stable")
    pause = views.groupby("device")["at"].diff() > pd.Timedelta(minutes=30)
    named = views.groupby("device")["campaign"].ffill()
    before = named.groupby(views["device"]).shift()
    begins = views["device"].ne(views["device"].shift()) | pause | (views["campaign"].notna() & (views["campaign"] != before))
    visits = views.groupby(begins.cumsum()).agg(device=("device", "first"), start=("at", "min"), end=("at", "max"), events=("at", "size"))
    expected = sorted((row.device, row.start.to_pydatetime(), row.end.to_pydatetime(), row.events) for row in visits.itertuples())
    assert len(expected) > 60
    assert sorted(row for row in found if row[0] not in unclear) == expected


def test_the_same_moment_twice_is_one_visit(house: House) -> None:
    doubled = [device for device, when, campaign in VIEWS if campaign is None and VIEWS.count((device, when, None)) > 1]
    assert doubled
    for device in doubled:
        events = house.column(
            "select sum(events)::int from marts.fct_sessions s join identity.int_identifiers i on s.visitor_key = i.identifier_key where i.identifier = ?",
            device,
        )
        assert events == [sum(view[0] == device for view in VIEWS)]


def test_people_are_the_components_of_devices_and_users(house: House) -> None:
    graph = networkx.Graph()
    graph.add_nodes_from({device for device, _, _ in VIEWS})
    graph.add_edges_from(LOGINS)
    expected = {frozenset(component) for component in networkx.connected_components(graph)}
    people: dict[str, set[str]] = {}
    for profile_id, identifier in house.rows(
        "select profile_id, identifier from identity.bridge_profile_identifiers where identifier like 'device_%' or identifier like 'user_%'"
    ):
        people.setdefault(profile_id, set()).add(identifier)
    assert {frozenset(one) for one in people.values()} == expected


def test_rfm_is_what_pandas_makes_of_the_orders(house: House) -> None:
    orders = pd.DataFrame(ORDERS, columns=["order", "email", "at", "total", "status"])
    paid = orders[orders["status"] == "paid"].groupby("email").agg(last=("at", "max"), orders=("order", "count"), revenue=("total", "sum"))
    recency = (pd.Timestamp(NOW.replace(tzinfo=None)).normalize() - paid["last"].dt.normalize()).dt.days

    def fifth(values: pd.Series) -> pd.Series:
        """1 to 5 by the share of customers who did less; equals get the same."""
        return 1 + (5 * (values.rank(method="min") - 1) / len(values)).astype(int)

    paid["rfm"] = fifth(-recency).astype(str) + fifth(paid["orders"]).astype(str) + fifth(paid["revenue"]).astype(str)
    found = house.rows(
        "select email, last_order_at, orders, revenue, rfm from identity.dim_profiles where email like 'buyer%' and orders > 0 order by email"
    )
    expected = [(row.Index, row.last.to_pydatetime(), row.orders, row.revenue, row.rfm) for row in paid.sort_index().itertuples()]
    assert len({row[4] for row in expected}) > 20
    assert found == expected


def test_who_somebody_was_is_known_of_the_past(house: House) -> None:
    title = "select title from identity.int_profile_values where crm_contact_id = 'c-1'"
    assert house.column(title) == ["CTO"]
    fields = ["int_profile_statements", "int_profile_fields", "int_profile_values"]
    house.build(at("2026-06-10 00:00"), select=fields)
    assert house.column(title) == ["Intern"]
    house.build(NOW, select=fields)
