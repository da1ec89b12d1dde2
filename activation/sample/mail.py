"""Mail events as SendGrid's event webhook tells them: of the weekly letter, of offers, and of order confirmations.

The events of a day come from what was sent on that day and the three before: people open late. An address that stopped working
bounces once, whoever leaves does so in the first mail after they had enough; neither is written to again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from activation.sample.draws import Bools, Floats, Ints, Stream, below, lot, some
from activation.sample.orders import sold
from activation.sample.pages import SITE
from activation.sample.text import DAY_MS, digits, joined, line, members, number, raw, take, text, tokens, where
from activation.sample.world import World

SENDER = "letter.qinghe.example"
_WEEK = 7
_LETTER_WEEKDAY, _OFFER_WEEKDAY = 1, 4
# Ten in the morning in China.
_SENT_AT = 2 / 24
_OPENED_WITHIN_DAYS = 3
_TWICE = 0.004
_HOUR_MS = 3_600_000

_AGENTS = pl.Series(
    [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
        "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    ]
)
_LINKS = pl.Series(
    [
        f"{SITE}/products/white-linen-dress?utm_source=newsletter&utm_medium=email&utm_campaign=weekly-letter",
        f"{SITE}/journal/sit-well?utm_source=newsletter&utm_medium=email&utm_campaign=weekly-letter",
        f"{SITE}/c/coffee?utm_source=promotion&utm_medium=email&utm_campaign=autumn-offer",
        f"{SITE}/pricing?utm_source=newsletter&utm_medium=email&utm_campaign=weekly-letter",
    ]
)
_GONE = members(
    {
        "event": "bounce",
        "type": "bounce",
        "status": "5.1.1",
        "bounce_classification": "Invalid Address",
        "reason": "550 5.1.1 The email account that you tried to reach does not exist",
    }
)
_FULL = members(
    {
        "event": "bounce",
        "type": "blocked",
        "status": "4.2.2",
        "bounce_classification": "Mailbox Unavailable",
        "reason": "452 4.2.2 The email account that you tried to reach is over quota",
    }
)
_DEFERRED = members({"event": "deferred", "attempt": "1", "response": "421 4.7.0 Try again later"})
_DELIVERED = members({"event": "delivered", "response": "250 2.0.0 OK"})
_OPEN = members({"event": "open", "sg_machine_open": False})
_PROXY_OPEN = members({"event": "open", "sg_machine_open": True, "useragent": "Mozilla/5.0"})
_SCANNER = {"useragent": "Mozilla/5.0 (compatible; MailLinkScanner/3.1)", "ip": "203.0.113.9"}
_SCANNER_OPEN = members({"event": "open", "sg_machine_open": False} | _SCANNER)
_SCANNER_CLICK = members({"event": "click"} | _SCANNER)


@dataclass(frozen=True, eq=False)
class Sending:
    """One mailing: to whom, when (Unix milliseconds), who bounces, who leaves by it and who complains instead."""

    name: str
    purpose: str
    person: Ints
    at: Ints
    bounces: Bools
    leaves: Bools


def last_mailed(world: World, day: int) -> Floats:
    """When each person was last sent a campaign before that of `day`, if they subscribed: letters go weekly, offers in between."""
    weekday = day % _WEEK
    letter = day - ((weekday - _LETTER_WEEKDAY - 1) % _WEEK + 1)
    offer = day - ((weekday - _OFFER_WEEKDAY - 1) % _WEEK + 1)
    return np.where(np.isfinite(world.timeline.promotion), max(letter, offer), letter) + _SENT_AT


def _campaign(world: World, day: int) -> Sending | None:
    weekday = day % _WEEK
    if weekday not in (_LETTER_WEEKDAY, _OFFER_WEEKDAY):
        return None
    timeline = world.timeline
    now, before = day + _SENT_AT, last_mailed(world, day)
    wants = timeline.newsletter if weekday == _LETTER_WEEKDAY else timeline.promotion
    stays = np.where(timeline.left_by_mail, timeline.left_mail > before, timeline.left_mail > now)
    person = np.flatnonzero((wants < now) & stays & (timeline.mailbox_gone > before))
    name = f"{'weekly-letter' if weekday == _LETTER_WEEKDAY else 'autumn-offer'}-{world.date(day)}"
    return Sending(
        name=name,
        purpose="newsletter" if weekday == _LETTER_WEEKDAY else "promotion",
        person=person,
        at=np.full(len(person), world.midnight(day) + int(_SENT_AT * DAY_MS)) + np.arange(len(person)) // 20 * 1000,
        bounces=timeline.mailbox_gone[person] <= now,
        leaves=timeline.left_mail[person] <= now,
    )


def _confirmations(world: World, day: int) -> Iterator[Sending]:
    for part in world.parts if day >= 0 else ():
        bought = sold(world, day, part)
        person = bought.person[bought.gives_email]
        gone = world.timeline.mailbox_gone[person] < day
        never = np.zeros(len(person), dtype=bool)
        yield Sending("order-confirmation", "order_update", person, bought.ordered[bought.gives_email] + 30_000, gone, never)


def mail_lines(world: World, day: int) -> pl.Series:
    """The events of one day, in order of time, a few of them twice."""
    frames = [_NONE]
    for sent_on in range(day - _OPENED_WITHIN_DAYS, day + 1):
        campaign = _campaign(world, sent_on)
        if campaign is not None:
            frames.append(_events(world, campaign, world.rng(Stream.MAIL, sent_on), day))
        for part, confirmation in enumerate(_confirmations(world, sent_on)):
            frames.append(_events(world, confirmation, world.rng(Stream.ORDER_MAIL, sent_on, part), day))
    events = pl.concat(frames)
    order = np.argsort(events["at"].to_numpy(), kind="stable")
    again = some(world.rng(Stream.MAIL, day, 1), len(order), _TWICE)
    return take(events["line"], np.repeat(order, 1 + again))


_NONE = pl.DataFrame(schema={"at": pl.Int64, "line": pl.String})


def _events(world: World, sending: Sending, rng: np.random.Generator, day: int) -> pl.DataFrame:
    """What comes back of a mailing on that day: a frame of `at` and `line`. The draws are the same whatever the day."""
    size, person = len(sending.person), sending.person
    message, salt = tokens(rng, size, 22), tokens(rng, size, 20)
    link = below(rng, size, len(_LINKS))
    kinds = list(_kinds(world, sending, rng))
    begin, end = world.midnight(day), world.midnight(day + 1)
    today = [np.flatnonzero(kind.happens & (kind.at >= begin) & (kind.at < end)) for kind in kinds]
    row = np.concatenate(today)
    if len(row) == 0:
        return _NONE
    number_of_kind = np.repeat(np.arange(len(kinds)), [len(rows) for rows in today])
    at = np.concatenate([kind.at[rows] for kind, rows in zip(kinds, today, strict=True)])
    by_person = np.array([kind.by_person for kind in kinds])[number_of_kind]
    on_link = np.array([kind.on_link for kind in kinds])[number_of_kind]
    lines = line(
        '{"email":"',
        take(world.people.email, person[row]),
        '"',
        raw("timestamp", number(at // 1000)),
        text("smtp-id", joined("<", take(message, row), f"@{SENDER}>")),
        take(pl.Series([f",{kind.body}" for kind in kinds]), number_of_kind),
        text("useragent", where(by_person, take(_AGENTS, lot(person[row], 40) % len(_AGENTS)))),
        text("ip", where(by_person, take(world.devices.address, world.devices.first[person[row]]))),
        text("url", where(on_link, take(_LINKS, link[row]))),
        f',"category":["{sending.purpose}"],"campaign":"{sending.name}"',
        text("sg_event_id", joined(take(salt, row), digits(number_of_kind, 2))),
        text("sg_message_id", joined(take(message, row), ".filterdrecv-0")),
        "}\n",
    )
    return pl.DataFrame({"at": at, "line": lines})


class Kind(NamedTuple):
    """One kind of event of a mailing: for whom it happens and when; whether the reader's device and a link are part of it."""

    happens: Bools
    at: Ints
    body: str
    by_person: bool = False
    on_link: bool = False


