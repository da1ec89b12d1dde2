"""Alibaba Cloud's request signature, version 3: ACS3-HMAC-SHA256.

Rules: https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

ALGORITHM = "ACS3-HMAC-SHA256"
FORM = "application/x-www-form-urlencoded"


def signed(
    host: str, path: str, action: str, version: str, parameters: Mapping[str, str], form: bytes, keys: tuple[str, str, str | None]
) -> dict[str, str]:
    """The headers of a POST of an RPC-style call, made for this moment and good once. `keys` are the id, the secret and, of a temporary key, the token."""
    key_id, key_secret, security_token = keys
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": uuid4().hex,
        "x-acs-content-sha256": hashlib.sha256(form).hexdigest(),
    }
    if form:
        headers["content-type"] = FORM
    if security_token:
        headers["x-acs-security-token"] = security_token
    return headers | {"Authorization": authorization("POST", path, parameters, headers, key_id, key_secret)}


def keys(options: Any) -> tuple[str, str, str | None]:
    """The key in the options of a destination."""
    token = options.security_token.get_secret_value() if options.security_token else None
    return options.access_key_id.get_secret_value(), options.access_key_secret.get_secret_value(), token


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
