"""Clicks, opens and unsubscribes: what people do with a message. Each is on disk before it is answered."""

from __future__ import annotations

import re
import uuid
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activation.collector import pages
from activation.collector.body import Bodies
from activation.collector.counters import Counters
from activation.collector.json_text import dump
from activation.collector.refusal import Refusal
from activation.collector.spool import Spool
from activation.collector.tokens import link_of
from activation.engine.links import Kind, Link, Links

SOURCE = "tracking_events"
PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

_LONGEST_FORM = 8 << 10
_LONGEST_AGENT = 512
# The one field of an RFC 8058 body, where it comes as multipart/form-data.
_ONE_CLICK_PART = re.compile(
    rb'\r?\ncontent-disposition:[^\r\n]*name="?List-Unsubscribe"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\nOne-Click\r?\n', re.I
)


class Tracking:
    """The endpoints behind the links in messages. GET never changes what anybody is sent."""

    def __init__(self, spool: Spool, bodies: Bodies, counters: Counters, clock: Callable[[], datetime], links: Links) -> None:
        self._spool = spool
        self._bodies = bodies
        self._counters = counters
        self._clock = clock
        self._links = links

    def routes(self) -> list[Route]:
        return [
            Route("/c/{token}", self._click, methods=["GET"]),
            Route("/o/{token}.gif", self._open, methods=["GET"]),
            Route("/u/{token}", self._ask, methods=["GET"]),
            Route("/u/{token}", self._unsubscribe, methods=["POST"]),
        ]

    async def _click(self, request: Request) -> Response:
        link = self._link(request, "click")
        if link is None or link.url is None:
            return pages.bad_link(request)
        await self._record(request, "click", link)
        return Response(status_code=302, headers={**pages.HEADERS, "location": link.url})

    async def _open(self, request: Request) -> Response:
        link = self._link(request, "open")
        if link is None:
            return Response(status_code=404)
        await self._record(request, "open", link)
        return Response(PIXEL, media_type="image/gif", headers={"cache-control": "no-store"})

    async def _ask(self, request: Request) -> Response:
        link = self._link(request, "unsubscribe")
        if link is None:
            return pages.bad_link(request)
        await self._record(request, "page_shown", link)
        return pages.unsubscribe(request, link)

    async def _unsubscribe(self, request: Request) -> Response:
        """One click of a mail program, or the page's button. Needs no cookie, and does not redirect (RFC 8058 3.1)."""
        link = self._link(request, "unsubscribe")
        if link is None:
            return pages.bad_link(request)
        if not _one_click(await self._bodies.read(request, _LONGEST_FORM)):
            raise Refusal(400, "not_one_click", "The body of this request is List-Unsubscribe=One-Click.")
        await self._record(request, "unsubscribe", link)
        return pages.unsubscribed(request, link, self._links.preferences(link.message_id))

    def _link(self, request: Request, kind: Kind) -> Link | None:
        return link_of(request, kind, self._links, self._counters, self._clock())

    async def _record(self, request: Request, what: str, link: Link) -> None:
        if request.method == "HEAD":
            return  # a look at the headers: nobody clicked or opened anything
        event = {
            "event_id": f"t_{uuid.uuid4().hex}",
            "type": what,
            "message_id": link.message_id,
            "url": link.url,
            "channel": link.channel,
            "purpose": link.purpose,
            "occurred_at": self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "user_agent": request.headers.get("user-agent", "")[:_LONGEST_AGENT] or None,
            "ip_prefix": ip_prefix(request.client.host if request.client else ""),
        }
        await self._spool.append(SOURCE, [dump(event)])
        self._counters.add("events_total", source=SOURCE)


def ip_prefix(address: str) -> str | None:
    """The network a client came from, too coarse to be a person: /24 of IPv4, /48 of IPv6. None for what is no address."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ip_network(f"{ip}/{24 if ip.version == 4 else 48}", strict=False))


def _one_click(body: bytes) -> bool:
    """Whether a form (urlencoded or multipart, both are allowed) says List-Unsubscribe=One-Click."""
    if _ONE_CLICK_PART.search(body):
        return True
    return ("List-Unsubscribe", "One-Click") in parse_qsl(body.decode("latin-1").strip())
