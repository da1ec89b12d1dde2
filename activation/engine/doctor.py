"""What has to be right before a run, looked at one by one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from activation.engine.declarations import Declarations
from activation.engine.destinations import Destination, is_loopback
from activation.engine.errors import SluiceError, UsageError
from activation.engine.ledger import open_ledger
from activation.engine.models import Models
from activation.engine.project import Project
from activation.engine.warehouse import opened
from connectors.base import ConnectorError, Transient


@dataclass(frozen=True)
class Finding:
    """One thing looked at: whether it is right, and what it is or what to do."""

    subject: str
    ok: bool
    sentence: str


def examine(project: Project) -> list[Finding]:
    """Look at everything; nothing raises."""
    return [*_ground(project), *_declarations(project)]


def _ground(project: Project) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), version)
    yield Finding("Project", True, str(project.root))
    try:
        with opened(project, wait=2, read_only=True) as connection:
            row = connection.execute("select count(*) from information_schema.tables where table_schema = 'raw'").fetchone() or (0,)
        yield Finding("Warehouse", True, f"{project.relative(project.warehouse)}, {row[0]} raw tables")
    except SluiceError as error:
        yield Finding("Warehouse", False, str(error))
    try:
        with open_ledger(project) as ledger:
            waiting = len(ledger.rows("select 1 from runs where status <> 'settled'"))
        yield Finding("Ledger", True, "in order" if not waiting else f"{waiting} interrupted runs; the next run of each closes them")
    except SluiceError as error:
        yield Finding("Ledger", False, str(error))
    try:
        yield Finding("Models", True, f"{len(Models(project).names())} known to dbt")
    except SluiceError as error:
        yield Finding("Models", False, str(error))


def _declarations(project: Project) -> Iterator[Finding]:
    declarations = Declarations.collect(project)
    for fault in declarations.faults:
        yield Finding("Declarations", False, str(fault))
    if not declarations.faults:
        yield Finding("Declarations", True, f"{len(declarations.sources)} sources, {len(declarations.activations)} syncs and sends")
    for activation in declarations.activations.values():
        if activation.kind == "sync" and activation.sync.about == "accounts":
            yield Finding(f"Sync {activation.ref}", True, "about accounts: nobody is asked for consent, and no suppression counts")
    for destination in declarations.destinations.values():
        yield _destination(destination)


def _destination(destination: Destination) -> Finding:
    subject = f"Destination {destination.name}"
    try:
        address = destination.address()
        options = destination.open_options()
    except UsageError as error:
        return Finding(subject, False, str(error))

    async def check() -> str:
        timeout = httpx.Timeout(10.0)
        async with (
            httpx.AsyncClient(base_url=address if address.startswith("http") else "", timeout=timeout, trust_env=False) as http,
            destination.connector(options, http, address) as connector,
        ):
            return await connector.check()

    where = " (the sandbox, or another service on this machine)" if address and is_loopback(address) else ""
    hint = " Start the sandbox with `sluice sandbox`." if where else ""
    try:
        return Finding(subject, True, f"{asyncio.run(check())}{where}")
    except Transient as error:
        return Finding(subject, False, error.reason + hint)
    except ConnectorError as error:
        return Finding(subject, False, error.reason)
    except (httpx.HTTPError, OSError):
        return Finding(subject, False, f"{address} cannot be reached.{hint}")
