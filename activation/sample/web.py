"""Web events of a day: what the day's visits look at, search, watch, put in the cart and buy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from activation.sample import identities, odd_visitors
from activation.sample.draws import Bools, Ints, Stream, below, pick_rows, some
from activation.sample.messages import NO_ENTRY, Shown, from_entry, from_page, messages, page_bodies, seal, shown_pages
from activation.sample.orders import Orders, orders
from activation.sample.pages import CHINESE_KEYWORDS, COUNT, FIRST, KEYWORDS, PAGES, WANDER, WANDER_WEIGHTS
from activation.sample.products import PER_CATEGORY, PRODUCTS
from activation.sample.text import encoded, joined, members, number, take, where
from activation.sample.visits import Visits, visits
from activation.sample.world import World

# A page's own event, and how often a look at the page comes to it.
_EVENTS = {
    "product": ("Product Viewed", 1.0),
    "pricing": ("Pricing Viewed", 1.0),
    "resource": ("Document Downloaded", 0.4),
    "video": ("Video Watched", 0.7),
    "search": ("Search Performed", 1.0),
}


def _product(sku: str, foreign: bool) -> dict[str, object]:
    product = next(product for product in PRODUCTS if product.product_id == sku)
    return {
        "product_id": product.product_id,
        "name": product.english if foreign else product.chinese,
        "category": product.category,
        "price": product.dollars if foreign else product.price,
        "currency": "USD" if foreign else "CNY",
    }


def _event_properties(kind: str, subject: str, title: str, foreign: bool) -> dict[str, object]:
    if kind == "product":
        return _product(subject, foreign)
    named: dict[str, dict[str, object]] = {
        "pricing": {"plan": subject},
        "resource": {"document": subject, "name": title},
        "video": {"video": subject, "name": title},
        "search": {"search_keyword": subject},
    }
    return named[kind]


def _event_body(page_number: int, foreign: bool) -> str | None:
    page = PAGES[page_number]
    if page.kind not in _EVENTS:
        return None
    properties = _event_properties(page.kind, page.subject, page.english if foreign else page.chinese, foreign)
    return f',"type":"track","event":"{_EVENTS[page.kind][0]}","properties":{encoded(properties)}'


# By page, then Chinese or foreign.
_EVENT_BODIES = pl.Series([_event_body(page, foreign) for page in range(len(PAGES)) for foreign in (False, True)], dtype=pl.String)
_EVENT_SHARE = np.array([_EVENTS[page.kind][1] if page.kind in _EVENTS else 0.0 for page in PAGES])
_CARTS = pl.Series([members(_product(product.product_id, foreign)) for product in PRODUCTS for foreign in (False, True)])
_WANDER_FIRST = np.array([FIRST[kind] for kind in WANDER])
_WANDER_COUNT = np.array([COUNT[kind] for kind in WANDER])


def web_lines(world: World, day: int) -> Iterator[pl.Series]:
    """The day's lines, one part of the people after the other, and at last those that no visit explains."""
    for part in world.parts:
        came = visits(world, day, part)
        bought = orders(world, day, part, came)
        looked = _looks(world, day, part, came)
        group = pl.concat([*looked, *_purchases(world, came, bought), *identities.log_ins(world, came)])
        yield seal(world, day, part, group)
    last = len(world.parts)
    group = pl.concat([*identities.sign_ups(world, day), *identities.submitters(world, day), *odd_visitors.odd_visits(world, day)])
    yield seal(world, day, last, group)


def _looks(world: World, day: int, part: int, came: Visits) -> Iterator[pl.DataFrame]:
    """Page messages, and the track messages of what was done on the page."""
    rng = world.rng(Stream.WEB, day, part)
    visit = np.repeat(np.arange(len(came), dtype=np.int64), came.pages)
    nth = np.arange(len(visit)) - np.repeat(np.cumsum(came.pages) - came.pages, came.pages)
    person = came.person[visit]
    foreign = (~world.people.chinese[person]).astype(np.int64)
    page = _pages(rng, came, visit, nth, foreign)
    at = np.minimum(came.start[visit] + _elapsed(rng, nth), world.midnight(day + 1) - 1_000)
    first = nth == 0
    entry = np.where(first, came.entry[visit], NO_ENTRY)
    referrer = np.where(first, from_entry(came.entry[visit]), from_page(np.roll(page, 1)))
    shown = shown_pages(page, foreign, referrer, entry)
    user = where(came.logged_in[visit], take(world.people.user_id, person))
    device = came.device[visit]
    yield messages(at, device, page_bodies(page, shown), user, shown.context, entry)
    does = np.flatnonzero(some(rng, len(page), _EVENT_SHARE[page]))
    body = take(_EVENT_BODIES, (page * 2 + foreign)[does])
    yield messages(at[does] + 800 + below(rng, len(does), 4000), device[does], body, take(user, does), shown[does], entry[does])
    yield _cart(rng, came, visit, page, at, foreign, user, shown)


