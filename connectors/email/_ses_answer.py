"""What SES answers, sorted by what the caller must do: the error's name is in a header, and each entry of a bulk send has a status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from connectors.base import Answer, Fatal, Outcome, Refused, Transient, Unanswered, answered, retry_after
from connectors.email._mail_api import Posted, said

# What a person must do, by the name of an error.
REMEDIES = {
    "AccountSuspendedException": "ask AWS why the account is suspended",
    "SendingPausedException": "resume sending of the account or the configuration set",
    "MailFromDomainNotVerifiedException": "verify the sender's domain",
    "NotFoundException": "check the names of template and configuration set",
    "AccessDeniedException": "grant the key ses:SendEmail and ses:SendBulkEmail",
}
THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling"})
# Of entries of a bulk send: not taken, and the reason passes; or a person must do something.
PASSING = frozenset({"ACCOUNT_THROTTLED", "ACCOUNT_DAILY_QUOTA_EXCEEDED", "TRANSIENT_FAILURE"})
CONFIGURATION = frozenset(
    [
        "MAIL_FROM_DOMAIN_NOT_VERIFIED",
        "CONFIGURATION_SET_NOT_FOUND",
        "TEMPLATE_NOT_FOUND",
        "ACCOUNT_SUSPENDED",
        "INVALID_SENDING_POOL_NAME",
        "ACCOUNT_SENDING_PAUSED",
        "CONFIGURATION_SET_SENDING_PAUSED",
    ]
)


def content(response: httpx.Response, posted: Sequence[Posted] = ()) -> dict[str, Any]:
    """The answer's object when it is well. Raises for trouble with the request; `Refused` when it is about the rows."""
    if response.status_code == 200:
        found = Answer("SES", idempotent=False).json(response)
        if isinstance(found, dict):
            return found
        raise Unanswered("BAD_ANSWER", "SES answered 200 with something that is not an object.")
    name = response.headers.get("x-amzn-errortype", "").partition(":")[0]
    reason = f"SES answered {response.status_code} {name}: {said(_message(response), posted)}"
    if name in REMEDIES:
        raise Fatal(name, f"{reason} To go on, {REMEDIES[name]}.")
    if response.status_code == 403:
        # The message quotes the request as it should have been signed.
        raise Fatal(name or "FORBIDDEN", f"SES answered 403 {name}: check access key, region and this machine's clock.")
    if name in THROTTLED or response.status_code == 429:
        raise Transient("RATE_LIMITED", reason, retry_after(response))
    if name == "LimitExceededException":
        raise Transient(name, reason, 3600.0)  # a quota of the day: SES does not queue what is over it
    if name == "MessageRejected" and "not verified" in reason:
        raise Fatal(name, f"{reason} To go on, verify the sender, or leave the SES sandbox.")
    if response.status_code == 400:
        raise Refused(name or "BAD_REQUEST", reason)
    Answer("SES", idempotent=False).raise_for(response)
    raise Unanswered("BAD_ANSWER", reason)


def bulk(response: httpx.Response, posted: Sequence[Posted]) -> list[Outcome]:
    """The outcome of each entry. When none was taken for a reason that is not its own, that is trouble of the whole request."""
    results = content(response, posted).get("BulkEmailEntryResults")
    if not isinstance(results, list) or len(results) != len(posted) or not all(isinstance(result, dict) for result in results):
        raise Unanswered("BAD_ANSWER", "SES did not say what became of each entry.")
    outcomes = [_entry(result, one) for result, one in zip(results, posted, strict=True)]
    statuses = {result.get("Status") for result in results}
    if statuses <= PASSING:
        raise Transient(outcomes[0].code, outcomes[0].reason, 3600.0 if "ACCOUNT_DAILY_QUOTA_EXCEEDED" in statuses else None)
    if statuses <= CONFIGURATION:
        raise Fatal(outcomes[0].code, outcomes[0].reason)
    return outcomes


def _entry(result: dict[str, Any], one: Posted) -> Outcome:
    status = str(result.get("Status"))
    if status == "SUCCESS":
        return Outcome("sent", provider_id=result.get("MessageId"))
    reason = f"SES says {status}: {said(str(result.get('Error') or ''), [one])}"
    return Outcome("skipped" if status in PASSING | CONFIGURATION else "rejected", status, reason)


def _message(response: httpx.Response) -> str:
    found = answered(response)
    return str(found.get("message") or found.get("Message") or "")
