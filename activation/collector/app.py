"""The collector as an ASGI application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from activation.collector import pages
from activation.collector.body import Bodies
from activation.collector.checkins import CheckIns
from activation.collector.confirmations import Confirmations
from activation.collector.counters import MEDIA_TYPE, Counters
from activation.collector.events import Events
from activation.collector.forms import Forms
from activation.collector.hooks import Hooks
from activation.collector.json_text import TooDeep
from activation.collector.preferences import Preferences
from activation.collector.rates import Rates
from activation.collector.refusal import Refusal, too_busy, unwritable
from activation.collector.snippet import Snippet
from activation.collector.spool import Spool, SpoolFull, SpoolUnwritable
from activation.collector.tracking import Tracking
from activation.engine.form_specs import Form
from activation.engine.links import Links
from connectors.base import Connector

log = logging.getLogger("sluice.collector")
_PARTS = frozenset({"v1", "hooks", "c", "o", "u", "p", "y", "f", "k", "sluice.js", "healthz", "metrics"})


def utc_now() -> datetime:
    return datetime.now(UTC)


def build(
    spool: Spool,
    links: Links,
    receivers: Mapping[str, Connector],
    write_keys: Mapping[str, str] | None = None,
    clock: Callable[[], datetime] = utc_now,
    *,
    origins: Sequence[str] = ("*",),
    bodies: Bodies | None = None,
    rates: Rates | None = None,
    topics: Mapping[str, str] | None = None,
    forms: Mapping[str, Form] | None = None,
    content: Path = Path(),
) -> Starlette:
    """The application. It starts and closes `spool`.

    `receivers`: connectors by destination, for /hooks/<destination>. `write_keys`: the raw source each key writes into; None takes
    events with any key or none. `origins`: the sites whose scripts may send events. `rates`: how much of what anyone may send one
    address sends. `topics`: what the preference centre asks about, with descriptions. `forms` are served with their pages in `content`.
    """
    counters, bodies, rates = Counters(), bodies or Bodies(), rates or Rates(None)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if write_keys is None:
            log.warning("no write keys are set: anyone who reaches this address can send events")
        await spool.start()
        yield
        await spool.close()

    async def health(_: Request) -> Response:
        if spool.healthy:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "the spool cannot be written"}, 503)

    async def metrics(_: Request) -> Response:
        text = counters.text(spool_lines_total=spool.appended, spool_bytes_total=spool.written, spool_syncs_total=spool.commits)
        return Response(text, media_type=MEDIA_TYPE)

    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=["Retry-After"],
        max_age=86400,
    )
    served = Forms(spool, bodies, counters, clock, forms or {}, content, rates, origins)
    events = Events(spool, bodies, counters, clock, write_keys, rates, links.base_url)
    app = Starlette(
        routes=[
            Mount("/v1", Router(events.routes(), redirect_slashes=False), middleware=[cors]),
            *Hooks(spool, bodies, counters, clock, links.base_url, receivers).routes(),
            *Tracking(spool, bodies, counters, clock, links).routes(),
            *Preferences(spool, bodies, counters, clock, links, topics or {}).routes(),
            *Confirmations(spool, bodies, counters, clock, links).routes(),
            *CheckIns(spool, bodies, counters, clock, links, rates).routes(),
            Mount("/f", Router(served.routes(), redirect_slashes=False), middleware=[cors]),
            *Snippet().routes(),
            Route("/healthz", health, methods=["GET"]),
            Route("/metrics", metrics, methods=["GET"]),
        ],
        middleware=[Middleware(_CountRequests, counters=counters)],
        exception_handlers={
            Refusal: _refused,
            SpoolFull: _refused,
            SpoolUnwritable: _refused,
            TooDeep: _too_deep,
            HTTPException: _no_such_thing,
            ClientDisconnect: _gone,
            Exception: _broken,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


async def _refused(request: Request, error: Any) -> Response:
    """People get a page, programs get JSON."""
    if isinstance(error, SpoolFull | SpoolUnwritable):
        refusal = too_busy(error.retry_after) if isinstance(error, SpoolFull) else unwritable(error.retry_after)
        if request.url.path.startswith(("/c/", "/u/", "/p/", "/y/", "/f/", "/k/")):
            return pages.busy(request, refusal.status, error.retry_after)
        return refusal.as_json()
    answer: Response = error.as_json()
    return answer


async def _too_deep(_: Request, __: Any) -> Response:
    return Refusal(400, "too_deep", "What was sent is nested too deeply.").as_json()


async def _no_such_thing(_: Request, error: Any) -> Response:
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
    return Refusal(error.status_code, code, error.detail, error.headers).as_json()


async def _gone(_: Request, __: Any) -> Response:
    return Response(status_code=400)  # for nobody: the client left before its body had come


async def _broken(_: Request, __: Any) -> Response:
    return Refusal(500, "internal", "This request was not kept, because of a fault of ours.").as_json()


class _CountRequests:
    def __init__(self, app: ASGIApp, counters: Counters) -> None:
        self._app = app
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        part = scope["path"].split("/", 2)[1] if scope["path"].startswith("/") else ""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = part if part in _PARTS else "other"
                self._counters.add("requests_total", route=route, status=str(message["status"]))
            await send(message)

        await self._app(scope, receive, counted)
