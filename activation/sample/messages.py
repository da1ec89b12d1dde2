"""Web messages in the Segment spec, as columns: what every kind has in common, and the envelope around it.

A group of messages is a frame with one row each. `seal` gives them identifiers and times, lets some come late and some twice, and
writes them as lines in the order of arrival.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from activation.sample.campaigns import ENTRIES
from activation.sample.draws import Ints, Stream, below, some
from activation.sample.pages import KINDS, PAGES, SITE
from activation.sample.text import DAY_MS, encoded, iso, joined, line, raw, take, text, uuids
from activation.sample.world import World

_LATE = 0.006
_TWICE = 0.005
_LATEST_DAYS = 5

_URLS = pl.Series([SITE + page.path for page in PAGES])
_PATHS = pl.Series([page.path for page in PAGES])
_SEARCHES = pl.Series([page.search or None for page in PAGES], dtype=pl.String)
_TITLES = pl.Series([title for page in PAGES for title in (page.chinese, page.english)])
_REFERRERS = pl.concat([joined(_URLS, _SEARCHES.fill_null("")), pl.Series([entry.referrer for entry in ENTRIES] + [None], dtype=pl.String)])


def _query(source: str, medium: str, campaign: str, term: str | None) -> str:
    return f"?utm_source={source}&utm_medium={medium}&utm_campaign={campaign}" + (f"&utm_term={term.replace(' ', '+')}" if term else "")


_PAGE_HEADS = pl.Series([f',"type":"page","name":"{KINDS[page.kind]}","properties":' for page in PAGES])
# By entry; behind the last one stands null, for pages that are not the first of a visit.
NO_ENTRY = len(ENTRIES)
_QUERIES = pl.Series(
    [_query(e.source, e.medium or "", e.campaign or "", e.term) if e.source else None for e in ENTRIES] + [None], dtype=pl.String
)
_CAMPAIGNS = pl.Series(
    [
        encoded({"source": e.source, "medium": e.medium, "name": e.campaign} | ({"term": e.term} if e.term else {})) if e.source else None
        for e in ENTRIES
    ]
    + [None],
    dtype=pl.String,
)


def from_page(page: Ints) -> Ints:
    """The referrer that is another page of the site."""
    return page


def from_entry(entry: Ints) -> Ints:
    """The referrer by which a visit came, `NO_ENTRY` for none."""
    return len(PAGES) + entry


@dataclass(frozen=True)
class Shown:
    """What the browser says about pages, as JSON: among a page message's properties, and in the context of every message."""

    properties: pl.Series
    context: pl.Series

    def __getitem__(self, rows: Ints) -> pl.Series:
        return take(self.context, rows)


def shown_pages(page: Ints, foreign: Ints, referrer: Ints, entry: Ints) -> Shown:
    """The pages as the browser shows them; `entry` is `NO_ENTRY` but for the first page of a visit."""
    query = take(_QUERIES, entry)
    search = query.zip_with(query.is_not_null(), take(_SEARCHES, page))
    common = line(
        '{"url":"',
        take(_URLS, page),
        search,
        '"',
        text("path", take(_PATHS, page)),
        text("title", take(_TITLES, page * 2 + foreign)),
        text("referrer", take(_REFERRERS, referrer)),
    )
    return Shown(joined(common, "}"), line(common, text("search", search), "}"))


def page_views(world: World, person: Ints, page: Ints, at: Ints, device: Ints) -> pl.DataFrame:
    """Page messages of pages that were opened straight; the language is that of the person."""
    none = np.full(len(page), NO_ENTRY)
    shown = shown_pages(page, (~world.people.chinese[person]).astype(np.int64), from_entry(none), none)
    return messages(at, device, page_bodies(page, shown), page=shown.context)


def page_bodies(page: Ints, shown: Shown) -> pl.Series:
    """The bodies of page messages."""
    return joined(take(_PAGE_HEADS, page), shown.properties)


def messages(
    at: Ints,
    device: Ints,
    body: pl.Series,
    user: pl.Series | None = None,
    page: pl.Series | None = None,
    entry: Ints | None = None,
) -> pl.DataFrame:
    """A group of messages; `at` is in Unix milliseconds, `body` the members that are this kind's own, from `"type"` on."""
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(at))
    return pl.DataFrame(
        {
            "at": at.astype(np.int64),
            "device": device.astype(np.int64),
            "body": body,
            "user": nothing if user is None else user,
            "page": nothing if page is None else page,
            "campaign": nothing if entry is None else take(_CAMPAIGNS, entry),
        }
    )


def seal(world: World, day: int, part: int, group: pl.DataFrame) -> pl.Series:
    """The group's lines as the collector received them on that day, each with its newline."""
    rng = world.rng(Stream.ENVELOPE, day, part)
    size = len(group)
    identifiers = uuids(rng, size)
    at = group["at"].to_numpy()
    travelled = 30 + rng.exponential(160.0, size).astype(np.int64)
    queued = below(rng, size, 40)
    late = np.where(some(rng, size, _LATE), (1 + below(rng, size, _LATEST_DAYS)) * DAY_MS - below(rng, size, DAY_MS // 2), 0)
    again = np.flatnonzero(some(rng, size, _TWICE))
    row = np.concatenate([np.arange(size, dtype=np.int64), again])
    sent = (at + queued)[row]
    sent[size:] += 500 + below(rng, len(again), 60_000)
    received = np.minimum(sent + travelled[row], world.midnight(day + 1) - 1)
    order = np.argsort(received, kind="stable")
    row, sent, received = row[order], sent[order], received[order]
    device = group["device"].to_numpy()[row]
    return line(
        '{"messageId":"',
        take(identifiers, row),
        '"',
        text("anonymousId", take(world.devices.cookie, device)),
        text("userId", take(group["user"], row)),
        take(group["body"], row),
        ',"context":{',
        take(world.devices.context, device),
        text("ip", take(world.devices.address, device)),
        raw("page", take(group["page"], row)),
        raw("campaign", take(group["campaign"], row)),
        "}",
        text("timestamp", iso((at - late)[row])),
        text("sentAt", iso(sent)),
        text("receivedAt", iso(received)),
        "}\n",
    )
