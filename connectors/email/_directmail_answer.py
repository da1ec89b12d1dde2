"""What DirectMail answers, sorted by what the caller must do: one `EnvId` when all mails of the call were taken, a `Code` when none was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from connectors.base import Answer, Fatal, Outcome, Refused, Transient, Unanswered, answered, retry_after
from connectors.email._mail_api import Posted, said

OF_THE_ROW = ("InvalidToAddress", "InvalidBody", "InvalidSubject", "InvalidReceiver", "InvalidSendMail", "InvalidHeaders")
UNPROCESSED = ("Throttling", "ServiceUnavailable")
AMBIGUOUS = ("InternalError", "SignatureNonceUsed")  # after a repeated nonce it is open what became of the first request


def outcomes(response: httpx.Response, posted: Sequence[Posted]) -> list[Outcome]:
    """What came of each mail, or the exception for the whole request."""
    answer = answered(response)
    code = str(answer.get("Code") or "")
    if code.startswith(OF_THE_ROW):
        reason = f"DirectMail answered {code}: {_words(answer, posted)}"
        if len(posted) > 1:
            raise Refused(code, reason)
        return [Outcome("rejected", code, reason)]
    answer = content(response, posted)
    if not answer.get("EnvId"):
        raise Unanswered("BAD_ANSWER", "DirectMail answered 200 without an EnvId.")
    return [Outcome("sent", provider_id=str(answer["EnvId"]))] * len(posted)


def content(response: httpx.Response, posted: Sequence[Posted] = ()) -> dict[str, Any]:
    """The answer's object when it is well. Raises for all that is not."""
    answer = answered(response)
    code = str(answer.get("Code") or "")
    reason = f"DirectMail answered {code}: {_words(answer, posted)}"
    if code.startswith(UNPROCESSED):
        raise Transient(code, reason, retry_after(response))
    if code.startswith(AMBIGUOUS):
        raise Unanswered(code, f"{reason} It is not known whether the mail went out.")
    if code and response.status_code < 500:
        raise Fatal(code, f"{reason} Check key, permission, sender address and quota of this destination.")
    Answer("DirectMail", idempotent=False).raise_for(response)
    if response.status_code != 200 or not answer:
        raise Unanswered("BAD_ANSWER", f"DirectMail answered {response.status_code} with no result in it.")
    return answer


def _words(answer: dict[str, Any], posted: Sequence[Posted]) -> str:
    # When a signature is wrong the whole request stands behind "server …".
    return said(str(answer.get("Message") or "").partition(" server ")[0], posted)
