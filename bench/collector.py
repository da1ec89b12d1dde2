"""How many events a second the collector makes durable: one process of it, one load generator, batches of 100."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from typing import Any

from bench.timing import metric

SERVE = """
import sys
from pathlib import Path
from activation.collector.server import serve
from activation.engine.project import Project
serve(Project(Path(sys.argv[1])), port=0, receivers={})
"""
BATCH = 100
TARGET = 5_000  # events a second


def measure() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([sys.executable, "-c", SERVE, folder], stderr=subprocess.PIPE, text=True)
        try:
            port = _port(process)
            asyncio.run(_load(port, 4, 25, None))  # warm
            full, _ = asyncio.run(_load(port, 8, 150, None))
            _, slowest = asyncio.run(_load(port, 8, 40, TARGET / 2 / BATCH / 8))
        finally:
            process.terminate()
            process.wait(15)
    return [
        metric("collector_events_per_s", full, "events/s", f"≥ {TARGET:,}", f"batches of {BATCH}, 8 connections, each answer after fsync"),
        metric("collector_p99_ms", slowest * 1000, "ms", "< 100", f"at {TARGET // 2:,} events/s"),
    ]


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stderr is not None
    for line in process.stderr:
        if match := re.search(r"running on http://127.0.0.1:([0-9]+)", line):
            return int(match[1])
    raise RuntimeError("the collector did not start")


def _request(number: int) -> bytes:
    event = {"type": "track", "event": "Product Viewed", "userId": "u1", "timestamp": "2026-10-31T02:00:00.000Z"}
    context = {"page": {"url": "https://shop.example/p/1", "path": "/p/1", "title": "White dress"}, "locale": "zh-CN"}
    properties = {"product_id": "p1", "name": "White dress", "category": "dress", "price": 199.0, "currency": "CNY"}
    batch = [{**event, "messageId": f"{number}-{index}", "properties": properties, "context": context} for index in range(BATCH)]
    body = json.dumps({"batch": batch, "sentAt": "2026-10-31T02:00:00Z"}).encode()
    return b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def _load(port: int, connections: int, requests: int, rate: float | None) -> tuple[float, float]:
    """Events a second, and the 99th percentile of the answers' times in seconds (from when a paced request was due)."""
    latencies: list[float] = []
    prepared = [_request(number) for number in range(requests)]

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        start = time.perf_counter()
        for index, request in enumerate(prepared):
            due = start + index / rate if rate else time.perf_counter()
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n")[0]:
                raise RuntimeError(f"the collector answered {head[:40]!r}")
            length = re.search(rb"content-length: ([0-9]+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            latencies.append(time.perf_counter() - due)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    took = time.perf_counter() - began
    return connections * requests * BATCH / took, sorted(latencies)[int(len(latencies) * 0.99)]
