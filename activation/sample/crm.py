"""Exports of the CRM: contacts, accounts and opportunities as they stand at the end of a day.

What a CRM looks like after some years: the same person twice, numbers in every format, capitals, slips, companies not filled in.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from activation.sample.draws import NEVER, Bools, Floats, Ints, lot
from activation.sample.names import TITLES, TRADES
from activation.sample.people import TITLE_NAMES
from activation.sample.places import CITY_NAMES, COUNTRIES, IS_CHINESE
from activation.sample.spellings import AS_IS, LOUD, PADDED, PHONE_STYLES, SLIPPED, written_email, written_phone
from activation.sample.text import iso, joined, number, take, where
from activation.sample.world import World

# From this day on the export has one column more.
JOB_LEVEL_SINCE = 20
_TOUCHED_EVERY = 45.0
_ACCOUNTS_TOUCHED_EVERY = 60.0
_FIRST_CONTACT = 100_001
_FIRST_OPPORTUNITY = 500_001

STAGES = ("subscriber", "lead", "mql", "sql", "opportunity", "customer")
_LEAD_STATUS = ("new", "attempted_to_contact", "connected", "unqualified", "in_progress")
_UNQUALIFIED, _IN_PROGRESS = 3, 4
_OPPORTUNITY_STAGES = ("prospecting", "qualification", "proposal", "negotiation", "closed_won", "closed_lost")
_STAGE_DAYS = np.array([0.0, 4.0, 8.0, 14.0])
_WON, _LOST = 4, 5
_OWNERS = pl.Series([f"{name}@qinghe.example" for name in ("sales.east", "sales.north", "sales.south", "sales.abroad")])

_LEVELS = pl.Series([level for _, _, level in TITLES])


def contact_ids(person: Ints) -> pl.Series:
    """The CRM's own identifier of each person's first record."""
    return number(_FIRST_CONTACT + person)


def contact_table(world: World, day: int) -> pl.DataFrame:
    """All contacts at the end of the day: everybody's first record, then the second ones."""
    timeline = world.timeline
    first = np.flatnonzero(timeline.recorded < day + 1)
    second = np.flatnonzero(timeline.recorded_again < day + 1)
    table = pl.concat([_contacts(world, first, day + 1.0), _second_contacts(world, second, day + 1.0)])
    return table if day >= JOB_LEVEL_SINCE else table.drop("job_level")


def _latest(until: float, *moments: Floats) -> Floats:
    """The last of these moments before `until`, for each."""
    latest = np.full(len(moments[0]), -NEVER)
    for moment in moments:
        np.maximum(latest, moment, out=latest, where=moment < until)
    return latest


def _touches(until: float, created: Floats, every: float) -> tuple[Ints, Floats]:
    """How often somebody has edited the record since, and when last: records change without anything having happened."""
    times = np.floor((until - created) / every)
    return times.astype(np.int64), created + times * every


def _stages(world: World, person: Ints, until: float) -> tuple[Ints, Bools]:
    """How far each person is in the sale, and who was lost: those are leads again, for another day."""
    timeline = world.timeline
    steps = (timeline.lead, timeline.qualified, timeline.accepted, timeline.opportunity)
    stage = np.sum([step[person] < until for step in steps], axis=0)
    closed = timeline.closed[person] < until
    won, lost = closed & timeline.won[person], closed & ~timeline.won[person]
    return np.where(won, len(STAGES) - 1, np.where(lost, 1, stage)), lost


def _contacts(world: World, person: Ints, until: float) -> pl.DataFrame:
    people, timeline = world.people, world.timeline
    stage, lost = _stages(world, person, until)
    created = timeline.recorded[person]
    touches, touched = _touches(until, created, _TOUCHED_EVERY)
    status = np.where(lost, _UNQUALIFIED, np.where(stage > 2, _IN_PROGRESS, touches % 3))
    steps = (timeline.lead, timeline.qualified, timeline.accepted, timeline.opportunity, timeline.closed, timeline.objected)
    updated = _latest(until, created, touched, *(step[person] for step in steps))
    style = lot(person, 60)
    slip = np.where(style < 90, AS_IS, np.where(style < 95, LOUD, np.where(style < 97, PADDED, SLIPPED)))
    english = (~people.chinese[person] | (lot(person, 61) < 30)).astype(np.int64)
    titled = (people.company[person] >= 0) & (lot(person, 62) < 85)
    linked = (people.company[person] >= 0) & (lot(person, 63) < 88)
    return pl.DataFrame(
        {
            "contact_id": contact_ids(person),
            "account_id": where(linked, take(world.companies.account_id, np.maximum(people.company[person], 0))),
            "email": where(lot(person, 64) < 96, written_email(take(people.email, person), slip)),
            "phone": where(lot(person, 65) < 80, written_phone(take(people.phone, person), lot(person, 66) % PHONE_STYLES)),
            "first_name": take(people.first_name, person),
            "last_name": take(people.last_name, person),
            "title": where(titled, take(TITLE_NAMES, people.title[person] * 2 + english)),
            "lifecycle_stage": take(pl.Series(STAGES), stage),
            "lead_status": where(stage > 0, take(pl.Series(_LEAD_STATUS), status)),
            "owner": take(_OWNERS, np.where(people.chinese[person], people.place[person] % 3, 3)),
            "city": take(CITY_NAMES, people.place[person] * 2 + english),
            "country": take(COUNTRIES, people.place[person]),
            "do_not_contact": take(pl.Series(["false", "true"]), (timeline.objected[person] < until).astype(np.int64)),
            "wechat_unionid": where((timeline.bound[person] < until) & (lot(person, 67) < 60), take(people.unionid, person)),
            "created_at": iso(world.milliseconds(created)),
            "updated_at": iso(world.milliseconds(updated)),
            "job_level": where(titled, take(_LEVELS, people.title[person])),
        }
    )


