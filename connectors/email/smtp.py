"""Mail by SMTP: any relay or server, at `smtp://host:port` (587 by default) or `smtps://host:port` (465).

One mail a row, over connections that are kept for the run. Every answer is the row's own: `SMTP_550` and the server's words. A connection
that breaks between the message and the answer to it leaves the mail `unknown`: only a receipt, by the Message-ID `<message id@sender's
domain>`, can tell. What became of mail later comes from elsewhere, for example from `sendgrid`.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

from aiosmtplib import SMTP, SMTPException, SMTPResponseException
from pydantic import Field, field_validator, model_validator

from connectors.base import Batch, Connector, ConnectorError, Interrupted, Object, Outcome, Row, SecretStr, Strict, Transient
from connectors.email import _dkim
from connectors.email._connection import CLOSING, LOST, announce, connect, refused, words
from connectors.email._letter import Letter, compose
from connectors.email._mailbox import Unfit, an_address


class Smtp(Connector):
    channel = "email"
    base_url = "smtp://localhost:25"
    objects: ClassVar = {
        "messages": Object(
            message=True,
            contact="email",
            batch_size=20,
            per_second=400,
            concurrency=4,
            modes=frozenset(),  # a message is never kept "in sync"
            required=frozenset({"to", "subject"}),
        )
    }

    class Options(Strict):
        """`sender` is an address or `Name <address>`; a row's `from` comes before it. `starttls` applies to `smtp://`; with a password and
        a server elsewhere it is always required. `ca_file` holds certificates to trust instead of the system's. With `dkim_selector` and
        `dkim_private_key` (PEM) mails are signed for the sender's domain, or for `dkim_domain`; leave them out where the relay signs."""

        sender: str
        reply_to: str | None = None
        username: str | None = None
        password: SecretStr | None = None
        starttls: Literal["required", "if_offered", "never"] = "if_offered"
        ca_file: Path | None = None
        timeout_seconds: float = Field(default=60.0, gt=0)
        dkim_selector: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,63}$")
        dkim_domain: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.-]+$")
        dkim_private_key: SecretStr | None = None

        _addresses = field_validator("sender", "reply_to")(an_address)
        _is_a_key = field_validator("dkim_private_key")(_dkim.a_key)

        @model_validator(mode="after")
        def _has_both(self) -> Self:
            if (self.dkim_selector is None) != (self.dkim_private_key is None):
                raise ValueError("`dkim_selector` and `dkim_private_key` go together: set both, or neither")
            return self

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._idle: list[SMTP] = []

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        while self._idle:
            with suppress(SMTPException):
                await self._idle.pop().quit()

    async def deliver(self, batch: Batch) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for row in batch.rows:
            try:
                outcomes.append(await self._send(row))
            except ConnectorError as error:
                if not any(outcome.status in ("sent", "unknown") for outcome in outcomes):
                    raise
                # Raised as it is, the whole batch would be sent again, though some of it has left.
                raise Interrupted(error.code, error.reason, outcomes) from None
        return outcomes

    async def check(self) -> str:
        smtp = await connect(self.address, self.options)
        encrypted = "encrypted" if smtp.get_transport_info("sslcontext") is not None else "not encrypted"
        extension = "with SMTPUTF8" if smtp.supports_extension("smtputf8") else "without SMTPUTF8"
        self._idle.append(smtp)
        return f"the mail server answers, {encrypted}, {extension}"

    async def _send(self, row: Row) -> Outcome:
        try:
            letter = compose(row, self.options.sender, self.options.reply_to)
            smtp = await self._announced(letter)
        except Unfit as unfit:
            return Outcome("rejected", unfit.code, unfit.reason)
        except SMTPResponseException as refusal:
            return refused(refusal, row)
        try:
            await smtp.data(self._signed(letter))
        except SMTPResponseException as refusal:
            await self._release(smtp)
            return refused(refusal, row)
        except LOST:
            smtp.close()
            return Outcome("unknown", "UNANSWERED", "The connection broke after the message had left: it may have been taken.")
        except BaseException:  # cancelled in between: the connection is in the middle of something
            smtp.close()
            raise
        self._idle.append(smtp)
        return Outcome("sent", provider_id=letter.message_id)

    def _signed(self, letter: Letter) -> bytes:
        options = self.options
        if options.dkim_selector is None:
            return letter.content
        domain = options.dkim_domain or letter.sender.rpartition("@")[2]
        return _dkim.signed(letter.content, domain, options.dkim_selector, options.dkim_private_key)

    async def _announced(self, letter: Letter) -> SMTP:
        """A connection on which sender and recipient are accepted. Idle ones may have been closed meanwhile: a new one is tried last."""
        while True:
            idle = self._idle.pop() if self._idle else None
            smtp = idle or await connect(self.address, self.options)
            try:
                await announce(smtp, letter)
                return smtp
            except (*LOST, SMTPResponseException) as error:
                closing = not isinstance(error, SMTPResponseException) or error.code == CLOSING
                if not closing:
                    await self._release(smtp)
                    raise
                smtp.close()
                if idle is None:
                    reason = words(error) if isinstance(error, SMTPResponseException) else "The mail server closed the connection."
                    raise Transient("CONNECTION_CLOSED", reason) from None
            except Unfit:
                await self._release(smtp)
                raise

    async def _release(self, smtp: SMTP) -> None:
        """Keep a connection for the next mail, with whatever was announced on it forgotten."""
        try:
            await smtp.rset()
            self._idle.append(smtp)
        except SMTPException:
            smtp.close()
