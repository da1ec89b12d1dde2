"""The sandbox itself: one HTTP server for every vendor, the faults around them, and what people and tests may ask of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sandbox import page, receipts
from connectors.sandbox.emulator import Emulator, Kept, Marked, find
from connectors.sandbox.faults import Fault, Faults
from connectors.sandbox.journal import Journal


@dataclass(frozen=True)
class Addresses:
    http: str
    smtp: str


class Sandbox:
    """Emulated vendors, what they got, and what is to go wrong. Lives in one event loop."""

    def __init__(self, state_dir: Path | None, receipts_to: str | None, receipts_every: float | None) -> None:
        self.faults = Faults()
        self.journal = Journal(state_dir)
        self.receipts_to = receipts_to
        self.receipts_every = receipts_every
        self.stopping = asyncio.Event()
        self.emulators: dict[str, Emulator] = {name: kind(self, name) for name, kind in find().items()}
        for kept in self.journal.kept:
            self._apply(kept)
        self.app = Starlette(routes=[*self._own_routes(), *self._vendor_routes()])
        self._server: _Server | None = None
        self._sending = asyncio.Lock()

    def keep(self, vendor: str, kind: str, to: str, content: Mapping[str, Any]) -> Kept:
        """Take one thing: on disk, then in the state. See `Emulator.keep`."""
        kept = self.journal.add(vendor, kind, to, content)
        self._apply(kept)
        return kept

    def _apply(self, kept: Kept) -> None:
        if kept.vendor in self.emulators:
            self.emulators[kept.vendor].apply(kept)

    async def send_receipts(self, now: datetime | None = None) -> dict[str, dict[str, int]]:
        """Send all receipts that are due: `{"sent": {vendor: events}, "pending": {vendor: things not reported yet}}`."""
        answer: dict[str, dict[str, int]] = {"sent": {}, "pending": {}}
        if self.receipts_to is None:
            return answer
        # Not from the environment: a proxy set there must not see what goes over loopback.
        async with self._sending, httpx.AsyncClient(trust_env=False, timeout=30) as client:
            for emulator in self.emulators.values():
                if emulator.destination:
                    sent, pending = await receipts.send(emulator, self.journal, self.receipts_to, client, now)
                    answer["sent"][emulator.name] = sent
                    answer["pending"][emulator.name] = pending
        return answer

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", http_port: int = 4010, smtp_port: int = 4025) -> AsyncIterator[Addresses]:
        """Serve until the block is left; then every connection is closed. Port 0 picks a free one. Raises OSError if a port is taken."""
        self.stopping.clear()
        async with AsyncExitStack() as stack:
            stack.callback(self.journal.close)
            smtp = ""
            for emulator in self.emulators.values():
                if emulator.own_port:
                    smtp = await stack.enter_async_context(emulator.listen(host, smtp_port))
            http = await stack.enter_async_context(self._http(host, http_port))
            if self.receipts_every:
                task = asyncio.create_task(self._receipts_for_ever(self.receipts_every))
                stack.push_async_callback(_cancel, task)
            stack.callback(self.stopping.set)
            yield Addresses(http, smtp)

    @asynccontextmanager
    async def _http(self, host: str, port: int) -> AsyncIterator[str]:
        listener = socket.create_server((host, port), backlog=512)
        config = uvicorn.Config(
            self.app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = self._server = _Server(config)
        task = asyncio.create_task(server.serve([listener]))
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task
            listener.close()

    async def _receipts_for_ever(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            await self.send_receipts()

    async def reset(self, scope: Scope) -> None:
        """Reset the connection a request came on: the peer reads ECONNRESET. It is gone when this returns."""
        connections = self._server.server_state.connections if self._server else set()
        for connection in list(connections):
            transport = connection.transport
            if getattr(connection, "client", None) == scope["client"] and transport is not None:
                # Closing with a linger of zero sends RST instead of FIN.
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                transport.abort()
                while connection in connections:
                    await asyncio.sleep(0)

    def _vendor_routes(self) -> list[Route]:
        routes = []
        for emulator in self.emulators.values():
            for route in emulator.routes():
                route.app = _Faulty(route.app, emulator)
                routes.append(route)
        # Where vendors share a path, those that know their own requests look first.
        return sorted(routes, key=lambda route: not isinstance(route, Marked))

    def _own_routes(self) -> list[Route]:
        return [
            Route("/", self._page, methods=["GET"]),
            Route("/_sandbox/messages", self._messages, methods=["GET"]),
            Route("/_sandbox/state/{vendor}", self._state, methods=["GET"]),
            Route("/_sandbox/faults", self._faults, methods=["GET", "POST", "DELETE"]),
            Route("/_sandbox/receipts", self._receipts, methods=["POST"]),
        ]

    async def _page(self, request: Request) -> Response:
        vendor = request.query_params.get("vendor")
        shown = [kept for kept in self.journal.kept if vendor in (None, "", kept.vendor)][: -page.NEWEST - 1 : -1]
        html = page.render([(kept, self._shown(kept)) for kept in shown], self.journal.counts(), vendor or "")
        return HTMLResponse(html, headers=page.HEADERS)

    def _shown(self, kept: Kept) -> Any:
        emulator = self.emulators.get(kept.vendor)
        return emulator.shown(kept) if emulator else page.PLAIN

    async def _messages(self, request: Request) -> Response:
        query = request.query_params
        try:
            after, limit = int(query.get("after", "0")), int(query.get("limit", "1000000"))
        except ValueError:
            return _json({"error": "after and limit are whole numbers"}, 400)
        found = [kept for kept in self.journal.kept if query.get("vendor") in (None, kept.vendor)]
        shown = [kept.json() for kept in found if kept.id > after][:limit]
        return _json({"count": len(found), "counts": self.journal.counts(), "messages": shown})

    async def _state(self, request: Request) -> Response:
        emulator = self.emulators.get(request.path_params["vendor"])
        if emulator is None:
            return _json({"error": f"no such vendor; there are {', '.join(self.emulators)}"}, 404)
        return _json(emulator.state())

    async def _faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear()
        elif request.method == "POST":
            try:
                fault = Fault.model_validate_json(await request.body())
            except ValidationError as error:
                return _json({"errors": [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]}, 400)
            if fault.vendor not in self.emulators:
                return _json({"errors": [f"vendor: there are {', '.join(self.emulators)}"]}, 400)
            if fault.kind not in self.emulators[fault.vendor].kinds:
                return _json({"errors": [f"kind: {fault.vendor} has no {fault.kind}"]}, 400)
            self.faults.add(fault)
        return _json({"faults": self.faults.left()})

    async def _receipts(self, request: Request) -> Response:
        try:
            asked = orjson.loads(await request.body() or b"{}")
            now = datetime.fromisoformat(asked["now"]) if asked.get("now") else None
        except (ValueError, TypeError, AttributeError):
            return _json({"error": 'the body is {} or {"now": "2026-10-31T02:00:00Z"}'}, 400)
        if now is not None and now.tzinfo is None:
            now = now.replace(tzinfo=UTC)
        return _json(await self.send_receipts(now))


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the sandbox."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Faulty:
    """Injects ordered faults around one vendor endpoint."""

    def __init__(self, app: ASGIApp, emulator: Emulator) -> None:
        self.app = app
        self.emulator = emulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        sandbox = self.emulator.sandbox
        text = f"{request.method} {request.url.path}?{request.url.query}\n{body.decode(errors='replace')}"
        fault = sandbox.faults.take(self.emulator.name, text)
        if fault is not None and fault.kind in ("rate_limit", "server_error"):
            return await self.emulator.refuse(fault)(scope, receive, send)
        if fault is not None and fault.kind == "reset" and fault.when == "before":
            return await sandbox.reset(scope)

        answer: list[Message] = []

        async def take() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def hold(message: Message) -> None:
            answer.append(message)

        await self.app(scope, take, hold)
        if fault is not None and fault.kind == "reset":
            return await sandbox.reset(scope)
        if fault is not None and fault.kind == "timeout":
            await _gone(receive, sandbox.stopping)
            return await sandbox.reset(scope)
        if fault is not None and fault.kind == "slow":
            await sandbox.faults.be_slow(fault)
        if fault is not None and fault.kind == "broken_json":
            whole = b"".join(message.get("body", b"") for message in answer)
            broken = Response(whole[: len(whole) // 2] or b"{", media_type="application/json")
            return await broken(scope, receive, send)
        for message in answer:
            await send(message)
        return None


async def _gone(receive: Receive, stopping: asyncio.Event) -> None:
    """Wait until the client gives up or the sandbox stops."""
    waits = [asyncio.ensure_future(_disconnected(receive)), asyncio.ensure_future(stopping.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        await _cancel(wait)


async def _disconnected(receive: Receive) -> bool:
    while (await receive())["type"] != "http.disconnect":
        pass
    return True


async def _cancel(task: asyncio.Future[Any]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
