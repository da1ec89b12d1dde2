"""WeChat's own side of its door: tokens that are good for two hours, and posts that are signed and encrypted for one account."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import time
from collections.abc import Mapping
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from connectors.sandbox.emulator import Outgoing

GOOD_FOR = 7200
APART = 30  # seconds between two forced refreshes


class Tokens:
    """The stable token, and those of the older interface. None survives the sandbox."""

    def __init__(self) -> None:
        self._good_until: dict[str, float] = {}
        self._stable = ""
        self._forced_at = 0.0
        self.issued = 0
        self.distrusted: set[str] = set()  # refused, though stable_token would still give them

    def stable(self, fresh: bool) -> tuple[str, int] | None:
        """The token and the seconds it is still good for. A fresh one ends the one before; None within 30 seconds of the last such."""
        if fresh:
            if time.time() - self._forced_at < APART:
                return None
            self._forced_at = time.time()
            self._good_until.pop(self._stable, None)
        if self._good_until.get(self._stable, 0.0) < time.time():
            self._stable = self.issue()
        return self._stable, max(1, int(self._good_until[self._stable] - time.time()))

    def issue(self) -> str:
        self.issued += 1
        token = f"{secrets.randbelow(90) + 10}_{secrets.token_urlsafe(96)}"
        self._good_until[token] = time.time() + GOOD_FOR
        return token

    def expire(self) -> None:
        """No token that was given is good any more."""
        self._good_until = dict.fromkeys(self._good_until, 0.0)

    def trouble(self, token: str) -> tuple[int, str] | None:
        """The errcode and errmsg for a call with this token, or None when it is good."""
        if not token:
            return 41001, "access_token missing"
        if token not in self._good_until or token in self.distrusted:
            return 40001, "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken"
        if self._good_until[token] < time.time():
            return 42001, "access_token expired"
        return None


class Post:
    """Encrypts for one account, as its server settings say."""

    def __init__(self, appid: str, token: str, encoding_aes_key: str, account: str) -> None:
        self._appid = appid
        self._token = token
        self._key = base64.b64decode(encoding_aes_key + "=")
        self._account = account

    def event(self, openid: str, moment: int, fields: Mapping[str, str]) -> Outgoing:
        """One event of a follower, in encrypted mode."""
        inner = {"ToUserName": self._account, "FromUserName": openid, "CreateTime": str(moment), "MsgType": "event", **fields}
        return self.post(inner, openid)

    def post(self, inner: Mapping[str, str], openid: str) -> Outgoing:
        """One message, encrypted and signed."""
        encrypted = self.encrypt(xml(inner))
        timestamp, nonce = str(int(time.time())), str(secrets.randbelow(10**10))
        query = {
            "signature": self._sign(timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "openid": openid,
            "encrypt_type": "aes",
            "msg_signature": self._sign(timestamp, nonce, encrypted),
        }
        body = xml({"ToUserName": self._account, "Encrypt": encrypted})
        return Outgoing(body.encode(), headers={"content-type": "text/xml"}, query=query)

    def encrypt(self, text: str) -> str:
        content = text.encode()
        plain = os.urandom(16) + len(content).to_bytes(4, "big") + content + self._appid.encode()
        missing = 32 - len(plain) % 32
        encryptor = Cipher(AES(self._key), CBC(self._key[:16])).encryptor()
        return base64.b64encode(encryptor.update(plain + bytes([missing]) * missing) + encryptor.finalize()).decode()

    def _sign(self, *parts: str) -> str:
        return hashlib.sha1("".join(sorted((self._token, *parts))).encode()).hexdigest()


def xml(fields: Mapping[str, str]) -> str:
    """Numbers bare, all else in CDATA, as WeChat writes them."""
    lines = (f"<{name}>{value if value.isdigit() else _cdata(value)}</{name}>" for name, value in fields.items())
    return "<xml>" + "\n".join(lines) + "</xml>"


def _cdata(text: str) -> str:
    return escape(text) if "]]>" in text else f"<![CDATA[{text}]]>"
