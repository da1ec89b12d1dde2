"""A mail server that takes everything, keeps it readable, and refuses what it is told to. Offers AUTH, SMTPUTF8 and 8BITMIME."""

from __future__ import annotations

import asyncio
import email
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from typing import Any, ClassVar, cast

import orjson
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from connectors.sandbox.emulator import Emulator, Kept, Shown
from connectors.sandbox.faults import KINDS

USERNAME = b"sandbox"
PASSWORD = b"sandbox-smtp-password"


class Smtp(Emulator):
    """Faults: `partial` refuses a recipient with `code` (default "550 5.1.1"), `rate_limit` answers 421 and closes, `server_error`
    answers 451 to the message, `reset` before is at RCPT and after is once the message was taken. `match` is looked for in the recipient.

    Recipients in the `.invalid` domain are always refused, with 550 5.1.2.
    """

    own_port = True
    kinds: ClassVar[frozenset[str]] = KINDS - {"broken_json"}

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._sessions: set[_Session] = set()

    @asynccontextmanager
    async def listen(self, host: str, port: int) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Session(self), host, port)
        try:
            yield f"smtp://{host}:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            handlers = [session.abort() for session in list(self._sessions)]
            await asyncio.gather(*handlers, return_exceptions=True)
            await server.wait_closed()

    def opened(self, session: _Session) -> None:
        self._sessions.add(session)

    def closed(self, session: _Session) -> None:
        self._sessions.discard(session)

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (USERNAME, PASSWORD)
        return AuthResult(success=right, handled=False)

    async def handle_RCPT(self, server: _Session, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        fault = self.sandbox.faults.take(self.name, address, frozenset({"rate_limit", "partial", "reset"}), when="before")
        if fault is not None and fault.kind == "reset":
            server.reset()
            return "421 4.3.2 Connection reset"
        if fault is not None and fault.kind == "rate_limit":
            asyncio.get_running_loop().call_soon(server.hang_up)
            return "421 4.7.0 Too many messages, come back later"
        if fault is not None:
            return f"{fault.code or '550 5.1.1'} <{address}>: recipient refused"
        if address.rpartition("@")[2].lower().endswith(".invalid"):
            return f"550 5.1.2 <{address}>: no such domain"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: _Session, session: Session, envelope: Envelope) -> str:
        recipients = " ".join(envelope.rcpt_tos)
        fault = self.sandbox.faults.take(self.name, recipients, frozenset({"server_error", "timeout", "reset", "slow"}), when="after")
        if fault is not None and fault.kind == "server_error":
            return "451 4.3.0 Temporary failure, message not accepted"
        assert isinstance(envelope.content, bytes)
        content = _read(envelope.content)
        kept = [self.keep("message", to=recipient, content={"from": envelope.mail_from, **content}) for recipient in envelope.rcpt_tos]
        if fault is not None and fault.kind == "timeout":
            await self.sandbox.stopping.wait()
        if fault is not None and fault.kind in ("timeout", "reset"):
            server.reset()
        if fault is not None and fault.kind == "slow":
            await self.sandbox.faults.be_slow(fault)
        return f"250 2.0.0 OK: queued as {kept[0].id}"

    def shown(self, kept: Kept) -> Shown:
        return Shown(kept.content["subject"] or "(no subject)", kept.content["text"], kept.content["html"] or None)


class _Session(SMTP):
    """One connection, known to the emulator so that it can be reset and be closed when the sandbox stops."""

    def __init__(self, emulator: Smtp) -> None:
        super().__init__(
            emulator,
            hostname="sandbox",
            ident="mail sandbox",
            enable_SMTPUTF8=True,
            auth_require_tls=False,  # nothing leaves the machine
            authenticator=emulator.authenticate,
            loop=asyncio.get_running_loop(),
        )
        self.emulator = emulator

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.emulator.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.emulator.closed(self)

    def abort(self) -> asyncio.Future[Any]:
        """Close at once; the future ends when nothing of the session runs any more."""
        handler = self._handler_coroutine
        assert handler is not None
        handler.cancel()
        if self.transport is not None:
            cast(asyncio.Transport, self.transport).abort()
        return handler

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """Reset the connection: the peer reads ECONNRESET."""
        if self.transport is not None:
            transport = cast(asyncio.Transport, self.transport)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()


def _read(raw: bytes) -> dict[str, Any]:
    message = email.message_from_bytes(raw)
    headers = {name: _decoded(value) for name, value in message.raw_items()}
    parts = {part.get_content_type(): part for part in reversed(list(message.walk()))}
    return {
        "subject": headers.get("Subject", ""),
        "smtp_id": headers.get("Message-ID", ""),
        "unique_args": _unique_arguments(headers),
        "headers": headers,
        "text": _content(parts.get("text/plain")),
        "html": _content(parts.get("text/html")),
        "size": len(raw),
    }


def _decoded(value: str) -> str:
    """A header as people read it: unfolded, encoded words decoded, UTF-8 where the client sent it as it is."""
    line = value.replace("\r\n", "").encode("ascii", "surrogateescape").decode(errors="replace")
    if "=?" not in line:
        return line
    try:
        return str(make_header(decode_header(line)))
    except (ValueError, LookupError, HeaderParseError):
        return line


def _content(part: Message | None) -> str:
    if part is None:
        return ""
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    try:
        return content.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return content.decode(errors="replace")


def _unique_arguments(headers: dict[str, str]) -> dict[str, Any]:
    """What the sender wants to see again in events, from the X-SMTPAPI header."""
    try:
        arguments = orjson.loads(headers.get("X-SMTPAPI", "{}"))["unique_args"]
    except (ValueError, KeyError, TypeError):
        return {}
    return arguments if isinstance(arguments, dict) else {}
