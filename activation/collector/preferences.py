"""The preference centre: what may come, by topic and channel. What somebody chooses lands as consent records.

The link names a message, and whoever holds it speaks for the person the message went to; who that is, the warehouse knows and the
collector does not. So the page cannot show what holds now: it changes what is chosen on it, and nothing else.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import escape
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from activation.collector import pages
from activation.collector.body import Bodies
from activation.collector.counters import Counters
from activation.collector.json_text import dump
from activation.collector.refusal import Refusal
from activation.collector.spool import Spool
from activation.collector.tokens import link_of
from activation.engine.links import Link, Links

SOURCE = "consent_records"
CHANNELS = ("email", "sms", "wechat")
_LONGEST_FORM = 8 << 10
_STATUS = {"yes": "granted", "no": "withdrawn"}


class Preferences:
    """/p/{token}. GET shows the choices and changes nothing. `topics` are the purposes people decide about, and `purpose/topic` of
    those that have topics, each with a description."""

    def __init__(
        self, spool: Spool, bodies: Bodies, counters: Counters, clock: Callable[[], datetime], links: Links, topics: Mapping[str, str]
    ) -> None:
        self._spool = spool
        self._bodies = bodies
        self._counters = counters
        self._clock = clock
        self._links = links
        self._topics = topics

    def routes(self) -> list[Route]:
        return [Route("/p/{token}", self._ask, methods=["GET"]), Route("/p/{token}", self._choose, methods=["POST"])]

    async def _ask(self, request: Request) -> Response:
        if self._link(request) is None:
            return pages.bad_link(request)
        return self._page(request, 200)

    async def _choose(self, request: Request) -> Response:
        link = self._link(request)
        if link is None:
            return pages.bad_link(request)
        said = dict(parse_qsl((await self._bodies.read(request, _LONGEST_FORM)).decode("latin-1").strip()))
        words = pages.words(request)
        records = []
        for topic in self._topics:
            if said.get("everything") == "no":
                records.append(self._record(link, topic, "all", "withdrawn", f"{words['nothing_at_all']} ({self._name(words, topic)})"))
                continue
            for channel in CHANNELS:
                if answer := said.get(f"{topic}.{channel}"):
                    if answer not in _STATUS:
                        raise Refusal(400, "no_choice", "A choice is yes or no.")
                    wording = words["choice"].format(topic=self._name(words, topic), channel=words[channel], answer=words[answer])
                    records.append(self._record(link, topic, channel, _STATUS[answer], wording))
        if records:
            await self._spool.append(SOURCE, [dump(record) for record in records])
            self._counters.add("events_total", len(records), source=SOURCE)
        chosen = [str(record["wording"]) for record in records]
        return pages.told(request, words["kept"] if chosen else words["unchanged"], chosen)

    def _record(self, link: Link, topic: str, channel: str, status: str, wording: str) -> dict[str, object]:
        purpose, _, part = topic.partition("/")
        return {
            "consent_id": f"pc_{uuid.uuid4().hex}",
            "identifier_type": "message_id",
            "identifier": link.message_id,
            "channel": channel,
            "purpose": purpose,
            **({"topic": part} if part else {}),
            "status": status,
            "source": "preference_centre",
            "wording": wording,
            "occurred_at": self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }

    def _page(self, request: Request, status: int) -> HTMLResponse:
        words = pages.words(request)
        rows = []
        for topic, description in self._topics.items():
            name = escape(self._name(words, topic))
            # Ours have words in every language; a topic's description is the project's own.
            about = f"<small>{escape(description)}</small>" if topic not in words and description else ""
            choices = "".join(
                f'<label>{words[channel]} <select name="{topic}.{channel}" aria-label="{name}, {words[channel]}">'
                f'<option value="">{words["as_it_is"]}</option><option value="yes">{words["yes"]}</option>'
                f'<option value="no">{words["no"]}</option></select></label>'
                for channel in CHANNELS
            )
            rows.append(f"<fieldset><legend>{name}</legend>{about}{choices}</fieldset>")
        form = (
            f'<form method="post">{"".join(rows)}<button type="submit">{words["save"]}</button>'
            f'<button class="plain" type="submit" name="everything" value="no">{words["nothing_at_all"]}</button></form>'
        )
        return pages.page(request, status, words["preferences"], words["preferences_why"], form)

    def _name(self, words: Mapping[str, str], topic: str) -> str:
        purpose, _, part = topic.partition("/")
        name = words.get(purpose, purpose.replace("_", " "))
        return f"{name}: {part.replace('_', ' ')}" if part else name

    def _link(self, request: Request) -> Link | None:
        return link_of(request, "preferences", self._links, self._counters, self._clock())
