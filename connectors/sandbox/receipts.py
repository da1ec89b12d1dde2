"""Sends what vendors report back to our collector: one POST after another, each kept thing reported until it was answered with 2xx."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx

from connectors.sandbox.emulator import Emulator, Kept, Pending

if TYPE_CHECKING:
    from connectors.sandbox.journal import Journal

HOUR = timedelta(hours=1)


async def send(emulator: Emulator, journal: Journal, receipts_to: str, client: httpx.AsyncClient, now: datetime | None) -> tuple[int, int]:
    """Report all that is due. Returns how many events were taken, and how many kept things are still to be reported.

    With `now` (demo time) events lie in the hour before it; without, between the thing's arrival and the present.
    """
    url = f"{receipts_to.rstrip('/')}/hooks/{emulator.destination}"
    due = journal.unreceipted(emulator.name, emulator.reports_on or frozenset({emulator.name}))
    left = iter(due)
    sent = reported = 0
    while chunk := list(islice(left, emulator.chunk)):
        events = await _report(emulator, [_pending(kept, now) for kept in chunk], url, client)
        if events is None:
            break
        journal.receipted(emulator.name, chunk)
        sent += events
        reported += len(chunk)
    return sent, len(due) - reported


async def _report(emulator: Emulator, pending: list[Pending], url: str, client: httpx.AsyncClient) -> int | None:
    """The number of events taken, or None when one was not taken: then the whole chunk stays due, as vendors repeat whole posts."""
    events = 0
    for outgoing in emulator.receipts(pending, url):
        target = f"{url}?{urlencode(outgoing.query)}" if outgoing.query else url
        try:
            response = await client.post(target, content=outgoing.body, headers=dict(outgoing.headers))
        except httpx.HTTPError:
            return None
        if not response.is_success:
            return None
        events += outgoing.events
    return events


def _pending(kept: Kept, now: datetime | None) -> Pending:
    if now is not None:
        return Pending(kept, now - HOUR, now)
    present = datetime.now(UTC)
    return Pending(kept, max(kept.at, present - HOUR), present)
