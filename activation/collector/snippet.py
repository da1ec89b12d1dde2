"""sluice.js, our own script for websites, as the collector serves it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FILE = Path(__file__).with_name("sluice.js")


class Snippet:
    """/sluice.js. Browsers keep it for an hour, and then ask whether it is still the same."""

    def __init__(self) -> None:
        self._script = FILE.read_bytes()
        self._headers = {
            "etag": f'"{hashlib.sha256(self._script).hexdigest()[:32]}"',
            "cache-control": "public, max-age=3600",
            "cross-origin-resource-policy": "cross-origin",
            "x-content-type-options": "nosniff",
        }

    def routes(self) -> list[Route]:
        return [Route("/sluice.js", self._serve, methods=["GET"])]

    async def _serve(self, request: Request) -> Response:
        if self._headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=self._headers)
        return Response(self._script, media_type="text/javascript", headers=self._headers)
