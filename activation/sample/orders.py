"""Orders of the shop: what visits end in, and what is paid back or cancelled some days later."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import polars as pl

from activation.sample.draws import Bools, Ints, Stream, below, pick, pick_rows, some
from activation.sample.people import People
from activation.sample.products import PER_CATEGORY, PRICE, PRODUCTS
from activation.sample.text import digits, encoded, iso, joined, line, number, raw, take, text, where
from activation.sample.visits import Visits, visits
from activation.sample.world import World

CANCELLED_AFTER = 1
REFUNDED_AFTER = 6
_MOST_ITEMS = 3
# By product, then Chinese or English, with the price of there; the quantity follows.
_ITEMS = pl.Series(
    [
        encoded({"product_id": p.product_id, "name": name, "category": p.category, "price": price})[:-1]
        for p in PRODUCTS
        for name, price in ((p.chinese, p.price), (p.english, p.dollars))
    ]
)


@dataclass(frozen=True, eq=False)
class Orders:
    """One entry for each order, in every column; `visit` is its position among the visits it comes from, `items` is JSON."""

    order_id: pl.Series
    visit: Ints
    person: Ints
    device: Ints
    logged_in: Bools
    ordered: Ints
    product: Ints
    quantity: Ints
    items: pl.Series
    total: Ints
    currency: pl.Series
    cancelled: Bools
    refunded: Bools
    gives_email: Bools
    gives_phone: Bools

    def __len__(self) -> int:
        return len(self.person)


def orders(world: World, day: int, part: int, came: Visits) -> Orders:
    """The orders of one day's visits; `ordered` is in Unix milliseconds. The product is the first item."""
    rng = world.rng(Stream.ORDERS, day, part)
    visit = np.flatnonzero(came.buys)
    size = len(visit)
    person = came.person[visit]
    abroad = (~world.people.chinese[person]).astype(np.int64)
    items = pick(rng, size, [6, 3, 1]) + 1
    # Different products of one category: a first one, and steps from it that do not come back.
    nth = np.arange(_MOST_ITEMS) * (1 + below(rng, size, PER_CATEGORY - 1))[:, None]
    product = came.interest[visit][:, None] * PER_CATEGORY + (below(rng, size, PER_CATEGORY)[:, None] + nth) % PER_CATEGORY
    bulk = came.business[visit] & some(rng, size, 0.3)
    quantity = np.where(bulk[:, None], 5, 1) * (1 + pick_rows(rng, np.zeros(size * _MOST_ITEMS, dtype=np.int64), _QUANTITIES)).reshape(
        size, _MOST_ITEMS
    )
    there = np.arange(_MOST_ITEMS) < items[:, None]
    length = (came.pages[visit] * 40 + below(rng, size, 240) + 60) * 1000
    return Orders(
        order_id=joined(f"o-{world.date(day):%Y%m%d}-", digits(part * 1_000_000 + np.arange(size, dtype=np.int64) + 1, 7)),
        visit=visit,
        person=person,
        device=came.device[visit],
        logged_in=came.logged_in[visit],
        ordered=np.minimum(came.start[visit] + length, world.midnight(day + 1) - 10_000),
        product=product[:, 0],
        quantity=quantity[:, 0],
        items=_items(product, quantity, there, abroad),
        total=(PRICE[product, abroad[:, None]] * quantity * there).sum(axis=1),
        currency=take(pl.Series(["CNY", "USD"]), abroad),
        cancelled=some(rng, size, 0.03),
        refunded=some(rng, size, 0.05),
        gives_email=some(rng, size, 0.8),
        gives_phone=some(rng, size, 0.75),
    )


_QUANTITIES = np.array([[8.0, 2.0, 1.0]])


def _items(product: Ints, quantity: Ints, there: Bools, abroad: Ints) -> pl.Series:
    columns = [
        where(
            there[:, nth],
            joined("" if nth == 0 else ",", take(_ITEMS, product[:, nth] * 2 + abroad), ',"quantity":', number(quantity[:, nth]), "}"),
        )
        for nth in range(_MOST_ITEMS)
    ]
    return joined("[", line(*columns), "]")


# A day's orders are asked for again by mail, SMS, WeChat and what is paid back later. They are few; the visits behind them are many.
_REMEMBERED: WeakKeyDictionary[World, dict[tuple[int, int], Orders]] = WeakKeyDictionary()


def sold(world: World, day: int, part: int) -> Orders:
    """The orders of one day and part, from visits made anew where they are not remembered."""
    remembered = _REMEMBERED.setdefault(world, {})
    if (day, part) not in remembered:
        remembered[day, part] = orders(world, day, part, visits(world, day, part))
        for old in [key for key in remembered if key[0] < day - REFUNDED_AFTER]:
            del remembered[old]
    return remembered[day, part]


def order_lines(world: World, day: int) -> list[pl.Series]:
    """The rows that the shop writes on a day: new orders as paid, then older ones again as cancelled or refunded."""
    rows = []
    for status, age in (("paid", 0), ("cancelled", CANCELLED_AFTER), ("refunded", REFUNDED_AFTER)):
        if day - age < 0:
            continue
        for part in world.parts:
            rows.append(_rows(world, sold(world, day - age, part), status, age))
    return rows


def _rows(world: World, found: Orders, status: str, age: int) -> pl.Series:
    keep = {"paid": np.ones(len(found), dtype=bool), "cancelled": found.cancelled, "refunded": found.refunded & ~found.cancelled}[status]
    people: People = world.people
    updated = found.ordered + age * 86_400_000
    row = line(
        '{"order_id":"',
        found.order_id,
        '"',
        text("user_id", where(found.logged_in, take(people.user_id, found.person))),
        text("anonymous_id", take(world.devices.cookie, found.device)),
        text("email", where(found.gives_email, take(people.email, found.person))),
        text("phone", where(found.gives_phone, take(people.phone, found.person))),
        f',"status":"{status}"',
        text("currency", found.currency),
        raw("total", number(found.total)),
        raw("items", found.items),
        text("ordered_at", iso(found.ordered)),
        text("updated_at", iso(updated)),
        "}\n",
    )
    return row.filter(pl.Series(keep))
