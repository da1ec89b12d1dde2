"""What time it is for a run: now, or the moment of a replay."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from activation.engine.declarations import Activation
from activation.engine.destinations import is_loopback
from activation.engine.errors import UsageError

VARIABLE = "SLUICE_AS_OF"


def replayed() -> datetime | None:
    """The moment $SLUICE_AS_OF names (UTC unless it says otherwise), as for the command line."""
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{VARIABLE}={text!r} is not a moment. Write it like 2026-10-31T10:00:00+08:00.") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def now() -> datetime:
    return replayed() or datetime.now(UTC)


def refuse_replay(activation: Activation) -> None:
    """A moment that is not now would answer quiet hours and caps wrongly for real people. Raises UsageError."""
    address = activation.destination.address()
    if replayed() and not is_loopback(address):
        raise UsageError(f"{VARIABLE} is for replays: {activation.ref} delivers to {address}, which is not on this machine.")
