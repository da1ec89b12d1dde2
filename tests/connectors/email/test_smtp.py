from __future__ import annotations

import asyncio
import base64
import datetime as dt
import email
import email.policy
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dkim
import orjson
import pytest
from aiosmtpd.smtp import SMTP as Server
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from connectors.base import Batch, Fatal, Interrupted, Outcome, Row, Transient
from connectors.email.smtp import Smtp
from connectors.sandbox import Fault, Sandbox

SENDER = "水闸 News <news@sender.example>"


def batch(*messages: dict[str, Any]) -> Batch:
    rows = [
        Row(index, f"k{index}", orjson.dumps({"to": f"p{index}@x.example", "subject": "s", "text": "t", **fields}), None, f"m_{index:032x}")
        for index, fields in enumerate(messages)
    ]
    return Batch("messages", "add", rows, "r1", 1)


def connector(address: str, **options: Any) -> Smtp:
    return Smtp(Smtp.Options(**{"sender": SENDER, "timeout_seconds": 60.0, **options}), None, address)


async def deliver(address: str, *messages: dict[str, Any], **options: Any) -> list[Outcome]:
    async with connector(address, **options) as smtp:
        return await smtp.deliver(batch(*messages))


def headers(sandbox: Sandbox, number: int = 0) -> dict[str, str]:
    return dict(sandbox.journal.kept[number].content["headers"])


