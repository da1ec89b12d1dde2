"""What Tencent Ads answers, sorted by what the caller must do. Every answer is HTTP 200: `code` says what came of the call.

Codes: https://developers.e.qq.com/v3.0/docs/errors
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import orjson

from connectors.base import Answer, Fatal, Transient, Unanswered, impersonal

CHINA = timezone(timedelta(hours=8))
BUSY = frozenset({10000, 10001, 11008, 11016, 11017, 11019})
OF_THE_DAY = 11018
TOKEN = range(11000, 11021)


def data(response: httpx.Response) -> dict[str, Any]:
    """The `data` of an answer that says it is well. A call is never refused for one row: which lines are no good is found later."""
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        answer = None
    code = answer.get("code") if isinstance(answer, dict) else None
    if not isinstance(code, int):
        Answer("Tencent Ads", idempotent=True).raise_for(response)
        raise Unanswered("BAD_ANSWER", f"Tencent Ads answered {response.status_code} with no result in it.")
    if code == 0:
        found = answer.get("data")
        return found if isinstance(found, dict) else {}
    reason = f"Tencent Ads answered {code}: {impersonal(str(answer.get('message_cn') or answer.get('message') or ''))}"
    if code in BUSY:
        raise Transient(str(code), reason)
    if code == OF_THE_DAY:
        raise Transient(str(code), reason, _until_midnight())
    remedy = "renew `access_token`, and see what it may do" if code in TOKEN else "check the account and the audience of this destination"
    raise Fatal(str(code), f"{reason}. To go on, {remedy}.")


def _until_midnight() -> float:
    """Seconds until the day ends in China, where the limits of a day are counted."""
    now = datetime.now(CHINA)
    return ((now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0) - now).total_seconds()
