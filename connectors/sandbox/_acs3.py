"""Alibaba Cloud's gateway: who may call, told by the ACS3-HMAC-SHA256 signature of the request.

Written apart from what connectors sign with, so that one checks the other.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote
from uuid import uuid4

import orjson
from starlette.requests import Request
from starlette.responses import Response

AUTHORIZATION = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})")
SKEW = timedelta(minutes=15)
NONCES = 100_000


class Gateway:
    """One access key, and the nonces seen of late."""

    def __init__(self, key_id: str, key_secret: str) -> None:
        self._key_id = key_id
        self._key_secret = key_secret
        self._nonces: OrderedDict[str, None] = OrderedDict()

    def refuses(self, request: Request, body: bytes) -> Response | None:
        """The gateway's refusal, or None when the request is signed by the key."""
        match = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if match is None:
            return gateway_error(400, "IncompleteSignature", "The request signature does not conform to Aliyun standards.")
        key_id, signed, signature = match.groups()
        if key_id != self._key_id:
            return gateway_error(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        if not _is_now(request.headers.get("x-acs-date", "")):
            return gateway_error(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
        canonical = _canonical_request(request, signed.split(";"), hashlib.sha256(body).hexdigest())
        to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        right = hmac.new(self._key_secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, right) or not _covers(request, signed.split(";")):
            said = f"Specified signature does not match our calculation. server StringToSign is [{to_sign}]"
            return gateway_error(400, "SignatureDoesNotMatch", f"{said} server CanonicalRequest is [{canonical}]")
        nonce = request.headers.get("x-acs-signature-nonce", "")
        if not nonce or nonce in self._nonces:
            return gateway_error(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
        self._nonces[nonce] = None
        if len(self._nonces) > NONCES:
            self._nonces.popitem(last=False)
        return None


def _canonical_request(request: Request, signed: list[str], digest: str) -> str:
    pairs = parse_qsl(request.url.query, keep_blank_values=True)
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(pairs))
    headers = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in signed)
    return "\n".join((request.method, "/", query, headers, ";".join(signed), digest))


def _covers(request: Request, signed: list[str]) -> bool:
    """Every x-acs- header that was sent has to be signed, and the host."""
    sent = {name.lower() for name in request.headers if name.lower().startswith("x-acs-")}
    return signed == sorted(signed) and sent | {"host"} <= set(signed)


def _is_now(date: str) -> bool:
    try:
        moment = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - moment) <= SKEW


def gateway_error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """The gateway's errors have an HTTP status of their own."""
    content = {
        "RequestId": str(uuid4()).upper(),
        "HostId": "dysmsapi.aliyuncs.com",
        "Code": code,
        "Message": message,
        "Recommend": f"https://api.aliyun.com/troubleshoot?q={code}&product=Dysmsapi",
    }
    return Response(orjson.dumps(content), status, headers, "application/json;charset=utf-8")