def _pages(rng: np.random.Generator, came: Visits, visit: Ints, nth: Ints, foreign: Ints) -> Ints:
    """Which page each look is at: by who they are, what they are interested in, and how close they are to buying."""
    size = len(visit)
    mood = came.business[visit] * 2 + came.hot[visit]
    kind = pick_rows(rng, mood, WANDER_WEIGHTS)
    kind = np.where((nth == 0) & some(rng, size, 0.25), 0, kind)
    drawn = rng.random(size)
    page = _WANDER_FIRST[kind] + (drawn * _WANDER_COUNT[kind]).astype(np.int64)
    interest = came.interest[visit]
    # Within a category some products draw most of the looks, and people come back to them.
    page = np.where(_is(kind, "product"), FIRST["product"] + interest * PER_CATEGORY + (drawn**2 * PER_CATEGORY).astype(np.int64), page)
    page = np.where(_is(kind, "listing"), FIRST["listing"] + interest, page)
    spoken = np.where(foreign == 1, len(KEYWORDS) - CHINESE_KEYWORDS, CHINESE_KEYWORDS)
    keyword = foreign * CHINESE_KEYWORDS + (drawn * spoken).astype(np.int64)
    return np.where(_is(kind, "search"), FIRST["search"] + keyword, page)


def _is(kind: Ints, name: str) -> Bools:
    return np.equal(kind, WANDER.index(name))


def _elapsed(rng: np.random.Generator, nth: Ints) -> Ints:
    """Milliseconds since the visit began: people stay on a page for some seconds to minutes."""
    stay = np.where(nth == 0, 0, 4_000 + rng.exponential(38_000.0, len(nth)).astype(np.int64))
    total = np.cumsum(stay)
    return total - np.maximum.accumulate(np.where(nth == 0, total, 0))


def _cart(
    rng: np.random.Generator, came: Visits, visit: Ints, page: Ints, at: Ints, foreign: Ints, user: pl.Series, shown: Shown
) -> pl.DataFrame:
    product = page - FIRST["product"]
    on_product = (product >= 0) & (product < len(PRODUCTS))
    adds = np.flatnonzero(on_product & some(rng, len(page), np.where(came.hot[visit], 0.14, 0.05)))
    body = joined(
        ',"type":"track","event":"Product Added","properties":{', take(_CARTS, product[adds] * 2 + foreign[adds]), ',"quantity":1}'
    )
    return messages(at[adds] + 5_000 + below(rng, len(adds), 9000), came.device[visit][adds], body, take(user, adds), shown[adds])


def _purchases(world: World, came: Visits, bought: Orders) -> Iterator[pl.DataFrame]:
    """The way through the shop to each order: cart, checkout, confirmation."""
    size = len(bought)
    foreign = (~world.people.chinese[bought.person]).astype(np.int64)
    user = where(bought.logged_in, take(world.people.user_id, bought.person))
    none = np.full(size, NO_ENTRY)
    added = joined(
        ',"type":"track","event":"Product Added","properties":{',
        take(_CARTS, bought.product * 2 + foreign),
        ',"quantity":',
        number(bought.quantity),
        "}",
    )
    done = joined(
        ',"type":"track","event":"Order Completed","properties":{"order_id":"',
        bought.order_id,
        '","value":',
        number(bought.total),
        ',"currency":"',
        bought.currency,
        '"}',
    )
    before = from_page(FIRST["product"] + bought.product)
    for kind, earlier, event in (("cart", 45_000, added), ("checkout", 30_000, None), ("thanks", 0, done)):
        page = np.full(size, FIRST[kind])
        shown = shown_pages(page, foreign, before, none)
        at = bought.ordered - earlier
        yield messages(at, bought.device, page_bodies(page, shown), user, shown.context)
        if event is not None:
            yield messages(at + 400, bought.device, event, user, shown.context)
        before = from_page(page)
