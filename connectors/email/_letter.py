"""A row of `messages` as a mail, the same for every mail connector: headers that cannot be injected into, text and HTML parts, and one-click
unsubscribe (RFC 8058)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import formatdate, make_msgid
from typing import Any

import orjson

from connectors.base import Row
from connectors.email._mailbox import CONTROL, Mailbox, Unfit, mailbox

LINK = re.compile(r"https?://[!#-;=?-~]{1,900}")  # ASCII without quotes and angle brackets
LINE = 990  # SMTP takes lines of 998
POLICY = compat32.clone(linesep="\r\n")


@dataclass(frozen=True)
class Letter:
    """A mail ready to go. `utf8`: an address needs SMTPUTF8. `message_id` is the header's value, with its brackets."""

    sender: str
    recipient: str
    message_id: str
    content: bytes
    utf8: bool


@dataclass(frozen=True)
class Draft:
    """What the mail of a row is made of, checked. `headers` are those that readers unsubscribe by, empty where there is no link."""

    sender: Mailbox
    recipient: Mailbox
    subject: str
    text: str
    html: str
    reply_to: Mailbox | None
    headers: Mapping[str, str]


def draft(row: Row, sender: str | None, reply_to: str | None = None, ascii_only: bool = False, templated: bool = False) -> Draft:
    """The parts of a row's mail; `sender` is used where the row has no `from`. Raises Unfit.

    `ascii_only`: the vendor takes no mailbox in other than ASCII letters. `templated`: the vendor has the words.
    """
    fields = row.fields
    source = mailbox(fields.get("from") or sender, "BAD_SENDER", "sender")
    target = mailbox(fields["to"], "BAD_EMAIL", "recipient")
    if ascii_only and not (source.spec + target.spec).isascii():
        raise Unfit("SMTPUTF8_NOT_OFFERED", "The vendor does not take addresses in other than ASCII letters.")
    text, html = _string(fields.get("text")), _string(fields.get("html"))
    if not templated and not text and not html:
        raise Unfit("EMPTY_MESSAGE", "The message has neither text nor HTML.")
    return Draft(
        sender=source,
        recipient=target,
        subject=" ".join(CONTROL.sub(" ", _string(fields.get("subject"))).split()),
        text=text,
        html=html,
        reply_to=mailbox(reply_to, "BAD_REPLY_TO", "address for replies") if reply_to else None,
        headers=_unsubscribe(fields.get("unsubscribe_url")),
    )


def compose(row: Row, sender: str, reply_to: str | None = None) -> Letter:
    """The mail of a row, whole. Raises Unfit."""
    mail = draft(row, sender, reply_to)
    message_id = header_id(row, mail.sender)
    headers = {
        "From": mail.sender.header(),
        "To": mail.recipient.header(),
        "Subject": _unstructured(mail.subject),
        "Date": formatdate(),
        "Message-ID": message_id,
    }
    if mail.reply_to:
        headers["Reply-To"] = mail.reply_to.header()
    headers |= mail.headers
    if row.message_id:
        # SendGrid's relay repeats it in every event; others ignore it.
        headers["X-SMTPAPI"] = orjson.dumps({"unique_args": {"message_id": row.message_id}}).decode()
    # The email package's own header objects parse every value they are given: ten times the work, for values that are sound already.
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    utf8 = not (mail.sender.spec + mail.recipient.spec).isascii()
    return Letter(mail.sender.spec, mail.recipient.spec, message_id, head + _body(mail.text, mail.html).as_bytes(policy=POLICY), utf8)


def header_id(row: Row, sender: Mailbox) -> str:
    """The Message-ID, with its brackets: it says which message of ours it is."""
    return f"<{row.message_id}@{sender.domain}>" if row.message_id else make_msgid(domain=sender.domain)


def _unsubscribe(link: Any) -> dict[str, str]:
    """RFC 8058: one click, which a signature over both headers (DKIM) makes believable."""
    if not link:
        return {}
    if not isinstance(link, str) or not LINK.fullmatch(link):
        raise Unfit("BAD_UNSUBSCRIBE_URL", "`unsubscribe_url` is not an http or https address.")
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def _body(text: str, html: str) -> MIMENonMultipart | MIMEMultipart:
    parts = [_part(content, kind) for content, kind in ((text, "plain"), (html, "html")) if content]
    return parts[0] if len(parts) == 1 else MIMEMultipart("alternative", _subparts=parts)


def _part(content: str, kind: str) -> MIMEText:
    """Readable as it is where it can be, base64 where not: other alphabets, and lines longer than SMTP takes."""
    plain = content.isascii() and max(map(len, content.splitlines()), default=0) <= LINE
    return MIMEText(content, kind, "us-ascii" if plain else "utf-8", policy=POLICY)


def _unstructured(text: str) -> str:
    return text if text.isascii() and len(text) <= LINE - 20 else Header(text, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _string(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
