"""SMS receipts as Aliyun posts them: of offers to those who agreed, and of notices about orders."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from activation.sample.draws import Ints, Stream, below, pick, some
from activation.sample.orders import sold
from activation.sample.text import DAY_MS, china_time, digits, joined, line, members, take, text
from activation.sample.world import World

_EVERY = 14
_OFFER_DAY = 9
# Half past eleven in China.
_SENT_AT = 3.5 / 24
_TWICE = 0.006
# What comes back of a number that works, with the weight of each; the last is what comes back of one that does not.
_OUTCOMES = (
    ({"success": True, "err_code": "DELIVERED", "err_msg": "用户接收成功"}, 96.0),
    ({"success": False, "err_code": "MOBILE_IN_BLACK", "err_msg": "手机号在黑名单"}, 1.2),
    ({"success": False, "err_code": "MOBILE_SEND_LIMIT", "err_msg": "单个号码日或月发送上限"}, 1.0),
    ({"success": False, "err_code": "MOBILE_ACCOUNT_ABNORMAL", "err_msg": "用户账户异常"}, 1.0),
    ({"success": False, "err_code": "MOBILE_NOT_ON_SERVICE", "err_msg": "停机、空号、暂停服务、关机、不在服务区"}, 0.0),
)
_BODIES = pl.Series(["," + members(outcome) for outcome, _ in _OUTCOMES])


def sms_lines(world: World, day: int) -> pl.Series:
    """The receipts of one day, a few of them twice."""
    lines = pl.concat([*_offer(world, day), *_notices(world, day)]) if _sends(day) else pl.concat([*_notices(world, day)])
    again = some(world.rng(Stream.SMS, day, 1), len(lines), _TWICE)
    return take(lines, np.repeat(np.arange(len(lines)), 1 + again))


def _sends(day: int) -> bool:
    return day % _EVERY == _OFFER_DAY


def _offer(world: World, day: int) -> Iterator[pl.Series]:
    timeline, now = world.timeline, day + _SENT_AT
    person = np.flatnonzero((timeline.texts < now) & (timeline.left_texts > now) & world.people.chinese)
    sent = world.midnight(day) + int(_SENT_AT * DAY_MS) + np.arange(len(person)) // 50 * 1000
    name = pl.Series([f"member-day-{world.date(day)}"]).new_from_index(0, len(person))
    yield _receipts(world, person, sent, name, "2", world.rng(Stream.SMS, day))


def _notices(world: World, day: int) -> Iterator[pl.Series]:
    for part in world.parts:
        bought = sold(world, day, part)
        reached = np.flatnonzero(
            bought.gives_phone & world.people.chinese[bought.person] & world.people.phone.is_not_null().to_numpy()[bought.person]
        )
        order = take(bought.order_id, reached)
        yield _receipts(world, bought.person[reached], bought.ordered[reached] + 5_000, order, "1", world.rng(Stream.ORDER_SMS, day, part))


def _receipts(world: World, person: Ints, sent: Ints, out_id: pl.Series, size: str, rng: np.random.Generator) -> pl.Series:
    count = len(person)
    outcome = np.where(world.timeline.number_gone[person], len(_OUTCOMES) - 1, pick(rng, count, [weight for _, weight in _OUTCOMES]))
    reported = sent + 2_000 + rng.exponential(9_000.0, count).astype(np.int64)
    return line(
        # The vendor writes Chinese numbers without the country.
        '{"phone_number":"',
        take(world.people.phone, person).str.slice(3),
        '"',
        text("send_time", china_time(sent)),
        text("report_time", china_time(reported)),
        take(_BODIES, outcome),
        f',"sms_size":"{size}"',
        text("biz_id", joined(digits(below(rng, count, 1e9), 9), digits(below(rng, count, 1e9), 9), "^0")),
        text("out_id", out_id),
        "}\n",
    )
