"""How much one sender may ask for, so that none takes the others' place: a bucket of tokens for each network it comes from.

What anyone may send is limited. What is signed (callbacks of vendors, links in messages) is not: a receipt that is refused may never
come again, and nobody who wants to leave is told to wait.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import Request

from activation.collector.refusal import Refusal

MOST = 50_000  # networks that are remembered at once; the one unheard of for longest is forgotten


class Rates:
    """At most `per_second` requests from one address, after `burst` at once. None for `per_second` lets everything through.

    Addresses of this machine are let through: behind a proxy that does not say for whom it asks, everybody has one.
    """

    def __init__(self, per_second: float | None, burst: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second = per_second
        self.burst = burst if burst is not None else math.ceil((per_second or 0) * 5)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # network → tokens left, and when

    def take(self, request: Request) -> None:
        """Count this request. Raises Refusal (429, with the seconds to wait) when its sender has asked for too much."""
        network = None if self.per_second is None else _network(request.client.host if request.client else "")
        if network is None or self.per_second is None:
            return
        now = self._clock()
        tokens, last = self._buckets.pop(network, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - last) * self.per_second)
        allowed = tokens >= 1
        self._buckets[network] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > MOST:
            self._buckets.popitem(last=False)
        if not allowed:
            wait = math.ceil((1 - tokens) / self.per_second)
            raise Refusal(429, "too_many_requests", "Too many requests from this address. Try again later.",
                          {"retry-after": str(wait), "connection": "close"})  # fmt: skip


def _network(address: str) -> str | None:
    """Whom an address belongs to: itself, or the /64 of IPv6, which one subscriber has whole. None for this machine."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is None:
            return None if ip.is_loopback else str(ip_network(f"{ip}/64", strict=False))
        ip = ip.ipv4_mapped
    return None if ip.is_loopback else str(ip)
