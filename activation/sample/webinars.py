"""Webinars, one a week: who registers in the days before, who comes, how long they stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from activation.sample.draws import Bools, Floats, Ints, Stream, some
from activation.sample.text import iso, take, where
from activation.sample.world import World

EVERY = 7
OPEN_FOR = 7
_WEEKDAY = 2
# Two in the afternoon in China.
_BEGINS = 6 / 24
_LASTS = 3600
_TITLES = (
    "三十天完成办公室改造",
    "办公室咖啡角：成本与选型",
    "Ergonomics at Work: Choosing Chairs and Desks",
    "员工制服定制指南",
)


@dataclass(frozen=True, eq=False)
class Registrations:
    """One entry for each person registered, in every column; `registered` in days since the start, `by_form` through our own form."""

    webinar_id: str
    title: str
    person: Ints
    registered: Floats
    by_form: Bools
    joined: Bools
    late: Ints
    watched: Ints
    questions: Ints


def takes_place(day: int) -> bool:
    return day % EVERY == _WEEKDAY


def upcoming(day: int) -> list[int]:
    """The days of the webinars for which one can register on this day."""
    return [later for later in range(day, day + OPEN_FOR + 1) if takes_place(later)]


def registrations(world: World, day: int) -> Registrations:
    """The registrations of the webinar that takes place on `day`."""
    rng = world.rng(Stream.WEBINAR, day)
    people, timeline = world.people, world.timeline
    known = np.minimum(timeline.signed_up, timeline.recorded)
    ahead = np.minimum(rng.exponential(2.5, len(people)), OPEN_FOR - 1.0) + 0.1
    registered = day + _BEGINS - ahead
    keen = 0.09 * np.where(people.business, 1.0, 0.35) * people.warmth
    person = np.flatnonzero((known < registered) & some(rng, len(people), keen) & (timeline.gone > day))
    size = len(person)
    came = some(rng, size, 0.55)
    number = day // EVERY
    return Registrations(
        webinar_id=f"web-{world.date(day):%Y%m%d}",
        title=_TITLES[number % len(_TITLES)],
        person=person,
        registered=registered[person],
        by_form=some(rng, size, 0.6),
        joined=came,
        late=(rng.exponential(240.0, size)).astype(np.int64) % 1500,
        watched=np.where(came, (rng.beta(2.0, 1.2, size) * (_LASTS - 1500)).astype(np.int64) + 60, 0),
        questions=np.where(came, rng.poisson(0.3, size), 0),
    )


def webinar_table(world: World, day: int) -> pl.DataFrame:
    """The export that the webinar service gives when it is over."""
    found = registrations(world, day)
    people = world.people
    began = world.milliseconds(np.full(len(found.person), day + _BEGINS)) + found.late * 1000
    size = len(found.person)
    return pl.DataFrame(
        {
            "webinar_id": pl.Series([found.webinar_id]).new_from_index(0, size),
            "webinar_title": pl.Series([found.title]).new_from_index(0, size),
            "email": take(people.email, found.person),
            "full_name": take(people.full_name, found.person),
            "registered_at": iso(world.milliseconds(found.registered)),
            "joined_at": where(found.joined, iso(began)),
            "left_at": where(found.joined, iso(began + found.watched * 1000)),
            "watch_seconds": found.watched,
            "questions": found.questions,
        }
    )
