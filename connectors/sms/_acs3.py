"""Alibaba Cloud's request signature, version 3: ACS3-HMAC-SHA256.

Rules: https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

ALGORITHM = "ACS3-HMAC-SHA256"


def canonical_query(parameters: Mapping[str, str]) -> str:
    """Parameters sorted by name, names and values percent-encoded by RFC 3986 (a space is %20, only `-_.~` stay)."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(parameters.items()))


def authorization(method: str, path: str, parameters: Mapping[str, str], headers: Mapping[str, str], key_id: str, key_secret: str) -> str:
    """The `Authorization` header of a request. All `headers` are signed, `x-acs-content-sha256` of the body among them."""
    lowered = sorted((name.lower(), value.strip()) for name, value in headers.items())
    names = ";".join(name for name, _ in lowered)
    lines = "".join(f"{name}:{value}\n" for name, value in lowered)
    request = "\n".join([method, path, canonical_query(parameters), lines, names, dict(lowered)["x-acs-content-sha256"]])
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(key_secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}"
