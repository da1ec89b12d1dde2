"""What Mailgun answers to a send: an id when it is queued, else one sentence in `message`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import httpx

from connectors.base import Answer, Fatal, Outcome, Refused, Transient, Unanswered, answered, retry_after
from connectors.email._mail_api import Posted, said

ABOUT_US = re.compile(
    r"\b(from|template|domain|sandbox|account|reply-to)\b", re.IGNORECASE
)  # what a person must mend; all else is the row's
SECONDS = re.compile(r"(\d+) ?s(econds?)?\b")


def outcomes(response: httpx.Response, posted: Sequence[Posted]) -> list[Outcome]:
    """What came of the rows, which is the same for all of them, or the exception for the whole request."""
    status = response.status_code
    words = said(_member(response, "message"), posted)
    if status == 429:
        told = SECONDS.search(words)
        raise Transient("RATE_LIMITED", f"Mailgun answered 429: {words}", retry_after(response) or (float(told[1]) if told else None))
    if status == 403:
        raise Fatal("FORBIDDEN", f"Mailgun answered 403: {words}")
    Answer("Mailgun", idempotent=False).raise_for(response)
    if status == 200:
        provider_id = _member(response, "id")
        if not provider_id:
            raise Unanswered("BROKEN_ANSWER", "Mailgun answered 200 without an id.")
        # Events name it without the brackets.
        return [Outcome("sent", provider_id=provider_id.strip("<>"))] * len(posted)
    if status not in (400, 413):
        raise Unanswered("BAD_ANSWER", f"Mailgun answered {status}, which does not say whether the mail was taken.")
    reason = f"Mailgun answered {status}: {words}"
    if status == 400 and ABOUT_US.search(words):
        raise Fatal("BAD_REQUEST", reason)
    code = "TOO_LARGE" if status == 413 else "BAD_REQUEST"
    if len(posted) > 1:
        raise Refused(code, reason)
    return [Outcome("rejected", code, reason)]


def _member(response: httpx.Response, name: str) -> str:
    return str(answered(response).get(name) or "")
