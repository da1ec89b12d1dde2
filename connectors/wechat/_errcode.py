"""What an `errcode` asks of the caller: Official Accounts and WeCom word them alike, and mean other things by some.

Codes: https://developers.weixin.qq.com/doc/oplatform/Return_codes/Return_code_descriptions_new.html
       https://developer.work.weixin.qq.com/document/path/90313
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from connectors.base import Fatal, Outcome, Transient, Unanswered, impersonal

CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True)
class Errcodes:
    """One vendor's codes by what they ask for; what is in none of these lies in the row."""

    vendor: str
    reauth: frozenset[int]  # a new token, then the same call once more
    busy: frozenset[int]  # the system, or the calls of this minute
    a_minute: frozenset[int]  # nothing was taken, and nothing will be before a minute has passed
    underway: frozenset[int]  # the same request came a moment ago: in a minute it is known what became of it
    day_is_used_up: frozenset[int]
    fatal: Mapping[int, str]  # what a person must do
    words: Mapping[int, str] = field(default_factory=dict)  # what the vendor's own words leave unsaid

    def reason(self, answer: Mapping[str, Any]) -> str:
        """The vendor's words without its request id, and without anything that looks like a person's id."""
        said = re.sub(r"\s*\brid: ?[\w-]+", "", str(answer.get("errmsg", "")))
        said = re.sub(r",? *(hint: \[[^\]]*\]|from ip: [\w.:]+|more info at \S+)", "", said)
        said = impersonal(re.sub(r"[\w-]{28,}", "…", said))
        return f"{self.vendor} answered {answer.get('errcode')}: {said}"

    def sort(self, answer: Mapping[str, Any]) -> Outcome:
        """The rejection of one row, or the exception for the whole request. Only for an answer whose errcode is not 0."""
        code, said = int(answer["errcode"]), self.reason(answer)
        if code in self.busy:
            raise Transient(str(code), said)
        if code in self.a_minute:
            raise Transient(str(code), said, 60.0)
        if code in self.underway:
            raise Unanswered(str(code), said, 60.0)
        if code in self.day_is_used_up:
            raise Transient(str(code), f"{said}. The quota of the day is used up.", _until_midnight())
        # 47003 names the field. A value that WeChat does not take is one person's; stopping the run would stop all later ones at that row.
        if code == 47003 and ".value" in said:
            return Outcome("rejected", str(code), said)
        if code in self.fatal:
            raise Fatal(str(code), f"{said}. To go on, {self.fatal[code]}.")
        return Outcome("rejected", str(code), f"{said}. {self.words[code]}" if code in self.words else said)

    def stop(self, answer: Mapping[str, Any], what: str) -> None:
        """Raise for an answer that is not well to a call that is about no row. `what` is the sentence of what cannot be done now."""
        if answer.get("errcode"):
            trouble = self.sort(answer)
            raise Fatal(trouble.code, f"{trouble.reason}. {what}")


WECHAT = Errcodes(
    vendor="WeChat",
    reauth=frozenset({40001, 40014, 42001}),
    busy=frozenset({-1, 45011}),
    a_minute=frozenset({40241}),
    underway=frozenset({45066}),
    day_is_used_up=frozenset({45009, 45028, 48006}),
    fatal={
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
    },
    words={
        43101: "The person refused these notices, or the one that was allowed has been used up.",
        45015: "The window is closed: it is open for 48 hours after a person wrote, for 1 minute after a menu click, a follow or a scan.",
        45047: "The window takes no more: 5 messages after a person wrote, 3 after a menu click, a follow or a scan.",
    },
)

WECOM = Errcodes(
    vendor="WeCom",
    reauth=frozenset({40001, 40014, 42001}),
    busy=frozenset({-1, 45009, 45033}),  # whoever calls too often is let in again after a minute, an hour or a day
    a_minute=frozenset(),
    underway=frozenset(),
    day_is_used_up=frozenset(),
    fatal={
        40001: "check the secret",
        40013: "check corpid",
        40014: "check the secret",
        40056: "check agent_id",
        40091: "check the secret",
        42001: "check this machine's clock",
        48002: "give the app this permission in the admin console",
        60011: "let the app see these members and customers, in the admin console",
        60020: "add this machine's address to the app's trusted IP list",
        301002: "check agent_id: the secret is another app's",
    },
)


def _until_midnight() -> float:
    """Seconds until the day ends in China, where quotas are counted."""
    now = datetime.now(CHINA)
    tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (tomorrow - now).total_seconds()
