"""The signature of Twilio's callbacks: HMAC over the address they were posted to, and every field with its values.

Rules: https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit


def signature(url: str, fields: Iterable[tuple[str, str]], key: str, digest: str = "sha1") -> str:
    """What `X-Twilio-Signature` holds. Fields that are there twice with one value count once."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), digest)).decode()


def algorithm(settings: str) -> str:
    """What `X-Twilio-Webhooks-Signature-Settings` names: HMAC_SHA1, which is the account's token, unless it says otherwise."""
    named = dict(part.strip().partition("=")[::2] for part in settings.split(","))
    return named.get("algorithm", "").strip().upper() or "HMAC_SHA1"


def addresses(url: str) -> set[str]:
    """The address as it is, without its port and with it: Twilio signs the one or the other."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.netloc.rpartition("@")[2].partition(":")[0]
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {url, parts._replace(netloc=host).geturl(), parts._replace(netloc=f"{host}:{port}").geturl()}
