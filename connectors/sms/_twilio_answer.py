"""What Twilio answers to a message, sorted by what the caller must do.

Codes: https://www.twilio.com/docs/api/errors
"""

from __future__ import annotations

import httpx

from connectors.base import Answer, Fatal, Outcome, Row, Transient, Unanswered, answered, impersonal, retry_after

# What a person must do. Every other refusal is the row's own: its number, its text, its country, or its owner who opted out (21610).
FATAL = {
    20003: "check the account SID and the token of this destination",
    20005: "the account is not active: look at it in Twilio's console",
    20006: "let this key send messages",
    20404: "check the account SID and the base address of this destination",
    21212: "check the sender (`sender`, or the content's `sign_name`)",
    21603: "set `sender` or `messaging_service_sid`",
    21606: "use a sender of this account that can send text messages",
    21607: "use a sender of this account that can send text messages",
    21609: "check `status_callback`",
    21654: "use a content template (`template_code`) of this account",
    21655: "use a content template (`template_code`) of this account",
    21701: "check `messaging_service_sid`",
    21703: "give the messaging service a sender",
    21704: "give the messaging service a sender",
    21705: "check `messaging_service_sid`",
}
BUSY = {20429, 21611, 30001}  # not taken: too many requests, or the sender's queue is full
LOST = {"failed", "undelivered", "canceled"}


def outcome(response: httpx.Response, row: Row) -> Outcome:
    """What came of a message, or the exception for what is not its own."""
    content = answered(response)
    code = content.get("code") if isinstance(content.get("code"), int) else None
    reason = f"Twilio answered {code or response.status_code}: {impersonal(str(content.get('message') or ''), row)}"
    if code in BUSY:
        raise Transient(str(code), reason, retry_after(response))
    if code in FATAL:
        raise Fatal(str(code), f"{reason}. To go on, {FATAL[code]}.")
    Answer("Twilio", idempotent=False).raise_for(response)
    if response.is_success:
        if not content.get("sid"):
            raise Unanswered("BAD_ANSWER", f"Twilio answered {response.status_code} with no message in it.")
        if content.get("status") in LOST:
            return Outcome(
                "rejected", str(content.get("error_code") or content["status"]), "Twilio took the message and could not send it."
            )
        return Outcome("sent", provider_id=str(content["sid"]))
    return Outcome("rejected", str(code or f"HTTP_{response.status_code}"), reason)
