"""Signed links in messages: click redirects, open pixels, unsubscribe pages, preference centres, confirmations of a consent.

    token = base64url( version 1 | kind 1 | last day 2 | message id 16 | data | tag 16 )

The tag is HMAC-SHA256 cut to 128 bits (RFC 2104 5). `data` is the target of a click, channel and purpose of an unsubscribe link or a confirmation, or the
place of a check-in (whose id is chance: a code hangs on a wall, and belongs to no message). A token can be read by anyone and made only
with the project's key. It names a message, never a person.
"""

from __future__ import annotations

import binascii
import hmac
import json
import os
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx

from activation.engine.errors import UsageError

Kind = Literal["click", "open", "unsubscribe", "preferences", "confirm", "checkin"]

VARIABLE = "SLUICE_SECRET"
SHORTEST_KEY = 32
LONGEST_TARGET = 2048
LONGEST_PLACE = 500

_VERSION = 1
_CODES: dict[Kind, int] = {
    "click": ord("c"),
    "open": ord("o"),
    "unsubscribe": ord("u"),
    "preferences": ord("p"),
    "confirm": ord("y"),
    "checkin": ord("k"),
}
# An old mail may be found years later, and leaving must still work then.
_LIFETIME: dict[Kind, timedelta] = {
    "click": timedelta(days=400),
    "open": timedelta(days=400),
    "unsubscribe": timedelta(days=3650),
    "preferences": timedelta(days=400),
    "confirm": timedelta(days=30),  # who asked to be written to knows it for a while
    "checkin": timedelta(days=30),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEAD, _TAG = 20, 16
_LONGEST_TOKEN = 4 * LONGEST_TARGET
_MESSAGE_ID = re.compile(r"m_[0-9a-f]{32}")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


class BadToken(Exception):
    """A token that must not be followed: malformed, forged, of another kind, or expired. The message never repeats the token."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a believed token says. `url` is there for a click, `channel` and `purpose` for an unsubscribe link or a confirmation,
    `place` (event_id, event_name, city, booth) for a check-in."""

    kind: Kind
    message_id: str
    expires_at: datetime
    url: str | None = None
    channel: str | None = None
    purpose: str | None = None
    place: Mapping[str, str] = field(default_factory=dict)


class Links:
    """Makes and reads the links of one project. `base_url` is the collector's public address.

    With `issued_at` the same arguments give the same token, whenever it is made: a message rendered twice is the same message.
    """

    def __init__(self, key: bytes, base_url: str, issued_at: datetime | None = None) -> None:
        if len(key) < SHORTEST_KEY:
            raise ValueError(f"a signing key has at least {SHORTEST_KEY} bytes")
        # Keyed apart from everything else that may be signed with the project's key.
        self._key = hmac.digest(key, b"sluice links", "sha256")
        self.base_url = base_url.rstrip("/")
        self.issued_at = issued_at

    def __repr__(self) -> str:
        return f"Links({self.base_url!r})"

    def click(self, message_id: str, url: str) -> str:
        """A link that records a click and leads to `url`. Raises ValueError unless that is an absolute http or https address."""
        return f"{self.base_url}/c/{self._token('click', message_id, target(url).encode('ascii'))}"

    def open(self, message_id: str) -> str:
        """The address of a picture whose loading records that the message was opened."""
        return f"{self.base_url}/o/{self._token('open', message_id, b'')}.gif"

    def unsubscribe(self, message_id: str, channel: str, purpose: str) -> str:
        """The address for List-Unsubscribe (RFC 8058) and for the message's own unsubscribe link."""
        return f"{self.base_url}/u/{self._token('unsubscribe', message_id, _named(channel, purpose))}"

    def confirm(self, message_id: str, channel: str, purpose: str) -> str:
        """The address where the receiver of a message confirms to have asked for `purpose` by `channel` (double opt-in)."""
        return f"{self.base_url}/y/{self._token('confirm', message_id, _named(channel, purpose))}"

    def preferences(self, message_id: str) -> str:
        """The address where the receiver of a message says what may come, by topic and channel."""
        return f"{self.base_url}/p/{self._token('preferences', message_id, b'')}"

    def check_in(self, place: Mapping[str, str], until: datetime | None = None) -> str:
        """The address behind a code at the door: where somebody checks in at `place`, up to the day of `until` (else for 30 days).

        Raises ValueError for a place whose words are too many for a code.
        """
        data = json.dumps(dict(place), ensure_ascii=False, separators=(",", ":")).encode()
        if len(data) > LONGEST_PLACE:
            raise ValueError(f"the place of a check-in is longer than {LONGEST_PLACE} bytes")
        return f"{self.base_url}/k/{self._token('checkin', f'm_{secrets.token_hex(16)}', data, until)}"

    def read(self, token: str, kind: Kind, now: datetime) -> Link:
        """What `token` says, if we made it, for this kind, and it has not expired. Raises BadToken."""
        if len(token) > _LONGEST_TOKEN:
            raise BadToken("malformed")
        try:
            raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (UnicodeEncodeError, binascii.Error):
            raise BadToken("malformed") from None
        # The decoder skips what is no base64; only the one spelling we would have made is ours.
        if len(raw) < _HEAD + _TAG or _encode(raw) != token:
            raise BadToken("malformed")
        body, tag = raw[:-_TAG], raw[-_TAG:]
        if not hmac.compare_digest(tag, self._tag(body)):
            raise BadToken("not signed by this project")
        if body[0] != _VERSION:
            raise BadToken("of an unknown version")
        if body[1] != _CODES[kind]:
            raise BadToken(f"not a link of kind {kind}")
        expires_at = _EPOCH + timedelta(days=int.from_bytes(body[2:4], "big") + 1)
        if now >= expires_at:
            raise BadToken("expired")
        message_id, data = f"m_{body[4:_HEAD].hex()}", body[_HEAD:].decode()
        if kind == "click":
            return Link(kind, message_id, expires_at, url=data)
        if kind == "checkin":
            return Link(kind, message_id, expires_at, place=json.loads(data))
        if kind in {"open", "preferences"}:
            return Link(kind, message_id, expires_at)
        channel, _, purpose = data.partition(" ")
        return Link(kind, message_id, expires_at, channel=channel, purpose=purpose)

    def _token(self, kind: Kind, message_id: str, data: bytes, until: datetime | None = None) -> str:
        if not _MESSAGE_ID.fullmatch(message_id):
            raise ValueError("a message id is m_ and 32 hexadecimal digits")
        last = until or (self.issued_at or datetime.now(UTC)) + _LIFETIME[kind]
        days = (last - _EPOCH).days
        body = bytes([_VERSION, _CODES[kind]]) + days.to_bytes(2, "big") + bytes.fromhex(message_id[2:]) + data
        return _encode(body + self._tag(body))

    def _tag(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:_TAG]


def _named(channel: str, purpose: str) -> bytes:
    for word in (channel, purpose):
        if not _WORD.fullmatch(word):
            raise ValueError("channel and purpose are lower-case names")
    return f"{channel} {purpose}".encode("ascii")


def target(url: str) -> str:
    """`url` as a redirect may carry it: absolute, http or https, ASCII. Raises ValueError for anything else."""
    if _UNSAFE.search(url):
        raise ValueError("a link's target holds a blank, a control character or a backslash")
    if not url.isascii():
        try:
            url = str(httpx.URL(url))
        except (httpx.InvalidURL, UnicodeError):
            raise ValueError("a link's target is not a URL") from None
    parts = urlsplit(url)
    if parts.scheme.lower() not in {"http", "https"}:
        raise ValueError("a link's target must start with http:// or https://")
    if not parts.hostname or parts.username is not None:
        raise ValueError("a link's target needs a host, and carries no user name")
    if len(url) > LONGEST_TARGET:
        raise ValueError(f"a link's target is longer than {LONGEST_TARGET} characters")
    return url


def project_key(state: Path, environment: Mapping[str, str] | None = None) -> bytes:
    """The project's signing key: $SLUICE_SECRET, else `secret` in the state directory, made on first use and readable by its owner only.

    Processes that ask at the same time get the same key. Raises UsageError for a key that is too short to be one.
    """
    given = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
    if given:
        return _checked(given.encode(), f"${VARIABLE}")
    path = state / "secret"
    if not path.exists():
        _create(path, secrets.token_urlsafe(32).encode())
    return _checked(path.read_bytes().strip(), str(path))


def _create(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)  # the first one wins, and nobody ever sees half a key
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _checked(key: bytes, where: str) -> bytes:
    if len(key) < SHORTEST_KEY:
        raise UsageError(
            f"{where} is too short to sign with: it needs {SHORTEST_KEY} characters. "
            "Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'."
        )
    return key


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
