"""Opens connections to a mail server, and reads its refusals: whose trouble it is, and what to do about it."""

from __future__ import annotations

import re
import ssl
from typing import Any
from urllib.parse import urlsplit

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from connectors.base import Fatal, Outcome, Row, Transient, impersonal
from connectors.email._letter import Letter
from connectors.email._mailbox import Unfit, mailbox
from connectors.hosts import is_loopback

LOST = (SMTPServerDisconnected, SMTPTimeoutError)
CLOSING = 421  # the server ends the connection, whatever was asked
CREDENTIALS = frozenset({530, 534, 535, 538})
ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})\s+")


async def connect(server: str, options: Any) -> SMTP:
    """A connection that is greeted, encrypted and logged in as the options say. Raises Fatal or Transient; no mail is involved."""
    url = urlsplit(server)
    implicit = url.scheme == "smtps"
    # A password must not go over a network in the clear.
    needs_tls = options.starttls == "required" or (options.password is not None and not is_loopback(url.hostname or ""))
    start_tls = {"if_offered": None, "never": False}.get(options.starttls)
    smtp = SMTP(
        hostname=url.hostname or "localhost",
        port=url.port or (465 if implicit else 587),
        use_tls=implicit,
        start_tls=False if implicit else True if needs_tls else start_tls,
        cert_bundle=str(options.ca_file) if options.ca_file else None,
        username=options.username,
        password=options.password.get_secret_value() if options.password else None,
        # What the greeting calls us: not the name of this machine, whose lookup may take seconds.
        local_hostname=mailbox(options.sender, "", "sender").domain.encode("idna").decode(),
        timeout=options.timeout_seconds,
    )
    try:
        await smtp.connect()
    except SMTPResponseException as refusal:
        if isinstance(refusal, SMTPAuthenticationError) and refusal.code >= 500:
            raise Fatal(
                "UNAUTHORIZED", f"The mail server answered {refusal.code}: check username and password of this destination."
            ) from None
        kind = Fatal if refusal.code >= 500 else Transient
        raise kind(f"SMTP_{refusal.code}", words(refusal)) from None
    except (SMTPConnectError, *LOST) as error:
        if isinstance(error.__cause__, ssl.SSLError):
            raise Fatal("TLS_FAILED", "No encrypted connection to the mail server could be made: check its certificate.") from None
        raise Transient("UNREACHABLE", "The mail server cannot be reached.") from None
    except ssl.SSLError:
        raise Fatal("TLS_FAILED", "No encrypted connection to the mail server could be made: check its certificate.") from None
    except SMTPException as error:
        raise Fatal("NOT_OFFERED", f"The mail server does not offer what this destination asks for: {error.message}") from None
    return smtp


async def announce(smtp: SMTP, letter: Letter) -> None:
    """Name sender and recipient. Raises Unfit, or what the server says."""
    if not letter.utf8:
        await smtp.mail(letter.sender)
        await smtp.rcpt(letter.recipient)
    elif smtp.supports_extension("smtputf8"):
        await smtp.mail(letter.sender, options=["SMTPUTF8", "BODY=8BITMIME"], encoding="utf-8")
        await smtp.rcpt(letter.recipient, encoding="utf-8")
    else:
        raise Unfit("SMTPUTF8_NOT_OFFERED", "The mail server does not take addresses in other than ASCII letters.")


def refused(refusal: SMTPResponseException, row: Row) -> Outcome:
    """The outcome of a row the server does not want. Raises when its answer is about the connection or the account."""
    if refusal.code == CLOSING:
        raise Transient("SMTP_421", words(refusal, row))
    if refusal.code in CREDENTIALS:
        raise Fatal("UNAUTHORIZED", f"The mail server answered {refusal.code}: check username and password of this destination.")
    if isinstance(refusal, SMTPSenderRefused) and refusal.code >= 500:
        raise Fatal("SENDER_REFUSED", f"The mail server does not let this destination's sender send. {words(refusal, row)}")
    return Outcome("rejected", f"SMTP_{refusal.code}", words(refusal, row))


def words(refusal: SMTPResponseException, row: Row | None = None) -> str:
    """What the server said: its code, the enhanced code (RFC 3463), and its text without personal data."""
    text = refusal.message
    enhanced = ENHANCED.match(text)
    code = f"{refusal.code} {enhanced[1]}" if enhanced else str(refusal.code)
    return f"The mail server answered {code}: {impersonal(text[enhanced.end() :] if enhanced else text, row)}"
