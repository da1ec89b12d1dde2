"""Visits to the site: who comes on a day, when, on which device, from where, and whether they buy.

Web events and orders are both made from the same visits, so that what the shop sold is what the site saw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activation.sample.campaigns import BY_EMAIL, DIRECT, RETURNING, WEIGHTS
from activation.sample.draws import Bools, Floats, Ints, Stream, below, pick, pick_rows, some
from activation.sample.places import HOURS, UTC_OFFSET
from activation.sample.products import CATEGORIES
from activation.sample.text import DAY_MS
from activation.sample.world import PART, World

_HOUR_MS = 3_600_000
# Monday to Sunday, for people at work and for themselves.
_WEEK = np.array([[0.95, 0.95, 0.95, 0.95, 1.05, 1.15, 1.1], [1.15, 1.2, 1.2, 1.15, 1.05, 0.55, 0.6]])


@dataclass(frozen=True, eq=False)
class Visits:
    """One entry for each visit, in every column. `start` is in Unix milliseconds, `interest` is a category, `entry` how they came."""

    person: Ints
    device: Ints
    start: Ints
    pages: Ints
    entry: Ints
    interest: Ints
    business: Bools
    hot: Bools
    logged_in: Bools
    buys: Bools

    def __len__(self) -> int:
        return len(self.person)


def visits(world: World, day: int, part: int) -> Visits:
    """The visits of one day by the people of one part."""
    rng = world.rng(Stream.VISITS, day, part)
    people, timeline, devices = world.people, world.timeline, world.devices
    those = slice(part * PART, (part + 1) * PART)
    rate, hot = _rate(world, day, those)
    count = rng.poisson(rate)
    # Whoever appears today was here today.
    came = np.floor(timeline.arrived[those]) == day
    count = np.where(came, np.maximum(count, 1), count)
    person = those.start + np.repeat(np.arange(len(count), dtype=np.int64), count)
    size = len(person)
    device = devices.first[person] + (rng.random(size) ** 2 * devices.count[person]).astype(np.int64)
    hour = (pick(rng, size, HOURS) + rng.random(size) - UTC_OFFSET[people.place[person]]) % 24
    logged_in = (timeline.signed_up[person] < day) & some(rng, size, 0.55)
    foreign = (~people.chinese[person]).astype(np.int64)
    entry = pick_rows(rng, foreign + 2 * logged_in, np.concatenate([WEIGHTS, RETURNING]))
    subscribed = (timeline.newsletter[person] < day) & (timeline.left_mail[person] > day)
    keen = hot[person - those.start]
    chance = 0.016 * np.where(keen, 2.6, 0.7) * np.where(people.business[person], 0.7, 1.4) * np.where(logged_in, 2.0, 0.7)
    return Visits(
        person=person,
        device=device,
        start=world.midnight(day) + np.minimum(hour * _HOUR_MS, DAY_MS - 1).astype(np.int64),
        pages=np.minimum(rng.geometric(np.where(keen, 0.25, 0.37), size), 30),
        entry=np.where(BY_EMAIL[entry] & ~subscribed, DIRECT, entry),
        interest=np.where(some(rng, size, 0.75), people.interest[person], below(rng, size, len(CATEGORIES))),
        business=people.business[person],
        hot=keen,
        logged_in=logged_in,
        buys=some(rng, size, chance * (0.4 + 1.2 * people.warmth[person])),
    )


def _rate(world: World, day: int, those: slice) -> tuple[Floats, Bools]:
    """Visits to be expected of each, and who is close to a purchase: in a wave of interest, or in a sale that moves."""
    people, timeline = world.people, world.timeline
    arrived, opportunity = timeline.arrived[those], timeline.opportunity[those]
    selling = (day > opportunity - 10) & (day < opportunity + 12)
    hot = selling | ((day + timeline.phase[those]) % timeline.period[those] < 5)
    age = np.maximum(day - arrived, 0.0)
    fading = 0.35 + 0.65 * np.exp(-age / 20.0)
    week = _WEEK[people.business[those].astype(np.int64), world.weekday(day)]
    rate = people.pace[those] * fading * week * np.where(hot, 3.2, 0.9)
    present = (arrived < day + 1) & (timeline.gone[those] > day)
    return np.where(present, np.minimum(rate, 8.0), 0.0), hot
