"""Telling one channel of one change, through the connector of its destination."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from typing import Any

import httpx
import orjson

from activation.engine.alert_channels import OBJECTS, Channel
from activation.engine.alerts.book import Change
from activation.engine.destinations import Destination
from activation.engine.errors import SluiceError
from connectors.base import Batch, ConnectorError, Outcome, Row

SECONDS = 15.0  # a run does not wait longer than this to be spoken of


def tell(destination: Destination, channel: Channel, change: Change, project: str) -> str | None:
    """None when it was taken, else a sentence that says why not."""
    try:
        outcomes = asyncio.run(_deliver(destination, channel, change, project))
    except (SluiceError, ConnectorError) as error:
        return getattr(error, "reason", str(error))
    except TimeoutError:
        return f"no answer within {SECONDS:.0f} seconds."
    except (httpx.HTTPError, OSError) as error:
        return f"it cannot be reached ({type(error).__name__})."
    return next((f"{outcome.code}: {outcome.reason}" for outcome in outcomes if outcome.status != "sent"), None)


async def _deliver(destination: Destination, channel: Channel, change: Change, project: str) -> list[Outcome]:
    connector_type, address = destination.connector, destination.address()
    kind = OBJECTS[connector_type.channel]
    payloads = _payloads(connector_type.channel, channel, change, project)
    digest = hashlib.sha256(f"{change.subject}|{change.since}|{change.ended}".encode()).hexdigest()
    rows = [Row(index, f"alert-{digest[:16]}-{index}", orjson.dumps(payload)) for index, payload in enumerate(payloads)]
    settings = connector_type.objects[kind].settings()
    async with asyncio.timeout(SECONDS):
        async with (
            httpx.AsyncClient(base_url=address if address.startswith("http") else "", timeout=SECONDS, trust_env=False) as http,
            connector_type(destination.open_options(), http, address) as connector,
        ):
            outcomes: list[Outcome] = []
            for number, row in enumerate(rows):
                outcomes += await connector.deliver(Batch(kind, "add", [row], f"alert-{digest[:16]}", number, settings=settings))
            return outcomes


def _payloads(kind: str, channel: Channel, change: Change, project: str) -> list[dict[str, Any]]:
    if kind == "email":
        return [{"to": address, "subject": headline(change), "text": text(change, project)} for address in channel.to]
    if kind == "chat":
        return [{"text": text(change, project)}]
    trouble = change.trouble
    return [
        {
            "type": "sluice.alert.recovered" if change.ended else "sluice.alert.failing",
            "subject": change.subject,
            "since": change.since,
            "ended": change.ended,
            "code": trouble.code,
            "sentence": trouble.sentence,
            "advice": trouble.advice,
            "project": project,
            "host": socket.gethostname(),
        }
    ]


def headline(change: Change) -> str:
    return f"{change.subject} works again" if change.ended else f"{change.subject} is failing"


def text(change: Change, project: str) -> str:
    """What, where, since when, and what to do."""
    where = f"Project {project} on {socket.gethostname()}"
    if change.ended:
        return (
            f"✓ {headline(change)}.\nIt failed from {_moment(change.since)} to {_moment(change.ended)}: {change.trouble.sentence}\n{where}."
        )
    trouble = change.trouble
    return f"✗ {headline(change)} since {_moment(change.since)}.\n{trouble.sentence} ({trouble.code})\n{trouble.advice}\n{where}."


def _moment(iso: str) -> str:
    return f"{iso[:10]} {iso[11:16]} UTC"