def _kinds(world: World, sending: Sending, rng: np.random.Generator) -> Iterator[Kind]:
    size, person = len(sending.person), sending.person
    full = some(rng, size, 0.008) & ~sending.bounces
    arrives = ~sending.bounces & ~full
    refused = sending.at + 2_000 + below(rng, size, 60_000)
    yield Kind(sending.bounces, refused, _GONE)
    yield Kind(full, refused, _FULL)
    yield Kind(arrives & some(rng, size, 0.01), sending.at + 1_000, _DEFERRED)
    delivered = sending.at + 1_500 + rng.exponential(9_000.0, size).astype(np.int64)
    yield Kind(arrives, delivered, _DELIVERED)
    # Machines open first: proxies that fetch pictures in advance, scanners at companies that also follow a link.
    yield Kind(arrives & some(rng, size, 0.12), delivered + below(rng, size, 25_000), _PROXY_OPEN)
    company = world.people.company[person]
    scanned = arrives & (company >= 0) & world.companies.scans_mail[np.maximum(company, 0)]
    yield Kind(scanned, delivered + 1_000, _SCANNER_OPEN)
    yield Kind(scanned, delivered + 1_000 + below(rng, size, 2_500), _SCANNER_CLICK, on_link=True)
    opens = arrives & (some(rng, size, world.people.opens[person]) | sending.leaves)
    opened = delivered + np.minimum(20_000 + rng.exponential(5.5 * _HOUR_MS, size), 40 * _HOUR_MS).astype(np.int64)
    yield Kind(opens, opened, _OPEN, by_person=True)
    yield Kind(opens & some(rng, size, 0.25), opened + below(rng, size, 12 * _HOUR_MS), _OPEN, by_person=True)
    clicked = opened + 4_000 + below(rng, size, 90_000)
    yield Kind(opens & some(rng, size, 0.24) & ~sending.leaves, clicked, '"event":"click"', by_person=True, on_link=True)
    leaves, complains = opens & sending.leaves, world.timeline.complains[person]
    yield Kind(leaves & ~complains, clicked, '"event":"unsubscribe"', by_person=True)
    yield Kind(leaves & complains, clicked, '"event":"spamreport"')
