"""What a WeChat `errcode` asks of the caller.

Codes: https://developers.weixin.qq.com/doc/oplatform/Return_codes/Return_code_descriptions_new.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from connectors.base import Fatal, Outcome, Transient, impersonal

CHINA = timezone(timedelta(hours=8))

REAUTH = frozenset({40001, 40014, 42001})  # a new token, then the same call once more
BUSY = frozenset({-1, 45011})  # the system, or the calls of this minute
A_MINUTE = frozenset({45066, 40241})  # between messages that are the same
DAY_IS_USED_UP = frozenset({45009, 48006})
FATAL = {
    40001: "check app_secret",
    40013: "check appid",
    40014: "check app_secret",
    40036: "use a template that this account has",
    40037: "use a template that this account has",
    40125: "check app_secret",
    40164: "add this machine's address to the account's IP list",
    42001: "check this machine's clock",
    45026: "delete templates that are not used",
    45056: "delete tags that are not used: an account has 100",
    47003: "give every field of the template a value",
    48001: "ask for this permission in the account's settings",
    48004: "the account is banned from this interface: see its settings",
    48008: "ask for permission to send this template",
    50002: "the account is restricted: see its settings",
}


def reason(answer: Mapping[str, Any]) -> str:
    """The vendor's words without its request id, and without anything that looks like an openid."""
    said = re.sub(r"\s*\brid: ?[\w-]+", "", str(answer.get("errmsg", "")))
    said = impersonal(re.sub(r"[\w-]{28,}", "…", said))
    return f"WeChat answered {answer.get('errcode')}: {said}"


def sort(answer: Mapping[str, Any]) -> Outcome:
    """The rejection of one row, or the exception for the whole request. Only for an answer whose errcode is not 0."""
    code, said = answer.get("errcode"), reason(answer)
    if code in BUSY:
        raise Transient(str(code), said)
    if code in A_MINUTE:
        raise Transient(str(code), said, 60.0)
    if code in DAY_IS_USED_UP:
        raise Transient(str(code), f"{said}. The quota of the day is used up.", _until_midnight())
    # 47003 names the field. A value that WeChat does not take is one person's; stopping the run would stop all later ones at that row.
    if code == 47003 and ".value" in said:
        return Outcome("rejected", str(code), said)
    if code in FATAL:
        raise Fatal(str(code), f"{said}. To go on, {FATAL[code]}.")
    return Outcome("rejected", str(code), said)


def _until_midnight() -> float:
    """Seconds until the day ends in China, where quotas are counted."""
    now = datetime.now(CHINA)
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (tomorrow - now).total_seconds()
