"""Forms on the site: who submits which on a day, with what they wrote and what they agreed to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from activation.sample import webinars
from activation.sample.campaigns import ENTRIES, WEIGHTS
from activation.sample.draws import Bools, Floats, Ints, Stream, below, lot, pick_rows
from activation.sample.pages import COUNT, FIRST, PAGES, SITE
from activation.sample.people import TITLE_NAMES
from activation.sample.spellings import PHONE_STYLES, written_email, written_phone
from activation.sample.text import encoded, iso, joined, line, raw, take, text, uuids, where
from activation.sample.world import World, on_day


class Form(NamedTuple):
    """A form: the kind of page it stands on, and what ticking its box means."""

    form_id: str
    page: str
    purposes: tuple[str, ...]
    channels: tuple[str, ...]
    wording: str


FORMS = (
    Form("newsletter-footer", "newsletter", ("newsletter",), ("email",), "我同意通过邮件接收清禾周刊 (2026-03)"),
    Form("newsletter-footer", "newsletter", ("newsletter", "promotion"), ("email",), "我同意通过邮件接收清禾周刊和优惠信息 (2026-03)"),
    Form("contact-sales", "contact", ("sales_contact",), ("email", "crm"), "我同意销售人员就此咨询与我联系 (2026-01)"),
    Form("demo-request", "demo", ("sales_contact",), ("email", "crm"), "I agree to be contacted about this request (2026-01)"),
    Form("resource-download", "resource", ("newsletter",), ("email",), "我愿意接收相关内容的邮件 (2026-02)"),
    Form("member-card", "member", ("newsletter", "promotion"), ("sms", "wechat"), "我同意通过短信和微信接收会员优惠 (2026-05)"),
    Form("webinar-registration", "webinar", ("newsletter",), ("email",), "我愿意接收后续活动通知 (2026-02)"),
)
LETTER, LETTER_AND_OFFERS, CONTACT, DEMO, DOWNLOAD, MEMBER, WEBINAR = range(len(FORMS))
# The share of submissions with the box ticked, by form.
_AGREES = np.array([100, 100, 85, 85, 35, 80, 45])
_MESSAGES = (
    "我们想为120人的办公室采购咖啡机和工位，请报价。",
    "需要定制一批前台制服，大约60套，交期多久？",
    "想了解办公空间整体方案的价格和案例。",
    "升降办公桌20张，人体工学椅20把，能否上门测量？",
    "We are fitting out a new office for 80 people and need desks, chairs and lighting.",
    "Please send a quote for an office coffee station with a monthly bean delivery.",
    "Do you offer company uniforms with embroidery? About 40 sets.",
    "test",
)
_JUNK_EMAIL = "test@test.com"
_JUNK_PHONE = "000000"


@dataclass(frozen=True, eq=False)
class Submissions:
    """One entry for each submission, in every column. `person` is -1 where only junk was typed in; `at` is in Unix milliseconds."""

    form: Ints
    person: Ints
    device: Ints
    page: Ints
    at: Ints
    agrees: Bools

    def __len__(self) -> int:
        return len(self.form)


def submissions(world: World, day: int) -> Submissions:
    """What is submitted on a day, sorted by time."""
    timeline = world.timeline
    form, person, moment = [], [], []

    def add(number: Ints | int, who: Ints, when: Floats) -> None:
        form.append(np.broadcast_to(np.asarray(number, dtype=np.int64), who.shape))
        person.append(who)
        moment.append(when)

    letter = on_day(timeline.newsletter, day)
    letter = letter[subscribes_by_form(letter)]
    add(np.where(timeline.promotion[letter] < day + 1, LETTER_AND_OFFERS, LETTER), letter, timeline.newsletter[letter])
    asks = on_day(timeline.lead, day)
    add(np.where(lot(asks, 2) < 60, CONTACT, DEMO), asks, timeline.lead[asks])
    reads = on_day(timeline.downloaded, day)
    add(DOWNLOAD, reads, timeline.downloaded[reads])
    member = on_day(timeline.bound, day)
    member = member[lot(member, 3) < 70]
    add(MEMBER, member, timeline.bound[member])
    for later in webinars.upcoming(day):
        found = webinars.registrations(world, later)
        here = found.by_form & (np.floor(found.registered) == day)
        add(WEBINAR, found.person[here], found.registered[here])
    rng = world.rng(Stream.FORMS, day)
    junk = int(rng.poisson(0.0004 * len(world.people)))
    add(below(rng, junk, len(FORMS)), np.full(junk, -1), day + rng.random(junk))
    return _sorted(world, np.concatenate(form), np.concatenate(person), np.concatenate(moment))


def subscribes_by_form(person: Ints) -> Bools:
    """Whether they subscribe to the letter by form; the others do so elsewhere, which only the consent records tell."""
    return lot(person, 1) < 60


def _sorted(world: World, form: Ints, person: Ints, moment: Floats) -> Submissions:
    order = np.argsort(moment, kind="stable")
    form, person, at = form[order], person[order], world.milliseconds(moment[order])
    devices = world.devices
    own = devices.first[person] + lot(person, 4) % devices.count[person]
    first = np.array([FIRST[entry.page] for entry in FORMS], dtype=np.int64)[form]
    count = np.array([COUNT[entry.page] for entry in FORMS], dtype=np.int64)[form]
    return Submissions(
        form=form,
        person=person,
        device=np.where(person < 0, devices.scrapers[0], own),
        page=first + lot(person, 5) % count,
        at=at,
        agrees=lot(person, 6) < _AGREES[form],
    )


_FORM_ID = pl.Series([form.form_id for form in FORMS])
_CONSENT = pl.Series([f',"purposes":{encoded(f.purposes)},"channels":{encoded(f.channels)},"wording":{encoded(f.wording)}' for f in FORMS])
_URL = pl.Series([SITE + page.path for page in PAGES])
_UTM = pl.Series([encoded({"source": e.source, "medium": e.medium, "campaign": e.campaign}) if e.source else "{}" for e in ENTRIES])


def form_lines(world: World, day: int) -> pl.Series:
    """The day's submissions as they come from the form service."""
    found = submissions(world, day)
    rng = world.rng(Stream.FORMS, day, 1)
    size = len(found)
    abroad = (~world.people.chinese[found.person]).astype(np.int64)
    entry = pick_rows(rng, abroad, WEIGHTS)
    return line(
        '{"submission_id":"',
        uuids(rng, size),
        '"',
        text("form_id", take(_FORM_ID, found.form)),
        text("page_url", take(_URL, found.page)),
        text("submitted_at", iso(found.at)),
        text("anonymous_id", take(world.devices.cookie, found.device)),
        raw("fields", _fields(world, found, rng)),
        raw(
            "consent",
            joined('{"granted":', take(pl.Series(["false", "true"]), found.agrees.astype(np.int64)), take(_CONSENT, found.form), "}"),
        ),
        raw("utm", take(_UTM, entry)),
        "}\n",
    )


