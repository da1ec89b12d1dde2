"""A row of `messages` as a mail: headers that cannot be injected into, text and HTML parts, one-click unsubscribe (RFC 8058)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid
from typing import Any

import orjson

from connectors.base import Row

ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f<>()\[\]\",:;\\@]{1,64}@[^\s\x00-\x1f\x7f<>()\[\]\",:;\\@]{1,253}")
NAMED = re.compile(r"\s*\"?(?P<name>[^<>\"]*?)\"?\s*<(?P<address>[^<>]+)>\s*")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LINK = re.compile(r"https?://[^\s<>\"]{1,900}")
# Lines up to SMTP's limit: folding would break a long unsubscribe link, and shorter lines would encode every longer text.
POLICY = SMTP.clone(max_line_length=990)


class Unfit(Exception):
    """A row that cannot become a mail: a code, and a sentence without what the row holds."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Letter:
    """A mail ready to go. `utf8`: an address needs SMTPUTF8. `message_id` is the header's value, with its brackets."""

    sender: str
    recipient: str
    message_id: str
    content: bytes
    utf8: bool


def compose(row: Row, sender: str, reply_to: str | None = None) -> Letter:
    """The mail of a row; `sender` is used where the row has no `from`. Raises Unfit."""
    fields = row.fields
    source = address(fields.get("from") or sender, "BAD_SENDER", "sender")
    target = address(fields["to"], "BAD_EMAIL", "recipient")
    text, html = _string(fields.get("text")), _string(fields.get("html"))
    if not text and not html:
        raise Unfit("EMPTY_MESSAGE", "The message has neither text nor HTML.")
    utf8 = not (source.addr_spec + target.addr_spec).isascii()
    mail = EmailMessage(policy=POLICY.clone(utf8=utf8))
    message_id = f"<{row.message_id}@{source.domain}>" if row.message_id else make_msgid(domain=source.domain)
    mail["From"] = source
    mail["To"] = target
    mail["Subject"] = " ".join(CONTROL.sub(" ", _string(fields["subject"])).split())
    mail["Date"] = datetime.now(UTC)
    mail["Message-ID"] = message_id
    if reply_to:
        mail["Reply-To"] = address(reply_to, "BAD_REPLY_TO", "address for replies")
    if link := fields.get("unsubscribe_url"):
        if not isinstance(link, str) or not LINK.fullmatch(link):
            raise Unfit("BAD_UNSUBSCRIBE_URL", "`unsubscribe_url` is not an http or https address.")
        mail["List-Unsubscribe"] = f"<{link}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if row.message_id:
        # SendGrid's relay repeats it in every event; others ignore it.
        mail["X-SMTPAPI"] = orjson.dumps({"unique_args": {"message_id": row.message_id}}).decode()
    if text:
        mail.set_content(text)
        if html:
            mail.add_alternative(html, subtype="html")
    else:
        mail.set_content(html, subtype="html")
    return Letter(source.addr_spec, target.addr_spec, message_id, mail.as_bytes(), utf8)


def address(text: Any, code: str, what: str) -> Address:
    """`a@b.example` or `Name <a@b.example>`, with the domain in ASCII if the name before it is. Raises Unfit."""
    wrong = Unfit(code, f"The {what} is not a mail address.")
    if not isinstance(text, str) or CONTROL.search(text):
        raise wrong
    named = NAMED.fullmatch(text)
    name, spec = (named["name"], named["address"]) if named else ("", text.strip())
    if not ADDRESS.fullmatch(spec):
        raise wrong
    local, _, domain = spec.rpartition("@")
    try:
        if local.isascii():
            domain = domain.encode("idna").decode()
        return Address(name, local, domain)
    except ValueError:  # includes UnicodeError and what the email package finds wrong
        raise wrong from None


def _string(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
