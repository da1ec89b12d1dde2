"""Messages in which people say who they are: identify, group and alias, at sign-up, log-in, on forms and from WeChat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from activation.sample.draws import Bools, Ints, lot
from activation.sample.forms import MEMBER, submissions
from activation.sample.messages import messages, page_views
from activation.sample.names import TRADES
from activation.sample.pages import FIRST
from activation.sample.people import TITLE_NAMES
from activation.sample.places import CITY_NAMES, COUNTRIES
from activation.sample.text import joined, line, number, raw, take, text, where
from activation.sample.visits import Visits
from activation.sample.world import World, on_day

_INDUSTRIES = pl.Series([industry for industry, _, _ in TRADES])
_METHODS = pl.Series(["email", "phone", "wechat"])


def identify(traits: pl.Series) -> pl.Series:
    """The body of an identify message."""
    return joined(',"type":"identify","traits":', traits)


def _profile(world: World, person: Ints) -> pl.Series:
    """All that someone tells when they make an account."""
    people = world.people
    foreign = (~people.chinese[person]).astype(np.int64)
    at_work = people.company[person] >= 0
    return line(
        '{"email":"',
        take(people.email, person),
        '"',
        text("phone", where(lot(person, 20) < 70, take(people.phone, person))),
        text("firstName", take(people.first_name, person)),
        text("lastName", take(people.last_name, person)),
        text("name", take(people.full_name, person)),
        text("company", where(at_work, take(world.companies.name, np.maximum(people.company[person], 0)))),
        text("title", where(at_work & (lot(person, 21) < 60), take(TITLE_NAMES, people.title[person] * 2 + foreign))),
        text("city", take(CITY_NAMES, people.place[person] * 2 + foreign)),
        text("country", take(COUNTRIES, people.place[person])),
        "}",
    )


def _group(world: World, person: Ints) -> pl.Series:
    """The body of a group message: the company, known by its mail domain."""
    companies, company = world.companies, world.people.company[person]
    return line(
        ',"type":"group","groupId":"',
        take(companies.domain, company),
        '","traits":{"name":"',
        take(companies.name, company),
        '"',
        text("domain", take(companies.domain, company)),
        text("industry", take(_INDUSTRIES, companies.trade[company])),
        raw("employees", number(companies.employees[company])),
        "}",
    )


def sign_ups(world: World, day: int) -> Iterator[pl.DataFrame]:
    """New accounts: the page, the event, who it is, for some the old cookie's alias, for those at work their company."""
    people = world.people
    person = on_day(world.timeline.signed_up, day)
    at = world.milliseconds(world.timeline.signed_up[person])
    device = world.devices.first[person]
    user = take(people.user_id, person)
    yield page_views(world, person, np.full(len(person), FIRST["signup"]), at - 20_000, device)
    method = take(_METHODS, lot(person, 22) % 3)
    yield messages(at, device, joined(',"type":"track","event":"Signed Up","properties":{"method":"', method, '"}'), user)
    yield messages(at + 150, device, identify(_profile(world, person)), user)
    aliased = lot(person, 23) < 30
    former = take(world.devices.cookie, device[aliased])
    yield messages(
        at[aliased] + 90, device[aliased], joined(',"type":"alias","previousId":"', former, '"'), user.filter(pl.Series(aliased))
    )
    at_work = people.company[person] >= 0
    yield messages(at[at_work] + 240, device[at_work], _group(world, person[at_work]), user.filter(pl.Series(at_work)))


def log_ins(world: World, came: Visits) -> Iterator[pl.DataFrame]:
    """Visits that begin with a log-in: this is what links a second device to its owner."""
    begins = came.logged_in & (lot(came.start, 24) < 40)
    person, device, at = came.person[begins], came.device[begins], came.start[begins] + 6_000
    user = take(world.people.user_id, person)
    yield messages(at, device, identify(joined('{"email":"', take(world.people.email, person), '"}')), user)
    at_work = (world.people.company[person] >= 0) & (lot(came.start[begins], 25) < 30)
    yield messages(at[at_work] + 80, device[at_work], _group(world, person[at_work]), user.filter(pl.Series(at_work)))


def submitters(world: World, day: int) -> Iterator[pl.DataFrame]:
    """Those who submit a form, and the followers who give their phone number in the chat's browser."""
    found = submissions(world, day)
    real = found.person >= 0
    person, at, device = found.person[real], found.at[real], found.device[real]
    yield page_views(world, person, found.page[real], at - 40_000, device)
    tells = found.form[real] != MEMBER
    yield messages(at[tells] + 100, device[tells], identify(_given(world, person[tells])), _user(world, person[tells], day))
    bound = on_day(world.timeline.bound, day)
    own = world.devices.first[bound] + lot(bound, 4) % world.devices.count[bound]
    yield messages(world.milliseconds(world.timeline.bound[bound]) + 100, own, identify(_follower(world, bound)), _user(world, bound, day))


def _given(world: World, person: Ints) -> pl.Series:
    people = world.people
    return line(
        '{"email":"',
        take(people.email, person),
        '"',
        text("firstName", take(people.first_name, person)),
        text("lastName", take(people.last_name, person)),
        "}",
    )


def _follower(world: World, person: Ints) -> pl.Series:
    people = world.people
    return line(
        '{"phone":"',
        take(people.phone, person),
        '"',
        text("wechat_openid", take(people.openid, person)),
        text("wechat_unionid", take(people.unionid, person)),
        text("name", where(_tells_name(person), take(people.full_name, person))),
        "}",
    )


def _tells_name(person: Ints) -> Bools:
    return lot(person, 26) < 60


def _user(world: World, person: Ints, day: int) -> pl.Series:
    """The account of those who were logged in while they filled the form in."""
    return where((world.timeline.signed_up[person] < day) & (lot(person, 27) < 70), take(world.people.user_id, person))
