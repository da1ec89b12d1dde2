"""The world of a sample: everything that is drawn once from the seed, before any day is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from activation.sample.companies import Companies, found_companies
from activation.sample.devices import Devices, hand_out_devices
from activation.sample.draws import Floats, Ints, Stream, generator
from activation.sample.people import People, gather_people
from activation.sample.text import DAY_MS
from activation.sample.timeline import Timeline, draw_timeline

# People are handled in parts of this many, so that a day needs no more memory than one part's events. It is part of what a seed
# means: another number gives another sample.
PART = 50_000
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, eq=False)
class World:
    """Who there is. Days are counted from `start`, moments are days with a fraction, in UTC."""

    seed: int
    start: date
    people: People
    companies: Companies
    devices: Devices
    timeline: Timeline

    @property
    def parts(self) -> range:
        return range(-(-len(self.people) // PART))

    def rng(self, stream: Stream, day: int = 0, part: int = 0) -> np.random.Generator:
        return generator(self.seed, stream, day, part)

    def date(self, day: int) -> date:
        return self.start + timedelta(days=day)

    def midnight(self, day: int) -> int:
        """When the day begins, in Unix milliseconds."""
        return ((self.start - _EPOCH).days + day) * DAY_MS

    def milliseconds(self, moments: Floats) -> Ints:
        """Finite moments as Unix milliseconds."""
        return self.midnight(0) + (moments * DAY_MS).astype(np.int64)

    def weekday(self, day: int) -> int:
        return self.date(day).weekday()


def make_world(people: int, seed: int, start: date) -> World:
    """The world of a seed and a number of people."""
    companies = found_companies(people, seed)
    gathered = gather_people(people, seed, companies)
    return World(seed, start, gathered, companies, hand_out_devices(seed, gathered), draw_timeline(seed, gathered))


def on_day(moments: Floats, day: int) -> Ints:
    """The people for whom this moment falls on the day, in their order."""
    return np.flatnonzero((moments >= day) & (moments < day + 1))
