"""What Tencent Cloud SMS answers, sorted by what the caller must do. HTTP 200 alone says nothing: `Response` does, number by number.

Codes: https://cloud.tencent.com/document/api/382/52075 and the common ones of API 3.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from connectors.base import Answer, ConnectorError, Fatal, Outcome, Refused, Transient, Unanswered, answered, impersonal
from connectors.sms._china import until
from connectors.sms._numbers import digits

# What a person must do, by the beginning of the code.
FATAL = {
    "AuthFailure.SignatureExpire": "set this machine's clock",
    "AuthFailure": "check the secret id and key of this destination",
    "UnauthorizedOperation.ServiceSuspendDueToArrears": "top up the account",
    "UnauthorizedOperation.RequestIpNotInWhitelist": "put this machine's address on the application's white list",
    "UnauthorizedOperation": "check what the account and the application of this destination may do",
    "FailedOperation.InsufficientBalanceInSmsPackage": "buy another package of messages",
    "FailedOperation.Signature": "use an approved signature",
    "FailedOperation.MissingSignature": "use an approved signature",
    "FailedOperation.Template": "use an approved template, with a value for each of its variables",
    "FailedOperation.NotEnterpriseCertification": "certify the account as an enterprise",
    "FailedOperation.ProhibitSubAccountUse": "use the main account's key",
    "InvalidParameterValue.SdkAppIdNotExist": "check `sms_sdk_app_id`",
    "InvalidParameterValue.TemplateParameterFormatError": "give the template's variables values it takes",
    "InvalidParameterValue.ProhibitedUseUrlInTemplateParameter": "take addresses of pages out of the template's variables",
    "InvalidParameterValue.UnsupportedTemplateVariable": "use a template without variables",
    "InvalidParameterValue.MarketingTemplateWithoutUnsubscribe": "use a template that says how to opt out",
    "UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone": "send to numbers abroad by a template for them",
    "UnsupportedOperation.GlobalTemplateToChineseMainlandPhone": "send to mainland numbers by a template for them",
    "UnsupportedOperation.UnsupportedRegion": "check `region`",
    "MissingParameter": "look at the message's fields",
    "InvalidAction": "check the base address of this destination",
    "UnsupportedVersion": "check the base address of this destination",
}
BUSY = ("RequestLimitExceeded", "LimitExceeded.DeliveryFrequencyLimit", "LimitExceeded.GlobalSmsSendingRateLimit")
OF_THE_DAY = (
    "LimitExceeded.AppDailyLimit",
    "LimitExceeded.AppGlobalDailyLimit",
    "LimitExceeded.AppMainlandChinaDailyLimit",
    "LimitExceeded.AppCountryOrRegionDailyLimit",
    "LimitExceeded.DailyLimit",
)
MARKETING_HOURS = "FailedOperation.MarketingSendTimeConstraint"
AMBIGUOUS = ("InternalError", "ResourceUnavailable", "FailedOperation.OtherError")


def results(response: httpx.Response) -> list[dict[str, Any]] | Outcome:
    """What came of each number, or the outcome of a request that was refused for something in it. Raises for the rest."""
    content = inner(response)
    error = content.get("Error")
    if isinstance(error, dict):
        trouble = sort(str(error.get("Code") or ""), str(error.get("Message") or ""))
        if isinstance(trouble, ConnectorError):
            raise trouble
        return trouble
    statuses = content.get("SendStatusSet")
    if response.is_success and isinstance(statuses, list) and all(isinstance(status, dict) for status in statuses):
        return statuses
    Answer("Tencent Cloud SMS", idempotent=False).raise_for(response)
    raise Unanswered("BAD_ANSWER", f"Tencent Cloud SMS answered {response.status_code} with no result in it.")


def outcomes(response: httpx.Response, numbers: Sequence[str]) -> list[Outcome]:
    """What came of each number, joined by the number. Raises when the same trouble kept every one of them from leaving."""
    statuses = results(response)
    if isinstance(statuses, Outcome):
        if len(numbers) > 1:
            raise Refused(statuses.code, statuses.reason)
        return [statuses]
    told = {digits(str(status.get("PhoneNumber") or "")): status for status in statuses}
    found = [_of_one(told.get(digits(number))) for number in numbers]
    first = found[0]
    if isinstance(first, ConnectorError) and all(isinstance(one, ConnectorError) and one.code == first.code for one in found):
        raise first
    return [_as_outcome(one) for one in found]


def _of_one(status: dict[str, Any] | None) -> Outcome | ConnectorError:
    if status is None:
        return Outcome("unknown", "NOT_IN_ANSWER", "Tencent Cloud SMS did not say what became of this number.")
    code = str(status.get("Code") or "")
    if code == "Ok":
        return Outcome("sent", provider_id=str(status["SerialNo"]) if status.get("SerialNo") else None)
    return sort(code, str(status.get("Message") or ""))


def _as_outcome(one: Outcome | ConnectorError) -> Outcome:
    """Trouble that only some numbers of an answer have is theirs: others went out, so the call must not be made again."""
    if isinstance(one, Outcome):
        return one
    return Outcome("unknown" if isinstance(one, Unanswered) else "rejected", one.code, one.reason)


def sort(code: str, message: str) -> Outcome | ConnectorError:
    """The trouble a code stands for: the row's own as an outcome, all other as the exception to raise."""
    reason = f"Tencent Cloud SMS answered {code or 'without a code'}: {impersonal(message)}"
    if code.startswith(BUSY):
        return Transient(code, reason)
    if code == MARKETING_HOURS:
        return Transient(code, f"{reason}. Marketing goes out from 8 to 22 h in China.", until(8))
    if code.startswith(OF_THE_DAY):
        return Transient(code, f"{reason}. It is a limit set for the application.", until(0))
    for prefix, remedy in FATAL.items():
        if code.startswith(prefix):
            return Fatal(code, f"{reason}. To go on, {remedy}.")
    if not code or code.startswith(AMBIGUOUS):
        return Unanswered(code or "BAD_ANSWER", f"{reason}. It is not known whether the message went out.")
    return Outcome("rejected", code, reason)


def inner(response: httpx.Response) -> dict[str, Any]:
    """The `Response` of an answer; empty when there is none."""
    found = answered(response).get("Response")
    return found if isinstance(found, dict) else {}
