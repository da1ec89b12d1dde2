"""What the Data Manager API answers, sorted by what the caller must do. Adding and removing are idempotent.

Errors: https://developers.google.com/data-manager/api/devguides/concepts/errors
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from connectors.ads import _answer
from connectors.base import Fatal, Outcome, Refused, Transient, impersonal, retry_after

MEMBER = re.compile(r"audience_?members\[(\d+)\]", re.IGNORECASE)
UNWELL = {"INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED"}


def content(response: httpx.Response, rows: int) -> dict[str, Any] | Outcome:
    """The answer to a batch that was taken, or the outcome of a single row that was refused. Raises for the rest."""
    return _answer.content("Google", response, lambda error: _refused(response, error, rows))


def _refused(response: httpx.Response, error: Mapping[str, Any], rows: int) -> Outcome:
    status = str(error.get("status") or response.status_code)
    details = [detail for detail in error.get("details") or [] if isinstance(detail, dict)]
    violations = [one for detail in details for one in detail.get("fieldViolations") or [] if isinstance(one, dict)]
    reasons = [str(one["reason"]) for one in (*violations, *details) if one.get("reason")]
    code = next((reason for reason in reasons if reason != status), status)
    said = next((str(one["description"]) for one in violations if one.get("description")), str(error.get("message") or ""))
    reason = f"Google answered {code}: {impersonal(said)}"
    if status == "RESOURCE_EXHAUSTED" or response.status_code == 429:
        raise Transient(code, reason, next(_delays(details), retry_after(response)))
    if status in UNWELL or response.status_code >= 500:
        raise Transient(code, reason, next(_delays(details), retry_after(response)))
    if not any(MEMBER.search(str(one.get("field"))) for one in violations):
        raise Fatal(code, f"{reason}. To go on, check the account, the audience and the terms of this destination.")
    if rows > 1:
        raise Refused(code, reason)
    return Outcome("rejected", code, reason)


def _delays(details: list[dict[str, Any]]) -> Iterator[float]:
    """Seconds that a RetryInfo asks to wait."""
    for detail in details:
        delay = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(detail.get("retryDelay")))
        if delay:
            yield float(delay[1])


def state(answer: Mapping[str, Any]) -> tuple[str, str]:
    """What became of a request so far (SUCCESS, PROCESSING, FAILED, PARTIAL_SUCCESS), and why rows of it failed."""
    found = answer.get("requestStatusPerDestination")
    told = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    if not told:
        return "PROCESSING", ""
    errors = (told[0].get("errorInfo") or {}).get("errorCounts") or []
    why = ", ".join(f"{one.get('reason')} ({one.get('recordCount')})" for one in errors)
    return str(told[0].get("requestStatus") or "PROCESSING"), why
