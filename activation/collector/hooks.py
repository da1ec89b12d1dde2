"""Webhooks: what vendors send us, believed only when the connector says that it is theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activation.collector.body import MEGABYTE, Bodies
from activation.collector.counters import Counters
from activation.collector.json_text import dump
from activation.collector.refusal import Refusal
from activation.collector.spool import Spool
from connectors.base import BadSignature, Callback, Connector

LARGEST = 4 * MEGABYTE
LARGEST_CERTIFICATE = 64 * 1024
PATIENCE = 10.0  # seconds


class Hooks:
    """/hooks/{destination}. `base_url` is the address vendors know us by: some sign it."""

    def __init__(
        self,
        spool: Spool,
        bodies: Bodies,
        counters: Counters,
        clock: Callable[[], datetime],
        base_url: str,
        receivers: Mapping[str, Connector],
    ) -> None:
        self._spool = spool
        self._bodies = bodies
        self._counters = counters
        self._clock = clock
        self._base_url = base_url
        self._receivers = receivers

    def routes(self) -> list[Route]:
        return [Route("/hooks/{destination}", self._receive, methods=["GET", "POST"])]

    async def _receive(self, request: Request) -> Response:
        name = request.path_params["destination"]
        connector = self._receivers.get(name)
        if connector is None or connector.receives is None:
            raise Refusal(404, "unknown_destination", "No destination of this name takes callbacks here.", {"connection": "close"})
        body = await self._bodies.read(request, LARGEST)
        callback = self._callback(request, name, body)
        if address := connector.wants(callback):
            await self._tell(connector, address)
        try:
            received = connector.receive(callback)
        except BadSignature:
            self._counters.add("bad_signatures_total", destination=name)
            raise Refusal(401, "bad_signature", "This callback is not signed as it should be.") from None
        await self._spool.append(received.source, [dump(event) for event in received.events])
        if received.visit:
            await _fetch(received.visit)
        self._counters.add("events_total", len(received.events), source=received.source)
        return Response(received.reply, media_type=received.media_type)

    async def _tell(self, connector: Connector, address: str) -> None:
        try:
            connector.learn(address, await _fetch(address))
        except ValueError:
            raise Refusal(503, "no_certificate", "What this callback is signed with cannot be read at present.") from None

    def _callback(self, request: Request, name: str, body: bytes) -> Callback:
        query = request.scope["query_string"].decode("latin-1")
        return Callback(
            method=request.method,
            url=f"{self._base_url}/hooks/{name}" + (f"?{query}" if query else ""),
            query=dict(request.query_params),
            headers={header: ", ".join(request.headers.getlist(header)) for header in request.headers},
            body=body,
            received_at=self._clock(),
        )


async def _fetch(address: str) -> bytes:
    """What a vendor has at an address that its connector has checked: no redirects, no proxy or netrc of the environment."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as http, http.stream("GET", address) as response:
            found = b""
            async for part in response.aiter_bytes():
                found += part
                if len(found) > LARGEST_CERTIFICATE:
                    break
            if response.status_code == 200 and len(found) <= LARGEST_CERTIFICATE:
                return found
    except httpx.HTTPError:
        pass
    # The vendor posts again what was not answered well.
    raise Refusal(503, "vendor_unreachable", "The vendor's own address, which this callback needs, does not answer at present.")
