"""Text messages are looked at before they go out: what a person is told about them, and what is no business of theirs."""

from __future__ import annotations

from typing import Any

import pytest

import connectors
from activation.engine import sms_lint
from activation.engine.content_specs import SmsContent
from activation.engine.policies import Policies, Purposes, QuietHours, QuietWindow

NIGHT = QuietWindow.model_validate({"from": "21:00", "to": "09:00"})
SOUND: dict[str, Any] = {
    "sign_name": "云闸科技",
    "template_code": "SMS_1",
    "params": {"name": "{{ first_name }}"},
    "wording": "${name}好，秋季礼遇已开启。拒收请回复R",
}


def policies(window: QuietWindow | None = NIGHT) -> Policies:
    purposes = Purposes.model_validate({"purposes": {"offer": {"basis": "consent"}, "notice": {"basis": "transactional"}}})
    quiet = QuietHours(channels={"sms": window} if window else {})
    return Policies.of({"purposes": purposes, "quiet_hours": quiet})


def advice(purpose: str = "offer", window: QuietWindow | None = NIGHT, **content: Any) -> list[str]:
    return list(sms_lint.advice("hello", SmsContent(**(SOUND | content)), purpose, policies(window)))


def test_a_message_that_is_as_it_should_be_is_not_talked_about() -> None:
    assert advice() == []


@pytest.mark.parametrize(
    "wording",
    ["退订回T", "拒收请回复R", "回T退订", "回复TD退订", "Reply STOP to opt out", "To unsubscribe, text N"],
)
def test_whoever_says_how_to_opt_out_has_said_it(wording: str) -> None:
    assert advice(wording="${name}" + wording) == []


def test_marketing_says_how_to_opt_out_and_a_notice_need_not() -> None:
    (said,) = advice(wording="${name}好，不要停")
    assert "does not say how to opt out" in said
    assert advice("notice", wording="${name}好") == []


@pytest.mark.parametrize(
    ("start", "end", "is_enough"),
    [("22:00", "08:00", True), ("20:00", "10:00", True), ("23:00", "08:00", False), ("22:00", "07:00", False), ("01:00", "08:00", False)],
)
def test_marketing_is_quiet_at_night_in_china(start: str, end: str, is_enough: bool) -> None:
    said = advice(window=QuietWindow.model_validate({"from": start, "to": end}))
    assert (said == []) == is_enough
    assert len(advice(window=None)) == 1
    assert advice("notice", window=None) == []


def test_a_template_whose_wording_is_not_here_cannot_be_looked_at() -> None:
    (said,) = advice(wording=None)
    assert "does not say the `wording`" in said


@pytest.mark.parametrize("value", ["https://shop.example/a", "www.shop.example", "shop.cn"])
def test_an_address_of_a_page_in_a_variable_is_told(value: str) -> None:
    (said,) = advice(params={"name": value})
    assert said.startswith("`name` of content `hello` holds the address of a page")


def test_a_value_that_goes_nowhere_is_told() -> None:
    (said,) = advice(params={"name": "a", "nmae": "b"})
    assert "no variable `nmae`" in said


def test_the_parts_of_a_chinese_message_count_its_signature_and_what_is_the_same_for_everybody() -> None:
    # 【云闸科技】 is 6, 拒收请回复R another 6.
    assert advice(wording="${name}" + "好" * 58 + "拒收请回复R") == []
    (said,) = advice(wording="${name}" + "好" * 59 + "拒收请回复R")
    assert "takes 2 parts at least (71 units of ucs2)" in said
    (said,) = advice(params={"name": "王小明"}, wording="${name}" + "好" * 56 + "拒收请回复R")
    assert "71 units" in said


def test_a_character_that_more_than_halves_the_room_of_a_text_is_named() -> None:
    said = advice(template_code=None, sign_name=None, wording=None, params={}, text="It’s here, {{ first_name }}. Reply STOP to opt out.")
    assert said == ["content `hello` fits 70 characters a part and not 160 because of ’."]


def test_a_text_of_its_own_is_counted_without_its_fields() -> None:
    text = {"template_code": None, "sign_name": None, "wording": None, "params": {}}
    assert advice(**text, text="STOP " + "a" * 155 + "{{ first_name }}") == []
    (said,) = advice(**text, text="STOP " + "a" * 156 + "{{ first_name }}")
    assert "2 parts at least (161 units of gsm7)" in said


@pytest.mark.parametrize(
    ("vendor", "content", "expected"),
    [
        ("aliyun_sms", {}, 0),
        ("aliyun_sms", {"template_code": "449739"}, 1),
        ("aliyun_sms", {"sign_name": "【云闸科技】"}, 1),
        ("aliyun_sms", {"sign_name": "十三个字的签名实在太长了啊"}, 1),
        ("aliyun_sms", {"sign_name": None}, 1),
        ("aliyun_sms", {"wording": "${name}和${code}"}, 1),
        ("tencent_sms", {"template_code": "449739"}, 0),
        ("tencent_sms", {"template_code": "449739", "wording": "{1}"}, 0),
        ("tencent_sms", {"template_code": "449739", "wording": "{1}和{2}"}, 1),
        ("tencent_sms", {"template_code": "449739", "wording": "{1}和{2}", "params": {"1": "a", "3": "b"}}, 1),
        ("tencent_sms", {"template_code": None, "text": "Hello"}, 1),
        ("twilio", {"template_code": f"HX{'0' * 32}", "sign_name": "Sluice", "wording": "Hi {{1}}", "params": {"1": "a"}}, 0),
        ("twilio", {"template_code": f"HX{'0' * 32}", "wording": None}, 1),  # a sender has no Chinese name
        ("twilio", {"template_code": None, "text": "Hello", "sign_name": None, "wording": None, "params": {}}, 0),
    ],
    ids=str,
)
def test_what_a_vendor_would_surely_refuse_is_a_fault(vendor: str, content: dict[str, Any], expected: int) -> None:
    target = connectors.find(vendor).objects["messages"]
    assert len(list(sms_lint.faults("hello", SmsContent(**(SOUND | content)), target, vendor))) == expected
