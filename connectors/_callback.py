"""What a vendor tells us by a request of its own, and the looks at it that come before it is believed."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson


class BadSignature(Exception):
    """A callback that must not be believed. The message says why, for a count; nothing of the body is in it."""


@dataclass(frozen=True)
class Callback:
    """One HTTP request a vendor made to us: raw bytes, header names in lower case, `received_at` in UTC."""

    method: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    def json(self) -> Any:
        """The JSON in the body. Raises BadSignature when there is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise BadSignature("the body is not JSON") from None

    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects that the body is a list of. Raises BadSignature when it is none."""
        found = self.json()
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise BadSignature("the body is not a list of objects")
        return found

    def check_time(self, timestamp: str, tolerance: float, unit: float = 1.0) -> None:
        """Raises BadSignature unless it was signed at most `tolerance` seconds from now. `unit` is what the timestamp counts: 0.001 are milliseconds."""
        if not re.fullmatch(r"[0-9]{1,16}", timestamp):
            raise BadSignature("there is no timestamp")
        if abs(self.received_at.timestamp() - int(timestamp) * unit) > tolerance:
            raise BadSignature("the timestamp is too far from our clock")


@dataclass(frozen=True)
class Received:
    """What a believed callback held: JSON objects to land in `raw.<source>`, and the answer the vendor expects.

    `visit` is an address of the vendor's that is to be fetched once they are kept: so a subscription is confirmed.
    """

    source: str
    events: Sequence[Mapping[str, Any]]
    reply: bytes = b""
    media_type: str = "text/plain; charset=utf-8"
    visit: str = ""


def same(given: str, right: str) -> bool:
    """Whether a signature or a token is the right one. How long it takes says nothing; `given` may hold anything."""
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())
