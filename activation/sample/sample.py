"""Writes a sample: the files of every source, day by day, in the layout that landing reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import polars as pl

from activation.sample import checkins, webinars
from activation.sample.ads import ads_table
from activation.sample.consents import consent_lines
from activation.sample.crm import account_table, contact_table, opportunity_table
from activation.sample.files import SampleFile, write_lines, write_table
from activation.sample.forms import form_lines
from activation.sample.mail import mail_lines
from activation.sample.orders import order_lines
from activation.sample.sms import sms_lines
from activation.sample.web import web_lines
from activation.sample.wechat import wechat_lines
from activation.sample.world import World, make_world

FIRST_DATE = date(2026, 10, 1)
# The CRM is exported every tenth day and once more at the end.
_EXPORTED_EVERY = 10
# Now and then a sender dies in the middle of a line.
_BROKEN_EVERY, _BROKEN_DAY = 15, 6
_BROKEN_LINE = pl.Series(['{"messageId":"5b2f0c1e-broken","type":"page","properties":{"path":"/pri\n'])


def write_sample(
    people: int,
    days: int,
    seed: int,
    out: Path,
    start: date = FIRST_DATE,
    first_day: int = 0,
    progress: Callable[[str, int], None] | None = None,
) -> list[SampleFile]:
    """Write the files of days `first_day` to below `days`, counted from `start`, under `out`; they are returned in the order written.

    The same arguments give the same bytes. A later call with more days and `first_day` where the former ended continues it: the same
    people and identifiers, new facts. Days from the past are never needed. Memory grows with `people`, not with `days`. Files that are
    there already are replaced; others are left alone. `progress` hears each file's source and rows.

    Raises ValueError where a number makes no sense.
    """
    if people < 1 or seed < 0 or not 0 <= first_day < days:
        raise ValueError(
            f"A sample needs people >= 1, seed >= 0 and 0 <= first_day < days, not people={people}, seed={seed}, first_day={first_day}, days={days}."
        )
    world = make_world(people, seed, start)
    written = []
    for day in range(first_day, days):
        exported = day == days - 1 or day % _EXPORTED_EVERY == _EXPORTED_EVERY - 1
        for file in _day_files(world, day, out, exported):
            if file is None:
                continue
            written.append(file)
            if progress is not None:
                progress(file.source, file.rows)
    return written


def _day_files(world: World, day: int, out: Path, exported: bool) -> Iterator[SampleFile | None]:
    """The day's files one by one; None where a source had nothing to say."""
    on = str(world.date(day))
    yield write_lines(out / "web" / f"{on}.jsonl", "web_events", _web(world, day))
    yield write_lines(out / "mail" / f"{on}.jsonl", "mail_events", [mail_lines(world, day)])
    yield write_lines(out / "sms" / f"{on}.jsonl", "sms_receipts", [sms_lines(world, day)])
    yield write_lines(out / "wechat" / f"{on}.jsonl", "wechat_callbacks", [wechat_lines(world, day)])
    yield write_lines(out / "shop" / f"orders-{on}.jsonl", "shop_orders", order_lines(world, day))
    yield write_lines(out / "forms" / f"{on}.jsonl", "forms_submissions", [form_lines(world, day)])
    yield write_lines(out / "consent" / f"{on}.jsonl", "consent_records", [consent_lines(world, day)])
    yield write_table(out / "ads" / f"{on}.csv", "ads_costs", ads_table(world, day))
    if webinars.takes_place(day):
        yield write_table(out / "webinar" / f"{on}.csv", "webinar_attendance", webinars.webinar_table(world, day))
    if checkins.takes_place(day):
        malformed = checkins.malformed_row(day)
        yield write_table(out / "offline" / f"{on}.csv", "offline_checkins", checkins.checkin_table(world, day), malformed)
    if exported:
        yield write_table(out / "crm" / f"accounts-{on}.csv", "crm_accounts", account_table(world, day))
        yield write_table(out / "crm" / f"contacts-{on}.csv", "crm_contacts", contact_table(world, day))
        yield write_table(out / "crm" / f"opportunities-{on}.csv", "crm_opportunities", opportunity_table(world, day))


def _web(world: World, day: int) -> Iterator[pl.Series]:
    yield from web_lines(world, day)
    if day % _BROKEN_EVERY == _BROKEN_DAY:
        yield _BROKEN_LINE
