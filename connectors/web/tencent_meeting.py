"""Tencent Meeting: joins and leaves of meetings and webinars, as its event subscription tells them.

The signature is SHA-1 over token, timestamp, nonce and data, sorted and joined; data is base64, and AES-256-CBC inside of it where an
EncodingAESKey is set. The address is checked by a GET that wants its `check_str` back decoded; events want the sentence OK below.
Participants mostly come without an address: they are known by the id that Tencent Meeting gives them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from connectors.base import BadSignature, Callback, Connector, Received, SecretStr, Strict, same, secret

TOLERANCE = 300.0  # seconds
OK = b"successfully received callback"
EVENTS = {"participant-joined": "joined_at", "participant-left": "left_at"}


class TencentMeeting(Connector):
    channel = "web"
    receives = "webinar_attendance"

    class Options(Strict):
        """`token` and `encoding_aes_key` are those of the event subscription; without a key events come unencrypted."""

        token: SecretStr = secret(sandbox="sandboxtencentmeetingtoken")
        encoding_aes_key: SecretStr | None = None

    def receive(self, callback: Callback) -> Received:
        if callback.method == "GET":
            data = callback.query.get("check_str", "")
            self._verify(callback, data)
            return Received("webinar_attendance", [], self._plain(data))
        try:
            data = callback.json()["data"]
        except (KeyError, TypeError):
            raise BadSignature("not an event of Tencent Meeting's shape") from None
        if not isinstance(data, str):
            raise BadSignature("not an event of Tencent Meeting's shape")
        self._verify(callback, data)
        try:
            message = orjson.loads(self._plain(data))
            rows = list(_rows(str(message["event"]), message["payload"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, OverflowError):
            raise BadSignature("not an event of Tencent Meeting's shape") from None
        return Received("webinar_attendance", rows, OK)

    def _verify(self, callback: Callback, data: str) -> None:
        timestamp, nonce, signature = (callback.headers.get(name, "") for name in ("timestamp", "nonce", "signature"))
        parts = sorted([self.options.token.get_secret_value(), timestamp, nonce, data])
        expected = hashlib.sha1("".join(parts).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
        if not same(signature, expected):
            raise BadSignature("the signature does not fit")
        callback.check_time(timestamp, TOLERANCE, unit=0.001 if len(timestamp) > 11 else 1.0)  # seconds, or milliseconds

    def _plain(self, data: str) -> bytes:
        try:
            raw = base64.b64decode(data, validate=True)
            if self.options.encoding_aes_key is None:
                return raw
            key = base64.b64decode(self.options.encoding_aes_key.get_secret_value() + "=")
            decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
            unpadder = padding.PKCS7(256).unpadder()
            return unpadder.update(decryptor.update(raw) + decryptor.finalize()) + unpadder.finalize()
        except (binascii.Error, ValueError):
            raise BadSignature("the data cannot be decoded") from None


def _rows(event: str, payload: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What an event adds to people's attendance; nothing for events that are about nobody's."""
    column = EVENTS.get(event.partition(".")[2])
    for one in payload if column else ():
        who, meeting = one["operator"], one["meeting_info"]
        yield {
            "vendor": "tencent_meeting",
            "event": event,
            "webinar_id": str(meeting["meeting_id"]),
            "webinar_title": meeting.get("subject"),
            "email": who.get("email") or None,
            "participant": str(who.get("userid") or who.get("uuid") or who.get("open_id") or "") or None,
            "full_name": who.get("user_name") or None,
            str(column): _moment(int(one["operate_time"])).isoformat(),
        }


def _moment(number: int) -> datetime:
    """A moment in seconds, or, as some of its messages have it, in milliseconds."""
    return datetime.fromtimestamp(number / 1000 if number > 10**11 else number, UTC)
