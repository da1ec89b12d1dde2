"""Double opt-in: the receiver of a message says that it was really them who asked. What they say lands as a consent record.

The link names a message, and whoever can read that message has the address it went to. Which requests it confirms, the warehouse knows:
those for the link's purpose and channel that were waiting when it came back, and no others.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activation.collector import pages
from activation.collector.body import Bodies
from activation.collector.counters import Counters
from activation.collector.json_text import dump
from activation.collector.preferences import SOURCE
from activation.collector.refusal import Refusal
from activation.collector.spool import Spool
from activation.collector.tokens import link_of
from activation.engine.links import Link, Links

_LONGEST_FORM = 8 << 10


class Confirmations:
    """/y/{token}. GET asks and changes nothing; a POST of `confirm=yes` confirms. Confirming twice is confirming once."""

    def __init__(self, spool: Spool, bodies: Bodies, counters: Counters, clock: Callable[[], datetime], links: Links) -> None:
        self._spool = spool
        self._bodies = bodies
        self._counters = counters
        self._clock = clock
        self._links = links

    def routes(self) -> list[Route]:
        return [Route("/y/{token}", self._ask, methods=["GET"]), Route("/y/{token}", self._confirm, methods=["POST"])]

    async def _ask(self, request: Request) -> Response:
        link = self._link(request)
        return pages.bad_link(request) if link is None else pages.confirm(request, link)

    async def _confirm(self, request: Request) -> Response:
        link = self._link(request)
        if link is None:
            return pages.bad_link(request)
        if ("confirm", "yes") not in parse_qsl((await self._bodies.read(request, _LONGEST_FORM)).decode("latin-1").strip()):
            raise Refusal(400, "not_confirmed", "The body of this request is confirm=yes.")
        words = pages.words(request)
        wording = f"{pages.confirmable(words, link)} {words['confirm']}"
        record = {
            "consent_id": f"dc_{uuid.uuid4().hex}",
            "identifier_type": "message_id",
            "identifier": link.message_id,
            "channel": link.channel,
            "purpose": link.purpose,
            "status": "confirmed",
            "source": "double_opt_in",
            "double_opt_in": True,
            "wording": wording,
            "occurred_at": self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        await self._spool.append(SOURCE, [dump(record)])
        self._counters.add("events_total", source=SOURCE)
        return pages.told(request, words["confirmed"], [pages.confirmable(words, link)])

    def _link(self, request: Request) -> Link | None:
        return link_of(request, "confirm", self._links, self._counters, self._clock())
