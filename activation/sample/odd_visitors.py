"""Visitors that must not become profiles: crawlers, a scraper, tablets shared by many, and people who type in junk."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from activation.sample.draws import Stream, below
from activation.sample.identities import identify
from activation.sample.messages import messages, page_views
from activation.sample.pages import FIRST
from activation.sample.text import DAY_MS, joined, take
from activation.sample.world import World

# What people type when they must type something, and what a broken tag sends for everybody.
JUNK = (
    ("anonymous", '{"email":"test@test.com"}'),
    ("anonymous", '{"phone":"000000"}'),
    ("-1", '{"email":"none@mail.example"}'),
    ("00000000", '{"name":"test"}'),
)
# Pages that can be reached by a link: nothing behind the cart.
_LINKED = FIRST["cart"]


def odd_visits(world: World, day: int) -> Iterator[pl.DataFrame]:
    """All of them on one day."""
    rng = world.rng(Stream.ODD_VISITORS, day)
    yield from _crawls(rng, world, day)
    yield from _scrapes(rng, world, day)
    yield from _kiosks(rng, world, day)
    yield _junk(rng, world, day)


def _crawls(rng: np.random.Generator, world: World, day: int) -> Iterator[pl.DataFrame]:
    crawlers = world.devices.crawlers
    device = np.repeat(crawlers, rng.poisson(4 + 0.008 * len(world.people), len(crawlers)))
    size = len(device)
    at = world.midnight(day) + below(rng, size, DAY_MS - 60_000)
    yield page_views(world, np.zeros(size, dtype=np.int64), below(rng, size, _LINKED), at, device)


def _scrapes(rng: np.random.Generator, world: World, day: int) -> Iterator[pl.DataFrame]:
    """Every third day one claims to be a browser and takes three pages a second."""
    if day % 3 != 0:
        return
    for device in world.devices.scrapers:
        size = int(rng.integers(120, 260))
        start = world.midnight(day) + int(rng.integers(0, DAY_MS - 600_000))
        at = start + np.cumsum(200 + below(rng, size, 250))
        yield page_views(world, np.zeros(size, dtype=np.int64), np.arange(size) % _LINKED, at, np.full(size, device))


def _kiosks(rng: np.random.Generator, world: World, day: int) -> Iterator[pl.DataFrame]:
    """Tablets in two showrooms, on which one customer after the other leaves an address: one cookie, many people."""
    people, timeline = world.people, world.timeline
    near = np.flatnonzero(people.chinese & (timeline.arrived < day) & (timeline.gone > day))
    for device in world.devices.kiosks:
        size = min(int(rng.poisson(2 + 0.0002 * len(people))), len(near))
        person = np.sort(near[below(rng, size, len(near))])
        at = world.midnight(day) + np.sort(below(rng, size, 12 * 3_600_000)) + 2 * 3_600_000
        name = take(people.full_name, person)
        yield messages(at, np.full(size, device), identify(joined('{"email":"', take(people.email, person), '","name":"', name, '"}')))


def _junk(rng: np.random.Generator, world: World, day: int) -> pl.DataFrame:
    """Identify messages from many devices that all carry the same few worthless values."""
    size = int(rng.poisson(0.5 + 0.0008 * len(world.people)))
    kind = below(rng, size, len(JUNK))
    return messages(
        world.midnight(day) + below(rng, size, DAY_MS - 60_000),
        below(rng, size, len(world.devices.person) - 8),
        identify(take(pl.Series([traits for _, traits in JUNK]), kind)),
        take(pl.Series([user for user, _ in JUNK]), kind),
    )
