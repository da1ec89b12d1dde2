"""Pulls: what a vendor holds comes into raw, page by page, by the same landing as everything else.

A page is on disk in the spool before its cursor is kept, and the cursor is kept before the next page is asked for: a pull that is cut off goes
on where it was and repeats one page at most, which landing recognises. Deleting the warehouse loses nothing: the spool keeps what landed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import orjson

from activation.collector.spool_file import SpoolFile
from activation.engine.declarations import Declarations
from activation.engine.destinations import Destination
from activation.engine.errors import Held, UsageError
from activation.engine.landing import SourceReport, land
from activation.engine.ledger import Ledger, open_ledger
from activation.engine.project import Project
from activation.engine.transport import Throttle, backoff, client
from activation.engine.yaml_file import did_you_mean
from connectors.base import Connector, Fatal, Pulled, Transient, Unanswered

ATTEMPTS = 4  # in a row without a page
LONGEST_WAIT = 60.0  # seconds; a vendor that asks for more is asked again by the next pull
TIMEOUT_SECONDS = 60.0
CONCURRENCY = 4
PER_SECOND = 5.0
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Pull:
    """One thing that a destination's connector can pull, and the raw source it lands in."""

    destination: Destination
    name: str
    source: str

    @property
    def ref(self) -> str:
        return f"{self.destination.name}/{self.name}"


@dataclass
class PullReport:
    """What one pull did. `reason` says why it was cut off; what had come until then has landed, and the next pull goes on from there."""

    ref: str
    source: str
    pages: int = 0
    events: int = 0
    code: str = ""
    reason: str = ""
    passes_by_itself: bool = False
    landing: SourceReport = field(default_factory=lambda: SourceReport(""))

    @property
    def complete(self) -> bool:
        return not self.code


def pulls(declarations: Declarations) -> dict[str, Pull]:
    """Everything that can be pulled, by reference."""
    found = [Pull(one, name, source) for one in declarations.destinations.values() for name, source in one.pullable.items()]
    return {pull.ref: pull for pull in found}


def find(declarations: Declarations, ref: str) -> Pull:
    """The pull `destination/name`. Raises UsageError when there is none, or when nothing declares the source it lands in."""
    known = pulls(declarations)
    if ref not in known:
        none = "" if known else " No declared destination has anything to pull."
        raise UsageError(f"There is nothing to pull as `{ref}`.{did_you_mean(ref, set(known)) if known else none}")
    pull = known[ref]
    if pull.source not in declarations.sources:
        raise UsageError(
            f"{ref} lands in `{pull.source}`, which no file declares. Write activation/sources/{pull.source}.yml "
            "with its `key`, so that what comes twice lands once."
        )
    return pull


def run(
    project: Project, declarations: Declarations, pull: Pull, now: datetime, from_start: bool = False, progress: Progress | None = None
) -> PullReport:
    """Pull what is new since the last time, or everything, and land it.

    Raises UsageError for a destination that lacks a variable, and Held while another process pulls the same.
    """
    report = PullReport(pull.ref, pull.source)
    with _Cursor.held(project, pull) as cursor:
        if from_start:
            cursor.keep(None, now)
        pages = _Pages(project, pull, cursor, report, now, progress)
        with open_ledger(project) as ledger:
            asyncio.run(pages.take(ledger))
        only = dataclasses.replace(declarations, sources={pull.source: declarations.sources[pull.source]})
        report.landing = land(project, only, [], now).sources.get(pull.source, SourceReport(pull.source))
    return report


class _Cursor:
    """Where the next pull goes on, in `.sluice/pulls/<destination>.<name>.json`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.value: str | None = orjson.loads(path.read_bytes())["cursor"] if path.exists() else None

    @classmethod
    @contextmanager
    def held(cls, project: Project, pull: Pull) -> Iterator[_Cursor]:
        """The cursor, for one process at a time."""
        folder = project.state / "pulls"
        folder.mkdir(exist_ok=True, mode=0o700)
        with (folder / f".{pull.destination.name}.{pull.name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Held(f"{pull.ref} is being pulled by another process. Try again when it is done.") from None
            yield cls(folder / f"{pull.destination.name}.{pull.name}.json")

    def keep(self, value: str | None, now: datetime) -> None:
        """Durable when it returns."""
        temporary = self.path.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(orjson.dumps({"cursor": value, "kept_at": now.isoformat()}))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.value = value


class _Pages:
    """Takes the pages of one pull into the spool."""

    def __init__(self, project: Project, pull: Pull, cursor: _Cursor, report: PullReport, now: datetime, progress: Progress | None) -> None:
        self.project, self.pull, self.cursor, self.report, self.now, self.progress = project, pull, cursor, report, now, progress
        self._file: SpoolFile | None = None

    async def take(self, ledger: Ledger) -> None:
        """Every page there is. What stops it is in the report."""
        destination = self.pull.destination
        address, options = destination.address(), destination.open_options()
        throttle = Throttle(ledger, f"{destination.name}/pull", destination.limits.per_second or PER_SECOND)
        http = client(address, throttle, True, CONCURRENCY, TIMEOUT_SECONDS)
        try:
            async with http, destination.connector(options, http, address) as connector:
                await self._take_all(connector)
        finally:
            if self._file is not None:
                self._file.finish()

    async def _take_all(self, connector: Connector) -> None:
        failed = 0
        while True:
            pages = self.report.pages
            try:
                async for page in connector.pull(self.pull.name, self.cursor.value):
                    self._keep(page)
                return
            except (Transient, Unanswered, httpx.RequestError) as error:
                failed = 1 if self.report.pages > pages else failed + 1
                wait = getattr(error, "after", None)
                if failed == ATTEMPTS or (wait or 0) > LONGEST_WAIT:
                    named = (error.code, error.reason) if isinstance(error, Transient | Unanswered) else _unreachable(self.pull, error)
                    self.report.code, self.report.reason = named
                    self.report.passes_by_itself = True
                    return
                await asyncio.sleep(backoff(failed) if wait is None else wait)
            except Fatal as error:
                self.report.code, self.report.reason = error.code, error.reason
                return

    def _keep(self, page: Pulled) -> None:
        if page.source != self.pull.source:
            raise Fatal(
                "BROKEN_CONNECTOR", f"The connector gave a page for `{page.source}`, where {self.pull.ref} lands in {self.pull.source}."
            )
        if page.events:
            try:
                lines = b"".join(orjson.dumps(_object(event), option=orjson.OPT_APPEND_NEWLINE) for event in page.events)
            except TypeError:
                raise Fatal("BROKEN_CONNECTOR", f"The connector gave something for {self.pull.source} that is no JSON object.") from None
            if self._file is None:
                self._file = SpoolFile.create(self.project.spool / self.pull.source, self.now)
            self._file.append(lines)
        if page.cursor != self.cursor.value:
            self.cursor.keep(page.cursor, self.now)
        self.report.pages += 1
        self.report.events += len(page.events)
        if self.progress:
            self.progress(len(page.events))


def _object(event: Any) -> dict[str, Any]:
    if not isinstance(event, dict):
        event = dict(event) if hasattr(event, "keys") else None
    if event is None:
        raise TypeError
    return event  # type: ignore[no-any-return]


def _unreachable(pull: Pull, error: httpx.RequestError) -> tuple[str, str]:
    return "UNREACHABLE", f"{pull.destination.name} did not answer ({type(error).__name__})."
