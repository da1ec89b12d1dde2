"""Events from websites, apps and servers: Segment's HTTP API, so that its clients work unchanged."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from activation.collector.body import Bodies
from activation.collector.counters import Counters
from activation.collector.json_text import parse
from activation.collector.messages import KINDS, Malformed, line, refused, shared_by
from activation.collector.rates import Rates
from activation.collector.refusal import Refusal
from activation.collector.spool import Spool

LARGEST = 500 << 10
EMBEDDED_SOURCE = "web_events"
# The browser client writes the kind as one letter.
_PATHS = {path: kind for kind in KINDS for path in (kind, kind[0])}
_BATCH_PATHS = ("batch", "b", "import")

log = logging.getLogger("sluice.collector")


class Events:
    """The endpoints below /v1. `write_keys` says into which raw source a key writes; None takes any key, or none."""

    def __init__(
        self,
        spool: Spool,
        bodies: Bodies,
        counters: Counters,
        clock: Callable[[], datetime],
        write_keys: Mapping[str, str] | None,
        rates: Rates,
        base_url: str,
    ) -> None:
        self._spool = spool
        self._bodies = bodies
        self._counters = counters
        self._clock = clock
        self._write_keys = write_keys
        self._rates = rates
        self._base_url = base_url

    def routes(self) -> list[Route]:
        return [
            *(Route(f"/{path}", self._one(kind), methods=["POST"]) for path, kind in _PATHS.items()),
            *(Route(f"/{path}", self._batch, methods=["POST"]) for path in _BATCH_PATHS),
            Route("/projects/{write_key}/settings", self._settings, methods=["GET"]),
        ]

    async def _settings(self, request: Request) -> Response:
        """What Segment's browser client asks its CDN for first; given our address as `cdnURL`, it learns here where events go."""
        key = request.path_params["write_key"]
        self._source(key)
        scheme, _, address = self._base_url.partition("://")
        segment = {"apiKey": key, "apiHost": f"{address}/v1", "protocol": scheme}
        return JSONResponse(
            {"integrations": {"Segment.io": segment}, "plan": {}, "analyticsNextEnabled": True, "metrics": {"sampleRate": 0}},
            headers={"cache-control": "public, max-age=300"},
        )

    def _one(self, kind: str) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            message, source = await self._read(request)
            if message.get("type") is None:
                message["type"] = kind
            if message["type"] != kind:
                raise Refusal(400, "bad_type", f"This address takes messages of type {kind}.")
            try:
                kept = line(message, {}, self._now())
            except Malformed as fault:
                self._counters.add("refused_total", reason=fault.code)
                raise Refusal(413 if fault.code == "too_large" else 400, fault.code, fault.message) from None
            await self._keep(source, [kept], events=1)
            return JSONResponse({"success": True})

        return endpoint

    async def _batch(self, request: Request) -> Response:
        """Keeps every message of a batch. A malformed one is kept for quarantine and named in the answer, so that it is neither
        lost nor takes the others with it; a batch that holds nothing else is refused, and nothing of it is kept.
        """
        envelope, source = await self._read(request)
        messages = envelope.get("batch")
        if not isinstance(messages, list):
            raise Refusal(400, "no_batch", "`batch` is a list of messages.")
        shared, received_at = shared_by(envelope), self._now()
        lines: list[bytes] = []
        faults: list[dict[str, Any]] = []
        for index, message in enumerate(messages):
            try:
                lines.append(line(message, shared, received_at))
            except Malformed as fault:
                self._counters.add("refused_total", reason=fault.code)
                faults.append({"index": index, "code": fault.code, "message": fault.message})
                lines.append(refused(message, fault))
        if faults and len(faults) == len(messages):
            first = faults[0]
            status = 413 if first["code"] == "too_large" else 400
            raise Refusal(status, first["code"], f"No message of this batch can be kept. The first: {first['message']}")
        await self._keep(source, lines, events=len(lines) - len(faults))
        return JSONResponse({"success": True, "refused": faults} if faults else {"success": True})

    async def _keep(self, source: str, lines: list[bytes], events: int) -> None:
        await self._spool.append(source, lines)
        self._counters.add("events_total", events, source=source)

    async def _read(self, request: Request) -> tuple[dict[str, Any], str]:
        """The JSON object sent, and the raw source its write key writes into. The content type is ignored: browsers send text/plain
        to be spared a preflight.
        """
        self._rates.take(request)
        key = _basic_user(request.headers.get("authorization", ""))
        if key is not None:
            self._source(key)  # before the body is read: a stranger's is not worth it
        body = await self._bodies.read(request, LARGEST, unpack=True)
        try:
            content = parse(body)
        except ValueError:
            raise Refusal(400, "malformed_json", "The body is not JSON.") from None
        if not isinstance(content, dict):
            raise Refusal(400, "not_an_object", "The body is a JSON object.")
        return content, self._source(key if key is not None else content.get("writeKey"))

    def _source(self, key: Any) -> str:
        if self._write_keys is None:
            return EMBEDDED_SOURCE
        source = self._write_keys.get(key) if isinstance(key, str) else None
        if source is None:
            raise Refusal(401, "invalid_write_key", "The write key is missing or not known here.", {"connection": "close"})
        return source

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _basic_user(header: str) -> str | None:
    """The user name of Basic authentication, or None when the header is no such thing."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")[0]
    except (binascii.Error, ValueError):
        return ""
