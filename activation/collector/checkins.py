"""Check-in on site: a code at the door leads here, whoever scans it says who they are, and that lands as a check-in.

The code is signed, so that nobody makes up an event or a booth. What people enter is checked like a form.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activation.collector import pages
from activation.collector.body import Bodies
from activation.collector.counters import Counters
from activation.collector.json_text import dump
from activation.collector.rates import Rates
from activation.collector.refusal import Refusal
from activation.collector.spool import Spool
from activation.collector.tokens import link_of
from activation.engine.form_specs import Checker, Form, FormField
from activation.engine.links import Link, Links

SOURCE = "offline_checkins"
FIELDS = {
    "full_name": FormField(title="Name", maxLength=100),
    "phone": FormField(title="Phone", format="phone"),
    "email": FormField(title="E-mail", format="email"),
}
_LONGEST_FORM = 8 << 10
_KINDS = {"full_name": ("text", "name"), "phone": ("tel", "tel"), "email": ("email", "email")}


class CheckIns:
    """/k/{token}. GET shows the questions and keeps nothing; POST needs a phone number or a mail address."""

    def __init__(self, spool: Spool, bodies: Bodies, counters: Counters, clock: Callable[[], datetime], links: Links, rates: Rates) -> None:
        self._spool = spool
        self._bodies = bodies
        self._counters = counters
        self._clock = clock
        self._links = links
        self._rates = rates
        self._checker = Checker(Form(title="Check-in", fields=FIELDS))

    def routes(self) -> list[Route]:
        return [Route("/k/{token}", self._ask, methods=["GET"]), Route("/k/{token}", self._check_in, methods=["POST"])]

    async def _ask(self, request: Request) -> Response:
        link = self._link(request)
        return pages.bad_link(request) if link is None else self._page(request, link, 200, {}, "")

    async def _check_in(self, request: Request) -> Response:
        link = self._link(request)
        if link is None:
            return pages.bad_link(request)
        self._rates.take(request)
        words = pages.words(request)
        try:
            body = (await self._bodies.read(request, _LONGEST_FORM)).decode("utf-8").strip()
            said = {name: value for name, value in parse_qsl(body, max_num_fields=20) if name in FIELDS}
        except ValueError:
            raise Refusal(400, "malformed_form", "The body is not a form in UTF-8.") from None
        values, faults = self._checker.check(said)
        if faults or not (values.get("phone") or values.get("email")):
            self._counters.add("refused_total", reason="checkin")
            return self._page(request, link, 422, said, words["check_in_wrong"])
        record = {
            "checkin_id": f"k_{secrets.token_hex(16)}",
            **link.place,
            **{name: values.get(name) for name in FIELDS},
            "checked_in_at": self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        await self._spool.append(SOURCE, [dump(record)])
        self._counters.add("events_total", source=SOURCE)
        return pages.told(request, words["checked_in"], [link.place.get("event_name", "")])

    def _page(self, request: Request, link: Link, status: int, said: Mapping[str, Any], fault: str) -> Response:
        words = pages.words(request)
        inputs = "".join(
            f'<label>{words[name]} <input type="{kind}" name="{name}" autocomplete="{complete}" maxlength="254" value="{escape(str(said.get(name, "")))}"></label>'
            for name, (kind, complete) in _KINDS.items()
        )
        alert = f'<p role="alert">{escape(fault)}</p>' if fault else ""
        form = f'{alert}<form method="post">{inputs}<button type="submit">{words["check_in"]}</button></form>'
        where = " · ".join(link.place[part] for part in ("event_name", "city", "booth") if link.place.get(part))
        return pages.page(request, status, words["check_in"], where, form)

    def _link(self, request: Request) -> Link | None:
        return link_of(request, "checkin", self._links, self._counters, self._clock())
