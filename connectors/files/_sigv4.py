"""Amazon's request signature, version 4, as S3 wants it: the path is encoded once, and the body's hash is a header.

Rules: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

ALGORITHM = "AWS4-HMAC-SHA256"


def signed(
    method: str, path: str, headers: Mapping[str, str], body: bytes, at: datetime, region: str, key_id: str, secret: str
) -> dict[str, str]:
    """The headers with those that sign them. `path` is percent-encoded as it goes out, `headers` hold `host`, `at` is in UTC."""
    moment, day = f"{at:%Y%m%dT%H%M%SZ}", f"{at:%Y%m%d}"
    digest = hashlib.sha256(body).hexdigest()
    whole = {name.lower(): " ".join(value.split()) for name, value in headers.items()} | {
        "x-amz-date": moment,
        "x-amz-content-sha256": digest,
    }
    names = ";".join(sorted(whole))
    lines = "".join(f"{name}:{whole[name]}\n" for name in sorted(whole))
    request = "\n".join([method, path, "", lines, names, digest])
    scope = f"{day}/{region}/s3/aws4_request"
    to_sign = "\n".join([ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request", to_sign):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return whole | {"authorization": f"{ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={key.hex()}"}
