"""What is to go wrong: faults are ordered by a test or a person, and used up by the requests they hit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["rate_limit", "server_error", "partial", "timeout", "reset", "slow", "broken_json"]
KINDS: frozenset[str] = frozenset(get_args(Kind))
REQUEST_KINDS = KINDS - {"partial"}


class Fault(BaseModel):
    """Something that goes wrong for `vendor`, `times` times, with requests (or, for `partial`, rows) that contain `match`.

    rate_limit    refused as too many, not taken; `retry_after` seconds are told
    server_error  refused with a 5xx, not taken; `retry_after` seconds are told if set
    partial       taken, but for the rows that match; `code` is the vendor's error code
    timeout       taken, and never answered
    reset         the connection is reset by peer, `when` before or after the request was taken
    slow          taken, and answered after `seconds`, or when the faults are taken back
    broken_json   taken, and answered with half of the JSON
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: str
    kind: Kind
    times: int = Field(default=1, ge=1)
    match: str = ""
    retry_after: int | None = Field(default=None, ge=0)
    seconds: float = Field(default=2.0, ge=0)
    when: Literal["before", "after"] = "after"
    code: str | None = None


@dataclass
class Ordered:
    fault: Fault
    left: int


class Faults:
    """The faults still to come, first ordered first used."""

    def __init__(self) -> None:
        self._ordered: list[Ordered] = []
        self._taken_back = asyncio.Event()

    def add(self, fault: Fault) -> None:
        self._ordered.append(Ordered(fault, fault.times))

    def clear(self) -> None:
        """Take all of them back; what is slow answers now."""
        self._ordered.clear()
        self._taken_back.set()
        self._taken_back = asyncio.Event()

    async def be_slow(self, fault: Fault) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._taken_back.wait(), fault.seconds)

    def left(self) -> list[dict[str, object]]:
        return [{**ordered.fault.model_dump(), "times": ordered.left} for ordered in self._ordered]

    def take(self, vendor: str, text: str, kinds: frozenset[str] = REQUEST_KINDS, when: str | None = None) -> Fault | None:
        """The first fault of these kinds for that vendor whose `match` is in the text (as it is, or URL-decoded), used once.

        With `when`, a reset counts only if it is to happen then.
        """
        for ordered in self._ordered:
            fault = ordered.fault
            if fault.vendor != vendor or fault.kind not in kinds or (fault.kind == "reset" and when not in (None, fault.when)):
                continue
            if fault.match in text or fault.match in unquote_plus(text):
                ordered.left -= 1
                if not ordered.left:
                    self._ordered.remove(ordered)
                return fault
        return None
