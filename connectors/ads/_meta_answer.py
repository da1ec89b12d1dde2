"""What Meta's Graph API answers, sorted by what the caller must do. Adding and removing are idempotent, so what is busy may be asked again.

Codes: https://developers.facebook.com/docs/graph-api/guides/error-handling and the Marketing API's.
"""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from connectors.ads import _answer
from connectors.base import Fatal, Outcome, Refused, Transient, impersonal, retry_after

RATE = frozenset({4, 17, 32, 613, *range(80_000, 80_015)})
BUSY = frozenset({1, 2, 2650})
CREDENTIALS = frozenset({102, 104, 190, 463, 467})
FORBIDDEN = frozenset({3, 10, *range(200, 300)})
# Of code 100 those that no other rows would change: no such audience; uploads to it are blocked; it is not made of customers.
AUDIENCE = frozenset({33, 1_713_230, 1_870_047, 1_870_145})


def content(response: httpx.Response, rows: int) -> dict[str, Any] | Outcome:
    """The answer to a batch that was taken, or the outcome of a single row that was refused. Raises for the rest."""
    return _answer.content("Meta", response, lambda error: _refused(response, error, rows))


def _refused(response: httpx.Response, error: dict[str, Any], rows: int) -> Outcome:
    code, sub = error.get("code"), error.get("error_subcode")
    named = f"{code}" if sub is None else f"{code}/{sub}"
    reason = f"Meta answered {named}: {impersonal(str(error.get('message') or ''))}"
    if code in RATE or response.status_code == 429:
        raise Transient(named, reason, _regain(response))
    if code in BUSY or error.get("is_transient"):
        raise Transient(named, reason, retry_after(response))
    if code in CREDENTIALS or response.status_code == 401 or "appsecret_proof" in str(error.get("message")):
        raise Fatal(named, f"{reason}. To go on, check the access token and the app secret of this destination.")
    if code in FORBIDDEN:
        raise Fatal(
            named, f"{reason}. To go on, give the token ads_management, accept the terms of custom audiences, and share the account."
        )
    if sub in AUDIENCE:
        raise Fatal(named, f"{reason}. To go on, check `audience_id`.")
    if rows > 1:
        raise Refused(named, reason)
    return Outcome("rejected", named, reason)


def _regain(response: httpx.Response) -> float | None:
    """Seconds until calls are taken again: `Retry-After`, or the minutes that the header of the business' usage tells."""
    try:
        usage = orjson.loads(response.headers.get("x-business-use-case-usage", "{}"))
        minutes = [float(one.get("estimated_time_to_regain_access", 0)) for many in usage.values() for one in many]
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
        minutes = []
    return retry_after(response) or (max(minutes) * 60 if any(minutes) else None)
