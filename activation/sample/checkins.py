"""Check-ins at fairs, one every ten days: what a scanner at a booth exports, typed in by hand and incomplete."""

from __future__ import annotations

import numpy as np
import polars as pl

from activation.sample.draws import Stream, below, lot, some
from activation.sample.places import PLACES
from activation.sample.spellings import PHONE_STYLES, written_email, written_phone
from activation.sample.text import iso, take, where
from activation.sample.world import World

_EVERY = 10
_DAY = 8
_NAMES = ("办公生活展", "咖啡与空间博览会", "企业采购大会")
_BOOTHS = pl.Series(["A12", "A14", "B03"])
# Once in a month somebody edits the file by hand and loses the last columns of a row.
MALFORMED = "fair-malformed,办公生活展,上海"
_MALFORMED_EVERY = 30


def takes_place(day: int) -> bool:
    return day % _EVERY == _DAY


def malformed_row(day: int) -> str:
    """The row that lacks columns, on the days whose file has one."""
    return MALFORMED if day % _MALFORMED_EVERY == _DAY else ""


def checkin_table(world: World, day: int) -> pl.DataFrame:
    """The day's check-ins in order of time."""
    rng = world.rng(Stream.CHECKINS, day)
    people, timeline = world.people, world.timeline
    near = people.chinese & (timeline.arrived < day) & (timeline.gone > day)
    person = np.flatnonzero(near & some(rng, len(people), 0.025 * people.warmth))
    size = len(person)
    # From nine to five, China time.
    at = np.sort(world.midnight(day) + 3_600_000 + below(rng, size, 8 * 3_600_000))
    person = rng.permutation(person)
    city = PLACES[day // _EVERY % 3]
    kept = some(rng, size, 0.7)
    has_number = people.phone.is_not_null().to_numpy()[person]
    style = np.where(lot(person, 81) < 94, 0, lot(person, 82) % 4)

    def same(value: str) -> pl.Series:
        return pl.Series([value]).new_from_index(0, size)

    return pl.DataFrame(
        {
            "event_id": same(f"fair-{world.date(day):%Y%m%d}"),
            "event_name": same(_NAMES[day // _EVERY % len(_NAMES)]),
            "city": same(city.chinese),
            "phone": written_phone(take(people.phone, person), lot(person, 80) % PHONE_STYLES),
            "email": where(kept | ~has_number, written_email(take(people.email, person), style)),
            "full_name": take(people.full_name, person),
            "checked_in_at": iso(at),
            "booth": take(_BOOTHS, below(rng, size, len(_BOOTHS))),
        }
    )
