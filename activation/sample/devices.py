"""Devices: the browsers in which people are seen, each with its cookie; some belong to nobody or to everybody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from activation.sample.draws import Ints, Stream, below, generator, pick, pick_rows
from activation.sample.people import People
from activation.sample.places import PLACES
from activation.sample.text import encoded, joined, number, take, uuids

# Four desktops, two phones, the chat's own browser on two phones.
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60 Language/zh_CN",
    "Mozilla/5.0 (Linux; Android 15; SM-S9280) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.60",
)
CRAWLERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "python-requests/2.32.5",
)
# Behind the people's devices: two tablets in showrooms, the crawlers, and one that claims to be a browser.
KIOSKS = 2
SCRAPERS = 1
_LIBRARY = '"library":{"name":"analytics.js","version":"4.2.1"}'


@dataclass(frozen=True, eq=False)
class Devices:
    """One entry for each device, those of one person side by side. `person` is -1 where nobody owns it."""

    person: Ints
    first: Ints
    count: Ints
    cookie: pl.Series
    context: pl.Series
    address: pl.Series
    kiosks: Ints
    crawlers: Ints
    scrapers: Ints


def hand_out_devices(seed: int, people: People) -> Devices:
    """One to three devices each, the first used most."""
    rng = generator(seed, Stream.DEVICES)
    size = len(people)
    count = 1 + pick(rng, size, [0.52, 0.33, 0.15])
    first = np.cumsum(count) - count
    person = np.repeat(np.arange(size, dtype=np.int64), count)
    nth = np.arange(len(person)) - first[person]
    agent = pick_rows(rng, people.chinese[person] * 3 + np.minimum(nth, 2), _AGENT_WEIGHTS)
    odd = KIOSKS + len(CRAWLERS) + SCRAPERS
    kind = np.concatenate([agent, np.full(KIOSKS, 5), len(AGENTS) + np.arange(len(CRAWLERS)), np.zeros(SCRAPERS, dtype=np.int64)])
    place = np.concatenate([people.place[person], np.zeros(odd, dtype=np.int64)])
    # 198.18.0.0/15 is reserved for measurements: it belongs to nobody.
    host = below(rng, len(kind), 2 * 65_536)
    bots = len(person) + KIOSKS + np.arange(len(CRAWLERS) + SCRAPERS)
    return Devices(
        person=np.concatenate([person, np.full(odd, -1)]),
        first=first,
        count=count,
        cookie=uuids(rng, len(kind)),
        context=take(_CONTEXTS, kind * len(PLACES) + place),
        address=joined("198.", number(18 + host // 65_536), ".", number(host // 256 % 256), ".", number(host % 256)),
        kiosks=len(person) + np.arange(KIOSKS),
        crawlers=bots[: len(CRAWLERS)],
        scrapers=bots[len(CRAWLERS) :],
    )


# Abroad, then in China; each for the first, second and third device.
_AGENT_WEIGHTS = np.array(
    [
        [30, 12, 22, 6, 20, 10, 0, 0],
        [12, 5, 10, 2, 40, 31, 0, 0],
        [20, 10, 20, 5, 25, 20, 0, 0],
        [34, 10, 9, 1, 10, 10, 12, 14],
        [8, 3, 5, 1, 13, 16, 26, 28],
        [14, 6, 8, 1, 14, 17, 20, 20],
    ],
    dtype=np.float64,
)
_CONTEXTS = pl.Series(
    [
        f'"userAgent":{encoded(agent)},"locale":"{place.locale}","timezone":"{place.time_zone}",{_LIBRARY}'
        for agent in AGENTS + CRAWLERS
        for place in PLACES
    ]
)
