"""How WeChat signs and encrypts what it sends us, and how that is opened.

`signature` is the SHA-1 of the sorted, concatenated token, timestamp and nonce; it does not cover the body. In encrypted mode
`msg_signature` covers the ciphertext too: AES-256-CBC with the key's first 16 bytes as IV, over 16 random bytes, the length as
4 bytes big-endian, the XML, and the appid, padded to 32 bytes.

Rules: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Technical_Plan.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from defusedxml.ElementTree import fromstring

from connectors.base import BadSignature, SecretStr, same

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

WINDOW = 300.0  # seconds between the vendor's clock and ours; it repeats an unanswered call within half a minute


def signature(*parts: str) -> str:
    return hashlib.sha1("".join(sorted(parts)).encode(errors="replace")).hexdigest()


def check_signature(given: str, *parts: str) -> None:
    if not same(given, signature(*parts)):
        raise BadSignature("the signature does not match")


def aes_key(encoding_aes_key: str) -> bytes:
    """The 32 bytes in the 43 characters that the console shows as EncodingAESKey. Raises ValueError."""
    key = base64.b64decode(encoding_aes_key + "=", validate=True)
    if len(key) != 32:
        raise ValueError("an EncodingAESKey has 43 characters")
    return key


def a_key(value: SecretStr | None) -> SecretStr | None:
    """The value of an option, if it is an EncodingAESKey. Raises ValueError."""
    if value is not None:
        aes_key(value.get_secret_value())
    return value


def decrypt(key: bytes, encrypted: str, appid: str) -> str:
    """The XML text in an `Encrypt` element. Raises BadSignature when it is not for `appid`."""
    try:
        ciphertext = base64.b64decode(encrypted)
        decryptor = Cipher(AES(key), CBC(key[:16])).decryptor()
        padded = decryptor.update(ciphertext) + decryptor.finalize()
    except ValueError:
        raise BadSignature("the message cannot be decrypted") from None
    # A wrong padding or length moves the end of the plain text, so that what stands there is no appid.
    plain = padded[16 : -padded[-1]] if padded else b""
    length = int.from_bytes(plain[:4], "big")
    if not hmac.compare_digest(plain[4 + length :], appid.encode()):
        raise BadSignature("the message is for another appid")
    return text(plain[4 : 4 + length])


def text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise BadSignature("the body is not UTF-8") from None


def elements(xml: str) -> dict[str, str]:
    """The text elements below `<xml>`, by name. Nested ones are left to readers of the XML itself. Entities and DTDs are refused."""
    try:
        root: Element = fromstring(xml, forbid_dtd=True)
    except (ParseError, ValueError):
        raise BadSignature("the body is not plain XML") from None
    if root.tag != "xml":
        raise BadSignature("the body is not a WeChat message")
    return {child.tag: child.text or "" for child in root if not len(child)}
