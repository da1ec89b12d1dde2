"""Callbacks of a WeChat Official Account: follows by QR code, menus, messages, scans, unfollows, template messages sent."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from activation.sample.draws import Ints, Stream, below, lot, pick, some
from activation.sample.orders import sold
from activation.sample.pages import SITE
from activation.sample.text import digits, iso, joined, line, number, take, text, tokens, where
from activation.sample.world import World, on_day

APPID = "wx5f1e2d3c4b5a6978"
ACCOUNT = "gh_5f1e2d3c4b5a"
_TWICE = 0.005
SCENES = pl.Series(["store_shanghai", "store_hangzhou", "store_shenzhen", "sales_01", "sales_02", "sales_03", "expo", "package_insert"])
_MENUS = pl.Series(["MENU_NEW_ARRIVALS", "MENU_DRESSES", "MENU_COFFEE", "MENU_OFFICE", "MENU_MEMBER", "MENU_SERVICE"])
_VIEWS = pl.Series([f"{SITE}{path}" for path in ("/", "/c/dresses", "/c/coffee", "/pricing", "/business/office-fitout", "/member-card")])
_TEXTS = pl.Series(
    [
        "咖啡机多少钱？",
        "有白色连衣裙吗",
        "企业采购怎么联系销售",
        "办公室装修方案能发一份吗",
        "发票怎么开",
        "你好",
        "什么时候有活动",
        "订单什么时候发货",
    ]
)


def wechat_lines(world: World, day: int) -> pl.Series:
    """The callbacks of one day in order of time, a few of them twice, as the platform repeats what was not answered in time."""
    rng = world.rng(Stream.WECHAT, day)
    events = pl.concat([_follows(world, day, rng), _unfollows(world, day), *_actions(world, day, rng), *_templates(world, day, rng)])
    order = np.argsort(events["at"].to_numpy(), kind="stable")
    order = np.repeat(order, 1 + some(rng, len(order), _TWICE))
    return _lines(world, day, events[order], rng)


def _frame(at: Ints, person: Ints, kind: str, key: pl.Series | None = None, **elements: pl.Series) -> pl.DataFrame:
    """Callbacks as columns; `kind` is the event, empty for a message."""
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(at))
    names = ("Ticket", "Content", "MsgId", "MsgID", "Status")
    event = pl.Series([kind or None], dtype=pl.String).new_from_index(0, len(at))
    columns = {"EventKey": nothing if key is None else key} | {name: elements.get(name, nothing) for name in names}
    return pl.DataFrame({"at": at, "person": person, "Event": event, **columns})


def _follows(world: World, day: int, rng: np.random.Generator) -> pl.DataFrame:
    person = on_day(world.timeline.followed, day)
    by_code = lot(person, 50) < 72
    nothing = pl.Series([""]).new_from_index(0, len(person))
    scene = joined("qrscene_", take(SCENES, lot(person, 51) % len(SCENES)))
    ticket = where(by_code, tokens(rng, len(person), 84))
    return _frame(
        world.milliseconds(world.timeline.followed[person]),
        person,
        "subscribe",
        scene.zip_with(pl.Series(by_code), nothing),
        Ticket=ticket,
    )


def _unfollows(world: World, day: int) -> pl.DataFrame:
    person = on_day(world.timeline.unfollowed, day)
    nothing = pl.Series([""]).new_from_index(0, len(person))
    return _frame(world.milliseconds(world.timeline.unfollowed[person]), person, "unsubscribe", nothing)


def _actions(world: World, day: int, rng: np.random.Generator) -> Iterator[pl.DataFrame]:
    people, timeline = world.people, world.timeline
    follower = np.flatnonzero((timeline.followed < day) & (timeline.unfollowed > day + 1))
    count = rng.poisson(0.12 * (0.3 + 1.4 * people.warmth[follower]))
    person = np.repeat(follower, count)
    # From eight in the morning to midnight, China time.
    at = world.midnight(day) + below(rng, len(person), 16 * 3_600_000)
    kind = pick(rng, len(person), [50, 24, 16, 10])
    for number_of_kind, (event, table) in enumerate((("CLICK", _MENUS), ("VIEW", _VIEWS), ("", _TEXTS), ("SCAN", SCENES))):
        here = np.flatnonzero(kind == number_of_kind)
        value = take(table, below(rng, len(here), len(table)))
        if event:
            ticket = tokens(rng, len(here), 84) if event == "SCAN" else None
            yield _frame(at[here], person[here], event, value, **({"Ticket": ticket} if ticket is not None else {}))
        else:
            identifier = joined("2", digits(below(rng, len(here), 1e15), 16))
            yield _frame(at[here], person[here], "", Content=value, MsgId=identifier)


def _templates(world: World, day: int, rng: np.random.Generator) -> Iterator[pl.DataFrame]:
    """What became of the notices about orders, sent to followers who gave their number."""
    timeline = world.timeline
    for part in world.parts:
        bought = sold(world, day, part)
        told = np.flatnonzero((timeline.bound[bought.person] < day) & (timeline.unfollowed[bought.person] > day + 1))
        status = take(pl.Series(["success", "failed:user block", "failed: system failed"]), pick(rng, len(told), [95, 4, 1]))
        identifier = joined("3", digits(below(rng, len(told), 1e15), 15))
        yield _frame(bought.ordered[told] + 2_000, bought.person[told], "TEMPLATESENDJOBFINISH", MsgID=identifier, Status=status)


def _lines(world: World, day: int, events: pl.DataFrame, rng: np.random.Generator) -> pl.Series:
    people, at, person = world.people, events["at"].to_numpy(), events["person"].to_numpy()
    received = np.minimum(at + 50 + below(rng, len(at), 1_500), world.midnight(day + 1) - 1)
    openid, seconds = take(people.openid, person), number(at // 1000)
    is_event = events["Event"].is_not_null()
    kind = pl.Series(["event"]).new_from_index(0, len(events)).zip_with(is_event, pl.Series(["text"]).new_from_index(0, len(events)))
    named = {"MsgType": kind} | {name: events[name] for name in ("Event", "EventKey", "Ticket", "Content", "MsgId", "MsgID", "Status")}
    document = line(
        f"<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName><FromUserName><![CDATA[",
        openid,
        "]]></FromUserName><CreateTime>",
        seconds,
        "</CreateTime>",
        *(joined(f"<{name}><![CDATA[", value, f"]]></{name}>") for name, value in named.items()),
        "</xml>",
    )
    return line(
        f'{{"appid":"{APPID}"',
        text("received_at", iso(received)),
        f',"ToUserName":"{ACCOUNT}"',
        text("FromUserName", openid),
        text("CreateTime", seconds),
        *(text(name, value) for name, value in named.items()),
        text("UnionID", take(people.unionid, person)),
        text("xml", document),
        "}\n",
    )
