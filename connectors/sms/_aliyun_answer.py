"""What Aliyun SMS answers, sorted by what the caller must do. HTTP 200 alone says nothing: `Code` does.

Codes: https://help.aliyun.com/document_detail/101346.html and the gateway's common codes.
"""

from __future__ import annotations

import httpx

from connectors.base import Answer, Fatal, Outcome, Refused, Transient, Unanswered, answered, impersonal, retry_after
from connectors.sms._china import until

# What a person must do, by the beginning of the code.
FATAL = {
    "InvalidAccessKeyId": "check the access key id of this destination",
    "SignatureDoesNotMatch": "check the access key secret of this destination",
    "IncompleteSignature": "check the access key of this destination",
    "InvalidSecurityToken": "renew the security token of this destination",
    "MissingSecurityToken": "set the security token of this destination",
    "InvalidTimeStamp": "set this machine's clock",
    "Forbidden": "grant the RAM user AliyunDysmsFullAccess",
    "NoPermission": "grant the RAM user AliyunDysmsFullAccess",
    "isp.RAM_PERMISSION_DENY": "grant the RAM user AliyunDysmsFullAccess",
    "isv.SMS_SIGNATURE": "use a signature that is approved for this kind of template",
    "isv.SIGN_": "use an approved signature",
    "isv.SMS_SIGN_ILLEGAL": "use an approved signature",
    "isv.SMS_TEMPLATE_ILLEGAL": "use an approved template",
    "isv.TEMPLATE_MISSING_PARAMETERS": "give every variable of the template a value",
    "isv.EXTEND_CODE_ERROR": "use one extend code for one signature",
    "isv.DENY_IP_RANGE": "send from an address in mainland China",
    "isv.PRODUCT_UN": "subscribe to the SMS service",
    "isv.ACCOUNT_": "check the account",
    "isv.OUT_OF_SERVICE": "top up the account",
    "isv.AMOUNT_NOT_ENOUGH": "top up the account",
}
UNPROCESSED = ("Throttling", "ServiceUnavailable")
CONSOLE_CAPS = ("isv.DAY_LIMIT_CONTROL", "isv.MONTH_LIMIT_CONTROL")
# After a repeated nonce it is open what became of the first request.
AMBIGUOUS = ("isp.", "InternalError", "SignatureNonceUsed")


def outcomes(response: httpx.Response, rows: int) -> list[Outcome]:
    """What came of the rows, or the exception for the whole request."""
    content = answered(response)
    code = str(content.get("Code") or "")
    if code == "OK":
        return [Outcome("sent", provider_id=content.get("BizId"))] * rows
    # Messages may quote the number that was refused, and the whole request after "server …" when its signature is wrong.
    said = impersonal(str(content.get("Message") or "").partition(" server ")[0])
    reason = f"Aliyun SMS answered {code}: {said}"
    for prefix, remedy in FATAL.items():
        if code.startswith(prefix):
            raise Fatal(code, f"{reason}. To go on, {remedy}.")
    if code.startswith(UNPROCESSED):
        raise Transient(code, reason, retry_after(response))
    if code.startswith(CONSOLE_CAPS):
        raise Transient(code, f"{reason}. It is a limit set in the SMS console.", until(0))
    if code.startswith(AMBIGUOUS):
        raise Unanswered(code, f"{reason}. It is not known whether the message went out.")
    Answer("Aliyun SMS", idempotent=False).raise_for(response)
    if code.startswith("isv."):
        # The row's own number, length or words. Stopping the run for it would stop every later run at the same row.
        if rows > 1:
            raise Refused(code, reason)
        return [Outcome("rejected", code, reason)]
    if code:
        raise Fatal(code, reason)
    raise Unanswered("BAD_ANSWER", f"Aliyun SMS answered {response.status_code} with no result in it.")
