"""Delivery: intent, call, outcome, for every batch; no warehouse lock is held. Every row that is tried ends with one outcome in the ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from activation.engine.content import CannotRender, Renderer
from activation.engine.declarations import Activation
from activation.engine.ledger import Entry, Intent, Lease, Ledger, LotIntent, LotRecorded, Recorded
from activation.engine.outgoing import Lot, Rows
from activation.engine.transport import Throttle, backoff, client
from connectors.base import Batch, Connector, Fatal, Interrupted, Outcome, Refused, Row, Transient, Unanswered

ATTEMPTS = 4
CIRCUIT_SECONDS = 60.0
TIMEOUT_SECONDS = 30.0
UNANSWERED_CALLS = 5  # in a row; then the destination is paused, lest every message of a long run ends up held
Progress = Callable[[int], None]


@dataclass
class Stop:
    """Ask a delivery to stop: what is in flight is finished, nothing more leaves. One `within` another stops when that does."""

    within: Stop | None = None
    _why: tuple[str, str] = ("", "")

    def ask(self, code: str, reason: str) -> None:
        if not self.asked:
            self._why = (code, reason)

    @property
    def why(self) -> tuple[str, str]:
        """Code and sentence; empty while nobody asked."""
        return self._why if self._why[0] or self.within is None else self.within.why

    @property
    def asked(self) -> bool:
        return bool(self.code)

    @property
    def code(self) -> str:
        return self.why[0]

    @property
    def reason(self) -> str:
        return self.why[1]


@dataclass
class _Books:
    """The ledger as the event loop sees it: writes that wait at the same moment share one commit."""

    ledger: Ledger
    lease: Lease
    run: Mapping[str, str]
    _waiting: list[tuple[Sequence[Any], asyncio.Future[dict[int, Recorded]]]] = field(default_factory=list)
    _writer: asyncio.Task[None] | None = None
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="ledger"))

    async def write(self, part: Sequence[Entry]) -> dict[int, Recorded]:
        """Durable when it returns, all of it in one commit. Intents that must not leave come back refused. Raises LeaseLost."""
        if not part:
            return {}
        future: asyncio.Future[dict[int, Recorded]] = asyncio.get_running_loop().create_future()
        self._waiting.append((part, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            parts, self._waiting = self._waiting, []
            try:
                answers = await loop.run_in_executor(
                    self._thread, self.ledger.write_together, self.lease, self.run, [part for part, _ in parts]
                )
            except BaseException as error:
                for _, future in parts:
                    if not future.done():
                        future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
                continue
            for (_, future), answer in zip(parts, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    def close(self) -> None:
        self._thread.shutdown()


class Delivery:
    """One run's delivery, of `total` rows. `execute` returns how it ended: `complete`, `incomplete` (the destination), `stopped` (a person or a
    fault), or `outlasted`: the `valid_for` seconds are over for which the gate's verdicts held, and the rest is to be asked about anew."""

    def __init__(
        self,
        ledger: Ledger,
        lease: Lease,
        run: Mapping[str, str],
        activation: Activation,
        renderer: Renderer | None = None,
        stop: Stop | None = None,
        progress: Progress | None = None,
        total: int = 0,
        valid_for: float | None = None,
    ) -> None:
        self.activation, self.renderer, self.stop, self.progress = activation, renderer, stop or Stop(), progress
        self.ledger = ledger
        self.books = _Books(ledger, lease, run)
        limits = activation.destination.limits
        target = activation.object
        self.concurrency = limits.concurrency or target.concurrency
        self.per_second = limits.per_second or target.per_second
        in_bulk = 0 < target.bulk_above < total
        self.batch_size = limits.batch_size or (target.bulk_size if in_bulk else target.batch_size)
        self.timeout = TIMEOUT_SECONDS
        self._over_at = None if valid_for is None else time.monotonic() + valid_for
        self._unanswered = 0
        self.lots = 0  # the number of the first lot that was not begun

    async def execute(self, lots: Iterator[Lot]) -> str:
        """Deliver every lot. Raises LeaseLost when another process took over; whatever was recorded until then stands."""
        destination = self.activation.destination
        address, options = destination.address(), destination.open_options()
        circuit = self.ledger.circuit(destination.name)
        if circuit:
            self.stop.ask(
                "CIRCUIT_OPEN", f"{destination.name} is paused for {circuit['open_until'] - time.time():.0f} s: {circuit['reason']}"
            )
            self.books.close()
            return "incomplete"
        self._throttle = Throttle(self.ledger, f"{destination.name}/{self.activation.spec.object}", self.per_second)
        self._by_http = address.startswith("http")
        http = client(address, self._throttle, self.activation.object.idempotent, self.concurrency, self.timeout)
        self._end_in_time()
        try:
            async with http, destination.connector(options, http, address) as connector:
                outlasted = await self._work(connector, lots)
        finally:
            self.books.close()
        if not self.stop.asked:
            self.ledger.close_circuit(destination.name)
            return "outlasted" if outlasted else "complete"
        return "incomplete" if self.stop.code == "CIRCUIT_OPEN" else "stopped"

    def _end_in_time(self) -> None:
        """What is in flight when the time is over waits for its turn, and should have left by then."""
        if self._over_at is not None:
            in_flight = self.concurrency * self._turns(self.batch_size)
            self._over_at -= min(in_flight / self.per_second, max(self._over_at - time.monotonic(), 0) / 2)

    def _turns(self, rows: int) -> int:
        """How many calls it is that take so many rows: one, but what does not go by HTTP says each message by itself, over a connection that stays."""
        return rows if self.activation.object.message and not self._by_http else 1

    async def _work(self, connector: Connector, lots: Iterator[Lot]) -> bool:
        """As many lots in flight as may be; the next is read when one is done. When one fails the others are finished first.

        Returns whether the time was over before the lots were.
        """
        pending: set[asyncio.Task[None]] = set()
        outlasted = False
        try:
            for lot in lots:
                outlasted = self._over_at is not None and time.monotonic() > self._over_at
                if self.stop.asked or outlasted:
                    break
                self.lots = lot.number + 1
                pending.add(asyncio.create_task(self._lot(connector, lot)))
                if len(pending) >= self.concurrency:
                    done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    await asyncio.gather(*done)
            await asyncio.gather(*pending)
            return outlasted
        except asyncio.CancelledError:
            for task in pending:
                task.cancel()
            raise
        finally:
            await asyncio.gather(*pending, return_exceptions=True)

    async def _lot(self, connector: Connector, lot: Lot) -> None:
        if self.stop.asked:
            return
        if self.activation.kind == "sync":
            if await self._may_leave(lot.rows):
                # Records have no claim of their own: one line of the ledger stands for all.
                await self.books.write([LotIntent(lot.number, lot.rows.first, lot.rows.last, len(lot.rows))])
                await self._attempt(connector, lot, lot.rows)
        else:
            await self._messages(connector, lot)
        if self.progress:
            self.progress(len(lot.rows))

    async def _messages(self, connector: Connector, lot: Lot) -> None:
        """Each message is claimed by its id right before it leaves: whoever dies while it waits for its turn leaves no doubt about it."""
        rows, unrenderable = self._rendered(lot)
        window = self.activation.object.idempotency_seconds
        profiles = {row.index: profile for row, profile in zip(lot.rows, lot.rows.profiles, strict=True)}
        # Intent and outcome at once: what surely does not leave must never be found between the two.
        await self.books.write([*(Intent(outcome.row_number, lot.number) for outcome in unrenderable), *unrenderable])
        for call in _calls(connector, rows):
            if await self._may_leave(call):
                refused = await self.books.write([Intent(r.index, lot.number, r.message_id, profiles[r.index], window) for r in call])
                await self._attempt(connector, lot, [row for row in call if row.index not in refused])

    async def _may_leave(self, rows: Sequence[Row]) -> bool:
        """Wait for the turn of one call. Rows that may not leave any more then were never tried."""
        await self._throttle.take_turn(self._turns(len(rows)))
        return not self.stop.asked

    def _rendered(self, lot: Lot) -> tuple[Sequence[Row], list[Recorded]]:
        """For a send, each row's message; rows whose message cannot be made come back as invalid."""
        if self.renderer is None:
            return lot.rows, []
        rows, failed = [], []
        for row in lot.rows:
            try:
                payload = self.renderer.render(row.message_id or "", row.match or "", row.fields)
            except CannotRender as error:
                failed.append(Recorded(row.index, "invalid", "TEMPLATE_ERROR", f"The message cannot be made: {error}."))
            else:
                rows.append(Row(row.index, row.key, payload, row.match, row.message_id, row.provider_id))
        return rows, failed

    async def _attempt(self, connector: Connector, lot: Lot, rows: Sequence[Row]) -> None:
        """Call, and record what came of each row. A refused batch is split in two until the bad row stands alone."""
        if not rows:
            return
        if self.stop.asked:
            await self._record(lot, rows, [Outcome("skipped", self.stop.code, self.stop.reason)] * len(rows))
            return
        spec = self.activation.spec
        batch = Batch(
            object=spec.object,
            operation=lot.operation,
            rows=rows,
            run_id=self.books.run["run_id"],
            number=lot.number,
            match_policy=getattr(spec, "match_policy", "upsert"),
            on_removed=getattr(spec, "removal", "nothing"),
            settings=self.activation.settings,
            encoded=rows if isinstance(rows, Rows) else None,
        )
        try:
            outcomes = await self._call(connector, batch)
            self._unanswered = 0
        except Refused as error:
            if len(rows) == 1:
                outcomes = [Outcome("rejected", error.code, error.reason)]
            else:
                middle = len(rows) // 2
                await self._attempt(connector, lot, rows[:middle])
                await self._attempt(connector, lot, rows[middle:])
                return
        except Interrupted as error:
            outcomes = list(error.outcomes)
            if 0 < len(outcomes) < len(rows):
                await self._record(lot, rows[: len(outcomes)], outcomes)
                await self._attempt(connector, lot, rows[len(outcomes) :])
                return
        except Unanswered as error:
            outcomes = [Outcome("unknown", error.code, error.reason)] * len(rows)
            self._unanswered += 1
            if self._unanswered >= UNANSWERED_CALLS:
                await self._pause(Transient("NO_ANSWERS", f"{self._unanswered} calls in a row were not answered."))
        except Transient as error:
            # Nothing of it was processed, and the destination stays away: pause it, others go on.
            await self._pause(error)
            outcomes = [Outcome("skipped", error.code, error.reason)] * len(rows)
        except Fatal as error:
            self.stop.ask(error.code, error.reason)
            outcomes = [Outcome("skipped", error.code, error.reason)] * len(rows)
        if len(outcomes) != len(rows):
            reason = f"The connector gave {len(outcomes)} outcomes for {len(rows)} rows, so none can be believed."
            self.stop.ask("BROKEN_CONNECTOR", reason)
            outcomes = [Outcome("unknown", "BROKEN_CONNECTOR", reason)] * len(rows)
        await self._record(lot, rows, outcomes)

    async def _record(self, lot: Lot, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
        """Row by row, unless all rows of a lot of records were answered alike: then in one line."""
        first = outcomes[0]
        if rows is lot.rows and self.activation.kind == "sync" and first.provider_id is None and outcomes.count(first) == len(outcomes):
            await self.books.write([LotRecorded(lot.number, first.status, first.code, first.reason)])
            return
        await self.books.write(
            [Recorded(r.index, o.status, o.code, o.reason, o.provider_id, r.message_id) for r, o in zip(rows, outcomes, strict=True)]
        )

    async def _call(self, connector: Connector, batch: Batch) -> list[Outcome]:
        """One call, again while the destination says it did not process it, or while doing it again is harmless."""
        harmless = self.activation.object.idempotent
        for attempt in range(1, ATTEMPTS + 1):
            if not self._by_http:
                await self._throttle.wait(self._turns(len(batch.rows)))
            try:
                return await connector.deliver(batch)
            except Transient as error:
                if attempt == ATTEMPTS or self.stop.asked or (error.after or 0) > CIRCUIT_SECONDS:
                    raise
                pause = error.after if error.after is not None else backoff(attempt)
            except Unanswered as error:
                if not harmless or attempt == ATTEMPTS or (error.after or 0) > CIRCUIT_SECONDS:
                    raise
                pause = error.after if error.after is not None else backoff(attempt)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
                name = type(error).__name__
                raise Transient("UNREACHABLE", f"{self.activation.destination.name} cannot be reached ({name}).") from None
            except httpx.RequestError as error:
                if not harmless or attempt == ATTEMPTS:
                    raise Unanswered("NO_ANSWER", f"The request left and no answer came ({type(error).__name__}).") from None
                pause = backoff(attempt)
            await asyncio.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _pause(self, error: Transient) -> None:
        name = self.activation.destination.name
        seconds = max(CIRCUIT_SECONDS, error.after or 0)
        await asyncio.get_running_loop().run_in_executor(None, _open_circuit, self.ledger, name, seconds, error)
        self.stop.ask("CIRCUIT_OPEN", f"{name} is paused for {seconds:.0f} s: {error.reason}")


def _calls(connector: Connector, rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    """Messages by the call that they may leave in: where experiments, languages or senders differ, a lot needs several."""
    if len(rows) < 2:
        return [rows] if rows else []
    calls: dict[Hashable, list[Row]] = {}
    for row in rows:
        calls.setdefault(connector.together(row), []).append(row)
    return calls.values()


def _open_circuit(ledger: Ledger, name: str, seconds: float, error: Transient) -> None:
    with ledger.again() as own:
        own.open_circuit(name, seconds, error.code, error.reason)
