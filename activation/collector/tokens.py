"""The signed link that a request came by: whether it is to be believed, and a count of those that are not."""

from __future__ import annotations

from datetime import datetime

from starlette.requests import Request

from activation.collector.counters import Counters
from activation.engine.links import BadToken, Kind, Link, Links


def link_of(request: Request, kind: Kind, links: Links, counters: Counters, now: datetime) -> Link | None:
    """What the token in the path says; None when it is forged, too old, or made for another purpose."""
    try:
        return links.read(request.path_params["token"], kind, now)
    except BadToken:
        counters.add("bad_tokens_total", kind=kind)
        return None
