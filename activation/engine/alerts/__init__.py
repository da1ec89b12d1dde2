"""Alerts on change of state: what begins to fail is told, what goes on failing is not, what works again is told too.

A subject is a destination, or a sync or send. An alert that cannot be delivered never fails a run: it is said where the run is watched,
and tried again at the end of the next run of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from activation.engine.alert_channels import Alerts, Channel
from activation.engine.alerts import book, telling
from activation.engine.alerts.troubles import Found, of_error, of_run
from activation.engine.destinations import Destination
from activation.engine.errors import LedgerBroken
from activation.engine.ledger import open_ledger
from activation.engine.project import Project

__all__ = ["Alerts", "Channel", "Found", "of_error", "of_run", "send"]


def send(
    project: Project, alerts: Alerts, destinations: Mapping[str, Destination], found: Sequence[Found], say: Callable[[str], None]
) -> None:
    """Write down what was found and tell everybody what they do not know yet. Nothing raises: `say` gets a sentence instead."""
    if not alerts.channels:
        return
    try:
        with open_ledger(project) as ledger:
            for one in found:
                book.note(ledger, one, datetime.now(UTC))
            for channel, change in book.due(ledger, alerts.channels):
                trouble = telling.tell(destinations[channel.destination], channel, change, project.root.name)
                if trouble is None:
                    book.told(ledger, channel, change)
                else:
                    book.untold(ledger, channel, change)
                    say(
                        f"`{telling.headline(change)}` could not be told to {channel.destination}: {trouble} It is tried again after the next run."
                    )
    except LedgerBroken as error:
        say(f"Nobody could be alerted: {error}")
