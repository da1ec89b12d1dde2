"""The HTTP client a connector is handed: it throttles, retries and stays silent about secrets, so that connectors do not have to."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import httpx

from activation.engine.ledger import Ledger
from activation.engine.swift import Client, Transport
from connectors.base import retry_after

LONGEST_WAIT = 60.0  # seconds; a destination that asks for more is given back to the run, which pauses it
ATTEMPTS = 5
Sleep = Callable[[float], "asyncio.Future[None]"]
# Calls whose turn the task at hand has taken and that it has not made yet. In a list, for what it starts shares them.
_TAKEN: ContextVar[list[int]] = ContextVar("calls whose turn was taken")


class Throttle:
    """A token bucket per destination and object, shared between processes through the ledger. Tokens are reserved in small lots."""

    def __init__(self, ledger: Ledger, name: str, per_second: float) -> None:
        self.name, self.per_second = name, per_second
        self.burst = max(1.0, per_second)
        self.lot = max(1, int(per_second / 10))
        self._shared = ledger
        self._left = 0
        self._lock = asyncio.Lock()
        # SQLite waits for the disk: not on the event loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="throttle")
        self._ledger: Ledger | None = None

    async def take_turn(self, calls: int = 1) -> None:
        """Wait before so many calls, which this task then makes without waiting: for whoever has something to write down in between."""
        await self.wait(calls)
        _TAKEN.set([calls])

    async def wait(self, calls: int = 1) -> None:
        """Return when so many more calls may leave."""
        taken = _TAKEN.get(None)
        if taken and taken[0] >= calls:
            taken[0] -= calls
            return
        async with self._lock:
            while self._left < calls:
                pause = await asyncio.get_running_loop().run_in_executor(self._thread, self._take)
                self._left += self.lot
                if pause:
                    await asyncio.sleep(pause)
            self._left -= calls

    def _take(self) -> float:
        if self._ledger is None:
            self._ledger = self._shared.again()
        return self._ledger.take(self.name, self.lot, self.per_second, self.burst)

    def close(self) -> None:
        if self._ledger is not None:
            self._thread.submit(self._ledger.close).result()
        self._thread.shutdown()


class PatientTransport(httpx.AsyncBaseTransport):
    """Waits its turn, and sends again what surely was not processed: 429 and refused connections always, 5xx when sending again is harmless."""

    def __init__(self, inner: httpx.AsyncBaseTransport, throttle: Throttle, idempotent: bool, attempts: int = ATTEMPTS) -> None:
        self.inner, self.throttle, self.idempotent, self.attempts = inner, throttle, idempotent, attempts

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for attempt in range(1, self.attempts + 1):
            await self.throttle.wait()
            last = attempt == self.attempts
            try:
                response = await self.inner.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if last:
                    raise
                await asyncio.sleep(backoff(attempt))
                continue
            if last or not self._again(request, response.status_code):
                return response
            asked = retry_after(response)
            pause = backoff(attempt) if asked is None else asked
            if pause > LONGEST_WAIT:
                return response
            await response.aread()
            await response.aclose()
            await asyncio.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _again(self, request: httpx.Request, status: int) -> bool:
        if request.extensions.get("retry") is False:
            return False  # signed for one use: the connector must sign it anew
        if status in {429, 503}:
            return True
        return status >= 500 and (self.idempotent or request.method == "GET")

    async def aclose(self) -> None:
        await self.inner.aclose()
        self.throttle.close()


def backoff(attempt: int) -> float:
    """Seconds before the next attempt: 0.2, 0.4, 0.8 … up to 10, with jitter so that many do not come back at once."""
    return min(10.0, 0.1 * 2.0**attempt) * random.uniform(0.75, 1.25)


def client(address: str, throttle: Throttle, idempotent: bool, concurrency: int, timeout: float) -> httpx.AsyncClient:
    """One client for one destination. No redirects (a token must not follow one), no proxies or netrc from the environment."""
    # httpx logs whole addresses, and some vendors want numbers and tokens in them.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return Client(
        base_url=address if address.startswith(("http://", "https://")) else "",
        transport=PatientTransport(Transport(concurrency, timeout), throttle, idempotent),
        timeout=httpx.Timeout(timeout, connect=min(10.0, timeout), pool=0),
        trust_env=False,
        headers={"user-agent": "sluice"},
    )
