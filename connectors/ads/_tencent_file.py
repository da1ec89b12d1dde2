"""Files of identifiers as Tencent Ads takes them: one kind to a file, one identifier a line, zipped."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable

from connectors.ads import _identity as identity


def _mobile(value: object) -> str:
    number = identity.phone(value)
    return number[2:] if identity.MAINLAND.fullmatch(number) else ""


def _md5(value: str) -> str:
    return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest() if value else ""


def _as_it_is(value: object) -> str:
    return "" if value is None else "".join(str(value).split())


# The field of a row that holds each kind of identifier, and how it is made ready.
KINDS: dict[str, tuple[str, Callable[[object], str]]] = {
    "HASH_MOBILE_PHONE": ("phone", lambda value: _md5(_mobile(value))),
    "SHA256_MOBILE_PHONE": ("phone", lambda value: identity.sha256(_mobile(value))),
    "WECHAT_OPENID": ("openid", _as_it_is),
    "WX_UNIONID": ("unionid", _as_it_is),
    "OAID": ("device_id", _as_it_is),
    "IDFA": ("device_id", lambda value: _as_it_is(value).upper()),
}


def zipped(lines: Iterable[str]) -> bytes:
    """A zip file of one text file, the same for the same lines. Hashes hardly get smaller, so they are stored as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("members.txt"), "".join(f"{line}\n" for line in lines))
    return buffer.getvalue()
