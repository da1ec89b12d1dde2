"""Consent records: what was agreed to and withdrawn elsewhere than on our forms.

The first day's file also brings all that was recorded before: who had agreed, and who had taken it back.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from activation.sample.draws import Bools, Floats, Ints, Stream, lot
from activation.sample.forms import subscribes_by_form
from activation.sample.mail import last_mailed
from activation.sample.text import encoded, iso, joined, line, take, text, uuids
from activation.sample.world import World

_WORDING = {
    "newsletter": "我同意接收清禾周刊",
    "promotion": "我同意接收优惠信息",
    "sales_contact": "我同意销售人员与我联系",
    "order_update": "我同意接收订单通知",
    "all": "",
}


_NONE = pl.DataFrame(schema={"at": pl.Int64, "body": pl.String})


def consent_lines(world: World, day: int) -> pl.Series:
    """The records of one day in order of time."""
    records = pl.concat([*_mail(world, day), *_texts(world, day), *_wechat(world, day), *_sales(world, day), *_accounts(world, day)])
    order = np.argsort(records["at"].to_numpy(), kind="stable")
    records = records[order]
    identifiers = uuids(world.rng(Stream.CONSENTS, day), len(records))
    return joined('{"consent_id":"', identifiers, '"', records["body"], "\n")


def _due(moments: Floats, day: int) -> Bools:
    """Whether the moment is recorded with this day: it falls on it, or before the first day."""
    return (moments < day + 1) & ((moments >= day) | (day == 0))


def _records(
    world: World,
    person: Ints,
    moments: Floats,
    identifiers: tuple[str, pl.Series],
    grant: tuple[str, str, str],
    source: pl.Series | str,
    confirmed: bool = False,
) -> pl.DataFrame:
    """Records as columns; `identifiers` is their type and the table by person, `grant` is channel, purpose and status."""
    if len(person) == 0:
        return _NONE
    kind, table = identifiers
    channel, purpose, status = grant
    at = world.milliseconds(moments[person])
    wording = _WORDING[purpose] if status == "granted" else ""
    sources = pl.Series([source]).new_from_index(0, len(person)) if isinstance(source, str) else source
    body = line(
        f',"identifier_type":"{kind}"',
        text("identifier", take(table, person)),
        f',"channel":"{channel}","purpose":"{purpose}","status":"{status}"',
        text("source", sources),
        f',"wording":{encoded(wording)},"double_opt_in":{encoded(confirmed)}',
        text("occurred_at", iso(at)),
        "}",
    )
    return pl.DataFrame({"at": at, "body": body})


def _mail(world: World, day: int) -> Iterator[pl.DataFrame]:
    timeline, by_email = world.timeline, ("email", world.people.email)
    began = _due(timeline.newsletter, day)
    by_form = subscribes_by_form(np.arange(len(world.people))) & (timeline.newsletter >= 0)
    confirms = np.flatnonzero(began & by_form & (lot(np.arange(len(world.people)), 90) < 70))
    minutes_later = timeline.newsletter + 10 / 1440
    yield _records(world, confirms, minutes_later, by_email, ("email", "newsletter", "granted"), "double_opt_in", confirmed=True)
    for purpose, moments in (("newsletter", timeline.newsletter), ("promotion", timeline.promotion)):
        person = np.flatnonzero(began & ~by_form & np.isfinite(moments))
        source = take(pl.Series(["checkout", "preference_centre", "fair"]), lot(person, 91) % 3)
        yield _records(world, person, moments, by_email, ("email", purpose, "granted"), source)
    # Those who leave by a mail's own link are told by its events, unless that was before the first day.
    past = timeline.left_by_mail & (timeline.left_mail < last_mailed(world, 0))
    told = _due(timeline.left_mail, day) & np.where(timeline.left_by_mail, past, True)
    everything = lot(np.arange(len(world.people)), 92) < 30
    leaves = (("all", told & everything), ("newsletter", told & ~everything))
    for purpose, leaving in (*leaves, ("promotion", told & ~everything & np.isfinite(timeline.promotion))):
        person = np.flatnonzero(leaving)
        source = take(pl.Series(["preference_centre", "unsubscribe_link"]), timeline.left_by_mail[person].astype(np.int64))
        yield _records(world, person, timeline.left_mail, by_email, ("email", purpose, "withdrawn"), source)


def _texts(world: World, day: int) -> Iterator[pl.DataFrame]:
    timeline, by_phone = world.timeline, ("phone", world.people.phone)
    person = np.flatnonzero(_due(timeline.texts, day))
    source = take(pl.Series(["checkout", "store"]), lot(person, 93) % 2)
    yield _records(world, person, timeline.texts, by_phone, ("sms", "promotion", "granted"), source)
    person = np.flatnonzero(_due(timeline.left_texts, day))
    yield _records(world, person, timeline.left_texts, by_phone, ("sms", "promotion", "withdrawn"), "sms_reply")


def _wechat(world: World, day: int) -> Iterator[pl.DataFrame]:
    timeline, by_openid = world.timeline, ("wechat_openid", world.people.openid)
    person = np.flatnonzero(_due(timeline.followed, day))
    person = person[lot(person, 94) < 75]
    yield _records(world, person, timeline.followed, by_openid, ("wechat", "newsletter", "granted"), "wechat_follow")
    person = person[lot(person, 95) < 60]
    yield _records(world, person, timeline.followed, by_openid, ("wechat", "promotion", "granted"), "wechat_follow")
    # An unfollow comes as a callback; only those from before the first day are known from here alone.
    person = np.flatnonzero(_due(timeline.unfollowed, day) & (timeline.unfollowed < 0))
    yield _records(world, person, timeline.unfollowed, by_openid, ("wechat", "all", "withdrawn"), "wechat_unfollow")


def _sales(world: World, day: int) -> Iterator[pl.DataFrame]:
    timeline, by_email = world.timeline, ("email", world.people.email)
    person = np.flatnonzero(_due(timeline.lead, day) & (timeline.lead < 0))
    yield _records(world, person, timeline.lead, by_email, ("crm", "sales_contact", "granted"), "import")
    person = np.flatnonzero(_due(timeline.objected, day))
    yield _records(world, person, timeline.objected, by_email, ("all", "sales_contact", "withdrawn"), "sales_call")


def _accounts(world: World, day: int) -> Iterator[pl.DataFrame]:
    person = np.flatnonzero(_due(world.timeline.signed_up, day))
    yield _records(
        world, person, world.timeline.signed_up, ("user_id", world.people.user_id), ("email", "order_update", "granted"), "terms"
    )