async def test_a_mail_carries_its_message_id_and_one_click_unsubscribe(sandbox: Sandbox) -> None:
    link = "https://click.example/u/" + "x" * 300
    [outcome] = await deliver(sandbox.addresses.smtp, {"html": "<p>你好</p>", "text": "你好", "unsubscribe_url": link})
    seen = headers(sandbox)
    assert outcome == Outcome("sent", provider_id=f"<m_{0:032x}@sender.example>")
    assert seen["Message-ID"] == outcome.provider_id
    assert orjson.loads(seen["X-SMTPAPI"]) == {"unique_args": {"message_id": f"m_{0:032x}"}}
    assert seen["List-Unsubscribe"] == f"<{link}>"
    assert seen["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert seen["Content-Type"].startswith("multipart/alternative")
    assert seen["From"] == SENDER
    assert sandbox.journal.kept[0].content["text"].strip() == "你好"


async def test_a_header_cannot_be_injected_into(sandbox: Sandbox) -> None:
    outcomes = await deliver(
        sandbox.addresses.smtp,
        {"subject": "hello\r\nBcc: everyone@x.example\r\n\r\nbody"},
        {"to": "a@x.example\r\nRCPT TO:<b@x.example>"},
        {"to": "Eve\nBcc: b@x.example <a@x.example>"},
        {"to": "a@x.example, b@x.example"},
        {"from": "a@b.example\nX: y"},
        {"unsubscribe_url": "https://x.example/\r\nX-Evil: 1"},
    )
    assert [outcome.code for outcome in outcomes] == ["", "BAD_EMAIL", "BAD_EMAIL", "BAD_EMAIL", "BAD_SENDER", "BAD_UNSUBSCRIBE_URL"]
    assert headers(sandbox)["Subject"] == "hello Bcc: everyone@x.example body"
    assert "Bcc" not in headers(sandbox)
    assert len(sandbox.journal.kept) == 1


async def test_a_message_without_a_body_is_rejected(sandbox: Sandbox) -> None:
    [outcome] = await deliver(sandbox.addresses.smtp, {"text": None})
    assert (outcome.status, outcome.code) == ("rejected", "EMPTY_MESSAGE")


async def test_each_recipient_has_its_own_answer_and_codes(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(vendor="smtp", kind="partial", match="p1@", code="450 4.2.2"))
    sandbox.faults.add(Fault(vendor="smtp", kind="partial", match="p2@", code="552 5.2.2"))
    sandbox.faults.add(Fault(vendor="smtp", kind="server_error", match="p4@"))
    outcomes = await deliver(sandbox.addresses.smtp, {}, {}, {}, {"to": "p3@nowhere.invalid"}, {}, {})
    assert [outcome.code for outcome in outcomes] == ["", "SMTP_450", "SMTP_552", "SMTP_550", "SMTP_451", ""]
    assert [outcome.status for outcome in outcomes] == ["sent", "rejected", "rejected", "rejected", "rejected", "sent"]
    assert outcomes[1].reason == "The mail server answered 450 4.2.2: <…>: recipient refused"
    assert [kept.to for kept in sandbox.journal.kept] == ["p0@x.example", "p5@x.example"]


async def test_one_connection_serves_the_whole_run(sandbox: Sandbox) -> None:
    async with connector(sandbox.addresses.smtp) as smtp:
        await smtp.deliver(batch({}, {}))
        await smtp.deliver(batch({}, {}))
        assert len(sandbox.emulators["smtp"]._sessions) == 1
    assert len(sandbox.journal.kept) == 4


async def test_a_connection_the_server_closed_meanwhile_costs_nothing(sandbox: Sandbox) -> None:
    async with connector(sandbox.addresses.smtp) as smtp:
        await smtp.deliver(batch({}))
        for session in list(sandbox.emulators["smtp"]._sessions):
            session.hang_up()
        assert [outcome.status for outcome in await smtp.deliver(batch({}))] == ["sent"]


async def test_a_connection_lost_after_the_message_is_unknown_for_that_row_alone(sandbox: Sandbox) -> None:
    for kind, patience in (("reset", 60.0), ("timeout", 1.0)):
        sandbox.faults.add(Fault(vendor="smtp", kind=kind, match="p1@"))
        outcomes = await deliver(sandbox.addresses.smtp, {}, {}, {}, timeout_seconds=patience)
        assert [outcome.status for outcome in outcomes] == ["sent", "unknown", "sent"]
    assert [kept.to[:2] for kept in sandbox.journal.kept] == ["p0", "p1", "p2"] * 2


async def test_a_connection_lost_before_the_message_is_surely_not_processed(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(vendor="smtp", kind="reset", when="before"))
    with pytest.raises(Transient):
        await deliver(sandbox.addresses.smtp, {})
    assert not sandbox.journal.kept


async def test_a_server_that_closes_in_the_middle_never_makes_a_batch_go_out_twice(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(vendor="smtp", kind="rate_limit", match="p1@", times=2))  # the kept connection, and the new one
    with pytest.raises(Interrupted) as caught:
        await deliver(sandbox.addresses.smtp, {}, {}, {})
    # The first has its outcome; the others were not tried, and are neither refused nor lost.
    assert caught.value.code == "CONNECTION_CLOSED"
    assert [outcome.status for outcome in caught.value.outcomes] == ["sent"]
    assert len(sandbox.journal.kept) == 1


async def test_a_mailbox_in_chinese_needs_a_server_that_offers_it(sandbox: Sandbox) -> None:
    [outcome] = await deliver(sandbox.addresses.smtp, {"to": "李雷 <李雷@例子.公司>"})
    assert outcome.status == "sent"
    assert sandbox.journal.kept[0].to == "李雷@例子.公司"
    async with plain_server() as (address, seen):
        outcomes = await deliver(address, {"to": "李雷@例子.公司"}, {"to": "lilei@例子.公司"})
        assert [outcome.code for outcome in outcomes] == ["SMTPUTF8_NOT_OFFERED", ""]
        assert seen.recipients == ["lilei@xn--fsqu00a.xn--55qx5d"]


async def test_a_long_unsubscribe_link_stays_in_one_piece() -> None:
    # Folded or encoded, many mail readers would not find it.
    link = "https://click.example/u/" + "x" * 300
    async with plain_server() as (address, seen):
        await deliver(address, {"unsubscribe_url": link})
    assert f"List-Unsubscribe: <{link}>\r\n".encode() in seen.contents[0]


async def test_a_signed_mail_holds_what_the_recipients_server_checks() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    asked: list[bytes] = []

    def dns(name: bytes, timeout: int = 5) -> bytes:
        asked.append(name)
        return b"v=DKIM1; k=rsa; p=" + public

    options = {"dkim_selector": "s2026", "dkim_private_key": pem}
    row = {"subject": "你好 🎉", "text": "早上好\n.\n..点开头的行 ", "html": "<p>你好</p>", "unsubscribe_url": "https://x.example/u/1"}
    async with plain_server() as (address, seen):
        assert [outcome.status for outcome in await deliver(address, row, {}, **options)] == ["sent", "sent"]
        await deliver(address, row, **options, dkim_domain="mail.example")
    assert all(dkim.verify(content, dnsfunc=dns) for content in seen.contents)
    assert set(asked) == {b"s2026._domainkey.sender.example.", b"s2026._domainkey.mail.example."}
    for changed in (b"List-Unsubscribe-Post: List-Unsubscribe=No", b"List-Unsubscribe: <https://evil.example/>", b"Subject: s"):
        name = changed.split(b":")[0]
        assert not dkim.verify(re.sub(name + rb": [^\r]*", changed, seen.contents[0]), dnsfunc=dns), changed


@pytest.mark.parametrize(
    "options", [{"dkim_selector": "s"}, {"dkim_private_key": "no key"}, {"dkim_selector": "s", "dkim_private_key": "no key"}]
)
def test_half_a_signature_is_refused_when_it_is_declared(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        connector("smtp://127.0.0.1:9", **options)
    assert "no key" not in str(refused.value)


async def test_what_is_sent_to_an_old_server_is_ascii_with_lines_it_can_take() -> None:
    async with plain_server() as (address, seen):
        [outcome] = await deliver(address, {"text": "长" * 5000, "html": "<p>" + "字" * 5000 + "</p>", "subject": "主题" * 200})
        assert outcome.status == "sent"
    assert seen.contents[0].isascii()
    assert max(map(len, seen.contents[0].split(b"\r\n"))) <= 998
    message = email.message_from_bytes(seen.contents[0], policy=email.policy.default)
    assert message["Subject"] == "主题" * 200
    assert message.get_body(("plain",)).get_content().strip() == "长" * 5000


async def test_the_login_is_used_and_a_wrong_one_stops_the_run(sandbox: Sandbox) -> None:
    [outcome] = await deliver(sandbox.addresses.smtp, {}, username="sandbox", password="sandbox-smtp-password")
    assert outcome.status == "sent"
    with pytest.raises(Fatal) as caught:
        await deliver(sandbox.addresses.smtp, {}, username="sandbox", password="hunter2222")
    assert caught.value.code == "UNAUTHORIZED"


async def test_mail_is_encrypted_where_it_is_asked_for(tmp_path: Path) -> None:
    ca_file, context = certificate(tmp_path)
    async with plain_server(tls_context=context) as (address, seen):
        address = address.replace("127.0.0.1", "localhost")
        [outcome] = await deliver(address, {}, starttls="required", ca_file=ca_file)
        assert outcome.status == "sent"
        assert seen.encrypted == [True]
        async with connector(address, ca_file=ca_file) as smtp:
            assert "encrypted" in await smtp.check()
        with pytest.raises(Fatal) as caught:
            await deliver(address, {}, starttls="required")
        assert caught.value.code == "TLS_FAILED"


async def test_encryption_that_is_required_but_not_offered_stops_the_run(sandbox: Sandbox) -> None:
    with pytest.raises(Fatal) as caught:
        await deliver(sandbox.addresses.smtp, {}, starttls="required")
    assert caught.value.code == "NOT_OFFERED"
    assert not sandbox.journal.kept


async def test_a_password_never_crosses_a_network_in_the_clear(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    # The sandbox offers no encryption, and stands in for a server elsewhere: its address resolves to this machine.
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def here(host: str, port: int, **keywords: Any) -> Any:
        return await resolve("127.0.0.1" if host == "mail.example" else host, port, **keywords)

    monkeypatch.setattr(loop, "getaddrinfo", here)
    port = sandbox.addresses.smtp.rpartition(":")[2]
    with pytest.raises(Fatal) as caught:
        await deliver(f"smtp://mail.example:{port}", {}, username="sandbox", password="sandbox-smtp-password", starttls="never")
    assert caught.value.code == "NOT_OFFERED"


def test_a_sender_that_is_no_address_is_refused_when_the_file_is_loaded() -> None:
    for wrong in ("nobody", "a@b@c.example", "", "A <a@b.example> <c@d.example>"):
        with pytest.raises(ValueError, match="not a mail address"):
            Smtp.Options(sender=wrong)


class Seen:
    """A mail server's handler that remembers."""

    def __init__(self) -> None:
        self.recipients: list[str] = []
        self.contents: list[bytes] = []
        self.encrypted: list[bool] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.recipients += envelope.rcpt_tos
        self.contents.append(envelope.content)
        self.encrypted.append(session.ssl is not None)
        return "250 OK"


@asynccontextmanager
async def plain_server(tls_context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, Seen]]:
    """A server without SMTPUTF8, with STARTTLS if it has a certificate."""
    loop, seen = asyncio.get_running_loop(), Seen()
    server = await loop.create_server(lambda: Server(seen, hostname="old", tls_context=tls_context, loop=loop), "127.0.0.1", 0)
    async with server:
        yield f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost that nobody trusts unless told, as a file and in a server's context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now - dt.timedelta(hours=1), now + dt.timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return folder / "ca.pem", context
