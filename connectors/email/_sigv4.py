"""Amazon's request signature, version 4.

Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


def signed(
    method: str, url: str, headers: Mapping[str, str], body: bytes, key_id: str, key_secret: str, region: str, service: str, now: datetime
) -> dict[str, str]:
    """The headers of a request with its date and signature. All of them are signed; `url` has no query, its path goes out as it stands."""
    parts, moment = urlsplit(url), now.strftime("%Y%m%dT%H%M%SZ")
    sent = {**{name.lower(): value.strip() for name, value in headers.items()}, "host": parts.netloc, "x-amz-date": moment}
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{sent[name]}\n" for name in sorted(sent))
    # Every service but S3 wants a path that is encoded already encoded once more.
    path = quote(parts.path or "/", safe="/~")
    request = "\n".join([method, path, "", lines, names, hashlib.sha256(body).hexdigest()])
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{key_secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return {**sent, "authorization": f"{ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"}
