"""What SendGrid answers to a send: 202 is all it says when it is well, and a list of errors with the field each is about when it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import orjson

from connectors.base import Answer, Fatal, Outcome, Refused, Unanswered
from connectors.email._mail_api import Posted, said

# Errors about these are of the row; about others (from, template_id, reply_to) a person must do something.
OF_THE_ROW = ("personalizations", "content", "subject")


def outcomes(response: httpx.Response, posted: Sequence[Posted]) -> list[Outcome]:
    """What came of the rows, which is the same for all of them, or the exception for the whole request."""
    if response.status_code == 202:
        return [Outcome("sent", provider_id=response.headers.get("x-message-id"))] * len(posted)
    if response.status_code == 403:
        raise Fatal("FORBIDDEN", f"SendGrid answered 403: {_words(response, posted)} Check the key's scopes and the sender's verification.")
    Answer("SendGrid", idempotent=False).raise_for(response)
    if response.status_code not in (400, 413):
        raise Unanswered("BAD_ANSWER", f"SendGrid answered {response.status_code}, which does not say whether the mail was taken.")
    reason = f"SendGrid answered {response.status_code}: {_words(response, posted)}"
    fields = [str(error.get("field") or "") for error in _errors(response)]
    if response.status_code == 400 and not any(field.startswith(OF_THE_ROW) for field in fields):
        raise Fatal("BAD_REQUEST", reason)
    code = "TOO_LARGE" if response.status_code == 413 else "BAD_REQUEST"
    if len(posted) > 1:
        raise Refused(code, reason)
    return [Outcome("rejected", code, reason)]


def _words(response: httpx.Response, posted: Sequence[Posted]) -> str:
    return said("; ".join(f"{error.get('field') or 'request'}: {error.get('message')}" for error in _errors(response)), posted)


def _errors(response: httpx.Response) -> list[dict[str, Any]]:
    try:
        errors = orjson.loads(response.content)["errors"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
