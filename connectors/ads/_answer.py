"""What vendors of audiences answer in JSON: what was asked for, or an object under `error`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from connectors.base import Answer, Outcome, Unanswered, answered


def content(vendor: str, response: httpx.Response, refused: Callable[[dict[str, Any]], Outcome]) -> dict[str, Any] | Outcome:
    """The answer to a batch that was taken, or what `refused` makes of an error. Adding and removing are idempotent. Raises for the rest."""
    error = answered(response).get("error")
    if isinstance(error, dict):
        return refused(error)
    answer = Answer(vendor, idempotent=True)
    answer.raise_for(response)
    found = answer.json(response)
    if not response.is_success or not isinstance(found, dict):
        raise Unanswered("BAD_ANSWER", f"{vendor} answered {response.status_code} with no result in it.")
    return found
