"""The fields of template messages and subscription notices: their name begins with their kind, and each kind has its limits.

Rules: 订阅消息参数值内容限制说明,
https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-message-management/subscribe-message/sendMessage.html
Characters are counted as people count them, so that nothing is refused that WeChat might take.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HAN = r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# What a value of each kind is, and the pattern of it. Kinds that are not here (time, date, enum, keyword of the older templates) are free.
KINDS: dict[str, tuple[str, str]] = {
    "thing": ("at most 20 characters", r".{1,20}"),
    "character_string": ("at most 32 digits, letters or signs", rf"[^{HAN}]{{1,32}}"),
    "number": ("a number of at most 32 digits", r"-?(?!(?:\.?\d){33})\d+(\.\d+)?"),
    "letter": ("at most 32 letters", r"[A-Za-z]{1,32}"),
    "symbol": ("at most 5 signs", rf"[^{HAN}A-Za-z0-9]{{1,5}}"),
    "amount": (
        "a sign of currency and a number of at most 10 digits, with 元 behind it or not",
        r"[^\d.]?(?!(?:\.?\d){11})\d+(\.\d+)?元?",
    ),
    "phone_number": ("at most 17 digits and signs", rf"[^{HAN}A-Za-z]{{1,17}}"),
    "car_number": ("at most 8 characters", r".{1,8}"),
    "name": ("at most 10 Chinese characters, or 20 letters and signs", rf"[^{HAN}]{{1,20}}|.{{1,10}}"),
    "phrase": ("at most 5 Chinese characters", rf"[{HAN}]{{1,5}}"),
}
NAME = re.compile(r"([a-z]+(?:_[a-z]+)*)\d*")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def fault(name: str, value: str) -> str | None:
    """What is wrong with a value for a field of that name, as a sentence without the value; None when WeChat takes it."""
    if not value.strip():
        return f"`{name}` is empty."
    match = NAME.fullmatch(name)
    kind = match[1] if match else ""
    if kind not in KINDS:
        return None
    if CONTROL.search(value):
        return f"`{name}` holds a line break or another control character, which WeChat does not take."
    words, pattern = KINDS[kind]
    return None if re.fullmatch(pattern, value, re.DOTALL) else f"`{name}` is not what WeChat takes there: {words} (it has {len(value)})."


def faults(data: Any) -> list[str]:
    """What is wrong with the `data` of a message: `{"thing1": {"value": "…"}}`."""
    if not isinstance(data, Mapping):
        return ["`data` is not a mapping of fields."]
    values = {name: field.get("value") if isinstance(field, Mapping) else None for name, field in data.items()}
    return [found for name, value in values.items() if (found := fault(str(name), "" if value is None else str(value)))]
