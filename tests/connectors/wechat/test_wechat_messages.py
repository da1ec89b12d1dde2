"""Everything but template messages that an Official Account says, and the tokens its processes share, against wechatpy and the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from wechat_account import FANS, SAYS, STRANGER, TEMPLATE, Account, notice, row

from connectors.base import Outcome
from connectors.wechat._fields import fault

# -- subscription notices -----------------------------------------------------------------------------------------------


async def test_a_subscription_notice_is_what_wechatpy_would_send(account: Account) -> None:
    said = notice().fields
    (outcome,) = await account.deliver("subscription_notices", notice())
    await account.sdk(lambda sdk: sdk.message.send_subscribe_message(said["openid"], TEMPLATE, said["data"], page=said["page"]))
    ours, theirs = account.kept("notice")
    assert outcome == Outcome("sent")
    assert ours == {name: value for name, value in theirs.items() if value is not None}


async def test_who_refused_notices_gets_none_and_the_sentence_says_what_that_means(account: Account) -> None:
    (outcome,) = await account.deliver("subscription_notices", notice(openid=STRANGER))
    assert (outcome.status, outcome.code) == ("rejected", "43101")
    assert "used up" in outcome.reason


# -- fields -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("thing1", "二十个字二十个字二十个字二十个字二十个字"),
        ("thing12", "🎉" * 20),
        ("character_string1", "A-2026#11/26_" + "x" * 19),
        ("number2", "-12.50"),
        ("letter1", "ABC"),
        ("symbol1", "!?…"),
        ("amount3", "¥1234567890"),
        ("amount1", "128.50元"),
        ("phone_number1", "+86-0766-66888866"),
        ("car_number1", "粤A8Z888挂"),
        ("name1", "王小明"),
        ("name1", "Maximilian Mustermann"[:20]),
        ("phrase1", "配送中"),
        ("time1", "2026年11月26日 15:01"),
        ("date1", "2026-11-26"),
        ("enum_string1", "whatever the template lists"),
        ("first", "您好，\n您的订单已发货"),  # templates of the older kind have no kinds
        ("keyword1", "x" * 300),
    ],
)
def test_values_within_their_limits_are_taken(name: str, value: str) -> None:
    assert fault(name, value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("thing1", "x" * 21),
        ("thing1", ""),
        ("thing1", "  "),
        ("thing1", "two\nlines"),
        ("character_string1", "订单"),
        ("character_string1", "x" * 33),
        ("number1", "12a"),
        ("number1", "1" * 33),
        ("letter1", "A1"),
        ("symbol1", "!?!?!?"),
        ("amount1", "¥12345678901"),
        ("amount1", "很多"),
        ("phone_number1", "1" * 18),
        ("car_number1", "粤A8Z888挂车"),
        ("name1", "一二三四五六七八九十一"),
        ("name1", "x" * 21),
        ("phrase1", "正在配送之中"),
        ("phrase1", "ok"),
    ],
)
def test_values_beyond_their_limits_are_named_and_not_quoted(name: str, value: str) -> None:
    said = fault(name, value)
    assert said is not None
    assert f"`{name}`" in said
    assert not value.strip() or len(value) < 3 or value not in said


async def test_a_field_beyond_its_limit_is_rejected_before_any_call(account: Account) -> None:
    wrong = notice(data={"thing1": {"value": "x" * 21}, "phrase2": {"value": "ok"}, "time3": {"value": None}})
    for kind in ("subscription_notices", "template_messages"):
        (outcome,) = await account.deliver(kind, wrong)
        assert (outcome.status, outcome.code) == ("rejected", "FIELD_LIMIT")
        assert all(name in outcome.reason for name in ("thing1", "phrase2", "time3"))
    assert account.asked == []


# -- customer service ---------------------------------------------------------------------------------------------------


async def test_a_service_message_is_what_wechatpy_would_send(account: Account) -> None:
    assert await account.deliver("service_messages", row(**SAYS)) == [Outcome("sent")]
    await account.deliver("service_messages", row(msgtype="image", image={"media_id": "M"}))
    await account.sdk(lambda sdk: (sdk.message.send_text(FANS[0], SAYS["text"]), sdk.message.send_image(FANS[0], "M")))
    ours, image, *theirs = account.kept("service")
    assert [ours, image] == theirs


@pytest.mark.parametrize(("by", "ago"), [("message", timedelta(hours=48, seconds=1)), ("event", timedelta(minutes=1, seconds=1))])
async def test_outside_its_window_a_service_message_is_rejected_and_later_sent(account: Account, by: str, ago: timedelta) -> None:
    account.speech.opens(FANS[0], by, datetime.now(UTC) - ago)
    (outcome,) = await account.deliver("service_messages", row(**SAYS))
    assert (outcome.status, outcome.code) == ("rejected", "45015")
    assert "48 hours" in outcome.reason
    assert "1 minute" in outcome.reason
    account.speech.opens(FANS[0], "message", datetime.now(UTC))
    assert await account.deliver("service_messages", row(**SAYS)) == [Outcome("sent")]


@pytest.mark.parametrize(("by", "takes"), [("message", 5), ("event", 3)])
async def test_a_window_takes_so_many_messages_and_no_more(account: Account, by: str, takes: int) -> None:
    account.speech.opens(FANS[0], by, datetime.now(UTC) + timedelta(hours=1))
    outcomes = [(await account.deliver("service_messages", row(**SAYS)))[0] for _ in range(takes + 1)]
    assert [outcome.status for outcome in outcomes] == [*["sent"] * takes, "rejected"]
    assert (outcomes[-1].code, "takes no more" in outcomes[-1].reason) == ("45047", True)


@pytest.mark.parametrize("kind", ["service_messages", "mass_messages", "mass_to_tags"])
@pytest.mark.parametrize("fields", [{}, {"text": ""}, {"text": None}, {"msgtype": "image"}, {"msgtype": "image", "image": "M"}])
async def test_a_row_that_says_nothing_is_rejected_before_any_call(account: Account, kind: str, fields: dict[str, Any]) -> None:
    outcomes = await account.deliver(kind, row(0, tag="星标组", **fields), row(1, tag="星标组", **fields))
    assert {(outcome.status, outcome.code) for outcome in outcomes} == {("rejected", "NO_CONTENT")}
    assert account.asked == []