def _fields(world: World, found: Submissions, rng: np.random.Generator) -> pl.Series:
    people, person, size = world.people, found.person, len(found)
    real, asks = person >= 0, (found.form == CONTACT) | (found.form == DEMO)
    member, letter = found.form == MEMBER, found.form <= LETTER_AND_OFFERS
    junk_email, junk_phone = (pl.Series([value], dtype=pl.String).new_from_index(0, size) for value in (_JUNK_EMAIL, _JUNK_PHONE))
    email = written_email(take(people.email, person), np.where(lot(person, 7) < 88, 0, lot(person, 8) % 3))
    phone = written_phone(take(people.phone, person), np.where(lot(person, 9) < 40, 0, lot(person, 10) % PHONE_STYLES))
    business = (people.company[person] >= 0) & real & ~letter
    title = take(TITLE_NAMES, people.title[person] * 2 + ~people.chinese[person])
    message = pick_rows(rng, (~people.chinese[person]).astype(np.int64), _MESSAGE_WEIGHTS)
    columns = (
        text("email", where(~member & real, email).zip_with(pl.Series(real), junk_email)),
        text("phone", where((asks | member) & real, phone).zip_with(pl.Series(real), junk_phone)),
        text("first_name", where(real & ~letter, take(people.first_name, person))),
        text("last_name", where(real & ~letter, take(people.last_name, person))),
        text("company", where(business, take(world.companies.name, np.maximum(people.company[person], 0)))),
        text("title", where(business, title)),
        text("message", where(asks & real, take(pl.Series(_MESSAGES), message))),
        text("wechat_openid", where(member & real, take(people.openid, person))),
    )
    inside = line("", *columns)
    return joined("{", inside.str.slice(1), "}")


_MESSAGE_WEIGHTS = np.array([[5, 4, 4, 4, 0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0, 5, 4, 4, 0.5]])
