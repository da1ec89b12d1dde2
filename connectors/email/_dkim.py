"""DKIM (RFC 6376) of mail that leaves by SMTP, for relays that do not sign themselves. Relaxed for headers and body; `dkimpy` signs.

The headers of one-click unsubscribe are covered, without which no mail program shows the button (RFC 8058, 4).
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

try:
    import dkim
except ImportError:  # comes with the extra `dkim`
    dkim = None

COVERED = (
    "from", "to", "subject", "date", "message-id", "reply-to", "list-unsubscribe", "list-unsubscribe-post",
    "mime-version", "content-type", "content-transfer-encoding",
)  # fmt: skip


def signed(content: bytes, domain: str, selector: str, key: SecretStr) -> bytes:
    """The mail with its signature in front."""
    covered = [name.encode() for name in COVERED]
    made = dkim.sign(
        content,
        selector.encode(),
        domain.encode(),
        key.get_secret_value().encode(),
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=covered,
    )
    return bytes(made) + content


def a_key(value: SecretStr | None) -> SecretStr | None:
    """The value of an option, if it is a private RSA key in PEM and there is something to sign with. Raises ValueError."""
    if value is None:
        return None
    if dkim is None:
        raise ValueError('needs a library: pip install "sluice[dkim]"')
    try:
        key = load_pem_private_key(value.get_secret_value().encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("is not a private RSA key in PEM")
    return value
