"""Tencent Cloud's request signature, version 3: TC3-HMAC-SHA256, over content type, host and body as the vendor's SDKs sign.

Rules: https://cloud.tencent.com/document/api/382/52072
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

ALGORITHM = "TC3-HMAC-SHA256"
SIGNED = "content-type;host"


def authorization(service: str, host: str, content_type: str, content: bytes, timestamp: int, secret_id: str, secret_key: str) -> str:
    """The `Authorization` header of a POST. The path of every service is `/`, and the day is that of UTC."""
    headers = f"content-type:{content_type}\nhost:{host}\n"
    request = "\n".join(["POST", "/", "", headers, SIGNED, hashlib.sha256(content).hexdigest()])
    day = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    scope = f"{day}/{service}/tc3_request"
    to_sign = "\n".join([ALGORITHM, str(timestamp), scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"TC3{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={SIGNED}, Signature={signature}"
