"""A partner's endpoint: `POST /webhooks/<name>` with rows, signed by Standard Webhooks. Repeats of a `webhook-id` are taken once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.emulator import Emulator, Kept, Shown

SECRET = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC1mb3ItbG9vcGJhY2s="
TOLERANCE = 300


class Webhook(Emulator):
    """Answers 200; 207 with one result for each row if a `partial` fault refuses some; 401 if the signature is wrong or stale.

    The body is an array of rows, or an object that has them under "rows".
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._taken: set[tuple[str, int]] = set()  # (webhook-id, place in the body)

    def routes(self) -> Sequence[Route]:
        return [Route("/webhooks/{name}", self.take, methods=["POST"])]

    async def take(self, request: Request) -> Response:
        body = await request.body()
        if not _signed(request.headers, body):
            return Response(b'{"error":"signature"}', 401, media_type="application/json")
        try:
            sent = orjson.loads(body)
        except orjson.JSONDecodeError:
            return Response(b'{"error":"not JSON"}', 400, media_type="application/json")
        rows = sent.get("rows") if isinstance(sent, dict) else sent
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return Response(b'{"error":"rows expected"}', 422, media_type="application/json")
        unique = request.headers["webhook-id"]
        results = self._keep(request.path_params["name"], unique, rows)
        refused = any(result["status"] == "rejected" for result in results)
        return Response(orjson.dumps({"results": results}), 207 if refused else 200, media_type="application/json")

    def _keep(self, name: str, unique: str, rows: list[dict[str, Any]]) -> list[dict[str, str]]:
        results = []
        for index, row in enumerate(rows):
            repeated = (unique, index) in self._taken
            fault = None if repeated else self.refused(orjson.dumps(row).decode())
            if fault is not None:
                results.append({"status": "rejected", "code": fault.code or "REFUSED", "reason": "The partner does not want this row."})
                continue
            if not repeated:
                self.keep("row", to=name, content={"webhook_id": unique, "index": index, "row": row})
            results.append({"status": "sent"})
        return results

    def apply(self, kept: Kept) -> None:
        self._taken.add((kept.content["webhook_id"], kept.content["index"]))

    def state(self) -> Any:
        return {"rows": len(self._taken)}

    def shown(self, kept: Kept) -> Shown:
        row = orjson.dumps(kept.content["row"], option=orjson.OPT_INDENT_2).decode()
        return Shown(f"row for {kept.to}", row)


def _signed(headers: Mapping[str, str], body: bytes) -> bool:
    """Checked by hand and not with the library the connector signs with, so that one checks the other."""
    unique, timestamp, signatures = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not unique or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE:
        return False
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    right = hmac.new(key, f"{unique}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    for signature in signatures.split():
        version, _, value = signature.partition(",")
        try:
            if version == "v1" and hmac.compare_digest(base64.b64decode(value), right):
                return True
        except binascii.Error:
            continue
    return False
