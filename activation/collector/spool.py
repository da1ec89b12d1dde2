"""The spool: lines on disk, before anybody is told that they arrived.

Appends that come while the disk is busy are written and synced together, one sync for all of a source (group commit). What waits
is bounded: beyond that, `append` refuses at once, and memory does not grow.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from activation.collector.spool_file import SpoolFile, recover

MEGABYTE = 1 << 20
_SOURCE = re.compile(r"[a-z][a-z0-9_]*")
log = logging.getLogger("sluice.collector")


class SpoolFull(Exception):
    """More is waiting for the disk than may wait. The caller may try again after `retry_after` seconds."""

    retry_after = 1


class SpoolUnwritable(Exception):
    """The disk refused, or the spool is closed: nothing was kept. The caller may try again after `retry_after` seconds."""

    retry_after = 5


@dataclass(frozen=True, slots=True)
class _Append:
    source: str
    lines: bytes
    count: int
    done: asyncio.Future[None]

    def settle(self, failure: str | None) -> None:
        """Tell who asked, once, if they are still there."""
        if self.done.done():
            return
        if failure is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(SpoolUnwritable(failure))


@dataclass(frozen=True, slots=True)
class _Current:
    file: SpoolFile
    due: float  # when it is finished for its age, in monotonic seconds


class Spool:
    """Lines per raw source in `folder`. Lives in one event loop, between `start` and `close`.

    `max_bytes` and `max_age` (seconds) say when a file is finished and a new one begun; `max_waiting` is the bytes that may wait
    for the disk. `appended`, `commits` and `written` count lines, syncs and bytes.
    """

    def __init__(self, folder: Path, *, max_bytes: int = 64 * MEGABYTE, max_age: float = 60.0, max_waiting: int = 32 * MEGABYTE) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.max_age = max_age
        self.max_waiting = max_waiting
        self.healthy = True
        self.appended = self.commits = self.written = 0
        self._waiting: list[_Append] = []
        self._held = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        # One thread, so that files need no lock of their own.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._files: dict[str, _Current] = {}

    async def start(self) -> None:
        """Finish what dead collectors left open, and begin to take lines. Raises OSError when the folder cannot be used."""
        recovered = await asyncio.get_running_loop().run_in_executor(self._disk, self._recover)
        if recovered:
            log.info("spool: finished %d files of a collector that ended without closing them", recovered)
        self._task = asyncio.create_task(self._run(), name="spool")

    async def close(self) -> None:
        """Write what waits, finish every file, and take nothing more."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._disk.shutdown()

    async def append(self, source: str, lines: Sequence[bytes]) -> None:
        """Keep `lines` (JSON, none holding a newline) for `raw.<source>`. They are on disk when this returns.

        Raises SpoolFull or SpoolUnwritable, and then none of them is kept.
        """
        if not _SOURCE.fullmatch(source):
            raise ValueError(f"{source!r} is not the name of a raw source")
        if not lines:
            return
        if any(b"\n" in line for line in lines):
            raise ValueError("a line holds a newline")
        if self._closing or self._task is None:
            raise SpoolUnwritable("the spool is closed")
        data = b"\n".join(lines) + b"\n"
        if self._held + len(data) > self.max_waiting:
            raise SpoolFull
        append = _Append(source, data, len(lines), asyncio.get_running_loop().create_future())
        self._held += len(data)
        self._waiting.append(append)
        self._wake.set()
        await append.done

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        batch: list[_Append] = []
        try:
            while not self._closing or self._waiting:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds_until_due()):
                        await self._wake.wait()
                self._wake.clear()
                batch, self._waiting = self._waiting, []
                failures = await loop.run_in_executor(self._disk, self._commit, batch)
                self._held -= sum(len(append.lines) for append in batch)
                for append in batch:
                    append.settle(failures.get(append.source))
            await loop.run_in_executor(self._disk, self._finish_all)
        finally:
            # Whatever ended this task, nobody is left waiting for an answer.
            self._closing, self.healthy = True, False
            for append in (*batch, *self._waiting):
                append.settle("the spool has stopped")

    def _seconds_until_due(self) -> float | None:
        due = [current.due for current in self._files.values()]
        return max(0.0, min(due) - time.monotonic()) if due else None

    # Below: in the disk's thread only.

    def _recover(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return sum(recover(folder) for folder in sorted(self.folder.iterdir()) if folder.is_dir())

    def _commit(self, batch: Sequence[_Append]) -> dict[str, str]:
        """Write `batch`, one sync for each source in it, and finish what is due. The sources that failed, and why."""
        by_source: dict[str, list[_Append]] = {}
        for append in batch:
            by_source.setdefault(append.source, []).append(append)
        failures: dict[str, str] = {}
        for source, appends in by_source.items():
            lines = b"".join(append.lines for append in appends)
            try:
                self._file(source).append(lines)
            except OSError as error:
                failures[source] = error.strerror or type(error).__name__
                log.error("spool: %s cannot be written: %s", source, failures[source])
                # After a failed sync nothing more may be believed of this descriptor.
                self._finish(source)
                continue
            self.commits += 1
            self.written += len(lines)
            self.appended += sum(append.count for append in appends)
        if batch:
            self.healthy = not failures
        now = time.monotonic()
        for source, current in list(self._files.items()):
            if current.due <= now or current.file.size >= self.max_bytes:
                self._finish(source)
        return failures

    def _file(self, source: str) -> SpoolFile:
        if source not in self._files:
            file = SpoolFile.create(self.folder / source, datetime.now(UTC))
            self._files[source] = _Current(file, time.monotonic() + self.max_age)
        return self._files[source].file

    def _finish(self, source: str) -> None:
        current = self._files.pop(source, None)
        if current is None:
            return
        try:
            current.file.finish()
        except OSError as error:
            # Its lines are on disk under the open name; landing reads them there, and the next start finishes it.
            log.error("spool: %s cannot be finished: %s", current.file.path.name, error.strerror)

    def _finish_all(self) -> None:
        for source in list(self._files):
            self._finish(source)