def _second_contacts(world: World, person: Ints, until: float) -> pl.DataFrame:
    """The same people once more: other case, a slip in the address, or only the number in another format."""
    people, kind = world.people, lot(person, 70)
    slip = np.where(kind < 35, LOUD, np.where(kind < 45, PADDED, SLIPPED))
    only_phone = (kind >= 70) & people.phone.is_not_null().to_numpy()[person]
    email = where(~only_phone, written_email(take(people.email, person), slip))
    phone = where(only_phone | (lot(person, 71) < 50), written_phone(take(people.phone, person), (lot(person, 66) + 1) % PHONE_STYLES))
    latin = take(people.latin_name, person).str.split(" ")
    created = world.timeline.recorded_again[person]
    columns = {
        "contact_id": number(_FIRST_CONTACT + len(people) + person),
        "email": email,
        "phone": phone,
        "first_name": latin.list.get(0),
        "last_name": latin.list.get(1),
        "lifecycle_stage": take(pl.Series(STAGES), lot(person, 72) % 2),
        "country": take(COUNTRIES, people.place[person]),
        "do_not_contact": pl.Series(["false"]).new_from_index(0, len(person)),
        "created_at": iso(world.milliseconds(created)),
        "updated_at": iso(world.milliseconds(_touches(until, created, _TOUCHED_EVERY)[1])),
    }
    empty = _contacts(world, person[:0], until)
    return pl.concat([empty, pl.DataFrame(columns)], how="diagonal")


def account_table(world: World, day: int) -> pl.DataFrame:
    """All accounts at the end of the day."""
    companies, until = world.companies, day + 1.0
    there = np.flatnonzero(companies.created < until)
    created, place = companies.created[there], companies.place[there]
    touches, touched = _touches(until, created, _ACCOUNTS_TOUCHED_EVERY)
    english = (~IS_CHINESE[place]).astype(np.int64)
    return pl.DataFrame(
        {
            "account_id": take(companies.account_id, there),
            "name": take(companies.name, there),
            "domain": where(lot(there, 73) < 90, take(companies.domain, there)),
            "industry": where(lot(there, 74) < 92, take(pl.Series([industry for industry, _, _ in TRADES]), companies.trade[there])),
            "employees": number(companies.employees[there] + touches),
            "annual_revenue": number(companies.revenue[there]),
            "city": take(CITY_NAMES, place * 2 + english),
            "country": take(COUNTRIES, place),
            "created_at": iso(world.milliseconds(created)),
            "updated_at": iso(world.milliseconds(touched)),
        }
    )


def opportunity_table(world: World, day: int) -> pl.DataFrame:
    """All opportunities at the end of the day, each at its stage."""
    people, timeline, until = world.people, world.timeline, day + 1.0
    person = np.flatnonzero(timeline.opportunity < until)
    began, ends = timeline.opportunity[person], timeline.closed[person]
    closed = ends < until
    reached = np.searchsorted(_STAGE_DAYS, until - began, side="right") - 1
    stage = np.where(closed, np.where(timeline.won[person], _WON, _LOST), reached)
    company = np.maximum(people.company[person], 0)
    at_work = people.company[person] >= 0
    size = np.where(at_work, np.minimum(world.companies.employees[company], 2_000), 4)
    amount = (size * (300 + 12 * lot(person, 75)) // 100 + 50) * 100
    name = take(world.companies.name, company).zip_with(pl.Series(at_work), take(people.full_name, person))
    chinese = people.chinese[person]
    return pl.DataFrame(
        {
            "opportunity_id": number(_FIRST_OPPORTUNITY + person),
            "account_id": where(at_work, take(world.companies.account_id, company)),
            "contact_id": contact_ids(person),
            "name": joined(name, take(pl.Series([" - 办公空间方案", " - Office Fit-out"]), (~chinese).astype(np.int64))),
            "stage": take(pl.Series(_OPPORTUNITY_STAGES), stage),
            "amount": number(np.where(chinese, amount, amount // 7)),
            "currency": take(pl.Series(["CNY", "USD"]), (~chinese).astype(np.int64)),
            "created_at": iso(world.milliseconds(began)),
            "closed_at": where(closed, iso(world.milliseconds(np.where(closed, ends, began)))),
            "updated_at": iso(world.milliseconds(np.where(closed, ends, began + _STAGE_DAYS[reached]))),
        }
    )
