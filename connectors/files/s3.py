"""A bucket of Amazon S3, or of anything that speaks S3 (MinIO, R2, Aliyun OSS, Tencent COS): one object for each batch, each with a manifest.

An object is there whole or not at all, and S3 checks it against its signed SHA-256. The formats are described in `_formats.py`, the names and
the manifest in `_drop.py`. Services that know buckets only as host names (Aliyun OSS) need `addressing: host`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote, urlsplit

import defusedxml.ElementTree
import httpx
from defusedxml.common import DefusedXmlException
from pydantic import Field

from connectors._sigv4 import Signer
from connectors.base import Answer, Fatal, SecretStr, Transient, secret
from connectors.files._drop import Drop

ANSWER = Answer("S3", idempotent=True, fatal_statuses=frozenset())
AGAIN = frozenset({"SlowDown", "RequestTimeout", "OperationAborted", "InternalError", "ServiceUnavailable"})
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}


class S3(Drop):
    base_url = "https://s3.amazonaws.com"

    class Options(Drop.Options):
        """`prefix` goes before the file's name, such as `sluice/customers/`. Without a `base_url` the region's own endpoint is used."""

        bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
        region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]+$")
        prefix: str = Field(default="", pattern=r"^([^/].*)?$", max_length=800)
        addressing: Literal["path", "host"] = "path"
        access_key_id: str
        secret_access_key: SecretStr = secret(sandbox="sandbox-secret-access-key")
        session_token: SecretStr | None = None

    async def put(self, name: str, content: bytes) -> None:
        kind = "application/json" if name.endswith(".json") else TYPES[self.options.format]
        await self._call("PUT", "/" + self.options.prefix + name, content, {"content-type": kind})

    async def check(self) -> str:
        """Lists nothing and writes nothing: asking for the bucket proves address, credentials and name."""
        await self._call("HEAD", "/", b"", {})
        return f"the bucket {self.options.bucket} is there"

    async def _call(self, method: str, key: str, content: bytes, headers: dict[str, str]) -> None:
        options = self.options
        endpoint = self.address
        if endpoint == self.base_url and options.region != "us-east-1":
            endpoint = f"https://s3.{options.region}.amazonaws.com" + (".cn" if options.region.startswith("cn-") else "")
        parts = urlsplit(endpoint)
        host, path = parts.netloc, parts.path + quote(key, safe="/-_.~")
        if options.addressing == "host":
            host = f"{options.bucket}.{host}"
        else:
            path = f"{parts.path}/{options.bucket}" + quote(key, safe="/-_.~")
        url = f"{parts.scheme}://{host}{path}"
        signer = Signer("s3", options.region, options.access_key_id, options.secret_access_key, options.session_token)
        headers = signer.signed(method, url, headers, content, datetime.now(UTC))
        _raise_for(await self.http.request(method, url, content=content, headers=headers))


def _raise_for(response: httpx.Response) -> None:
    if response.is_success:
        return
    code = _code(response)
    if code in AGAIN or response.status_code == 409:
        raise Transient(code, f"S3 answered {response.status_code} {code}.")
    ANSWER.raise_for(response) if response.status_code != 404 else None
    what = {
        "NoSuchBucket": "there is no such bucket",
        "AccessDenied": "these credentials may not write to the bucket",
        "InvalidAccessKeyId": "there is no such access key",
        "SignatureDoesNotMatch": "the secret access key is wrong",
        "RequestTimeTooSkewed": "the clock of this machine is off",
        "ExpiredToken": "the session token has expired",
        "PermanentRedirect": "the bucket is in another region",
        "AuthorizationHeaderMalformed": "the bucket is in another region",
    }.get(code, "check address, bucket, region and credentials of this destination")
    raise Fatal(code, f"S3 answered {response.status_code} {code}: {what}.")


def _code(response: httpx.Response) -> str:
    """The error code of the XML answer; for an answer without one (HEAD has none), the status."""
    try:
        found = defusedxml.ElementTree.fromstring(response.content).findtext("Code") or ""
    except (defusedxml.ElementTree.ParseError, DefusedXmlException, ValueError):
        found = ""
    return found if re.fullmatch(r"[A-Za-z][A-Za-z0-9.]{0,63}", found) else f"HTTP_{response.status_code}"
