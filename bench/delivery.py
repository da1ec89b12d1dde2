"""Delivery, with ledger and settling, against scripts that keep no books, and against what others do for the same rows."""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import orjson
import polars as pl

from activation.engine.project import Project
from bench import rivals, shop
from bench.sink import sink
from bench.timing import metric

ROWS, BATCH = 1_000_000, 1_000
SINGLES, BARE_SINGLES, IN_FLIGHT = 20_000, 2_000, 200
RIVAL_ROWS = 100_000
SENT = b'{"Code":"OK","Message":"OK","BizId":"900000000000000001^0","RequestId":"A5D7C5D2-0000-0000-0000-000000000000"}'


def measure() -> list[dict[str, Any]]:
    return [*_batches(), *_singles()]


def _apart(action: Any, *arguments: Any) -> Any:
    """In a process of its own, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(action, *arguments).result()


def _batches() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, sink() as address:
        shop.make(Path(folder, "a"), address, ROWS, BATCH)
        settled, seconds, peak = _apart(shop.deliver, f"{folder}/a", shop.BATCHES)
        assert settled.outcomes["sent"] == ROWS, settled.outcomes
        ours = ROWS / seconds
        source = _parquet(Path(folder, "a"), Path(folder, "rows.parquet"))
        bare = ROWS / _apart(_bare_batches, source, address)
        detail = f"{ROWS:,} rows × {len(shop.FIELDS)}, {BATCH:,} a request: {ours:,.0f} rows/s against {bare:,.0f}"
        metrics = [
            metric("deliver_batch_over_bare", ours / bare, "×", "≥ 0.5", detail),
            metric(
                "deliver_peak_mb",
                peak,
                "MB",
                "< 400",
                f"{ROWS:,} rows from the first that leaves until all is settled, the ledger included",
            ),
        ]
        return metrics + [
            _rival(Path(folder), address, *rival) for rival in (("drt", rivals.drt, "≥ 25", 1), ("dlt", rivals.dlt, "≥ 10", 5))
        ]


def _rival(folder: Path, address: str, name: str, action: Any, bound: str, rounds: int) -> dict[str, Any]:
    """The same rows by us and by another, in turn; the median of the rounds."""
    pairs = []
    for number in range(rounds):
        project = folder / f"{name}{number}"
        shop.make(project, address, RIVAL_ROWS, BATCH)
        settled, seconds, _ = _apart(shop.deliver, str(project), shop.BATCHES)
        assert settled.outcomes["sent"] == RIVAL_ROWS, settled.outcomes
        pairs.append((seconds, _apart(action, _parquet(project, folder / f"{name}.parquet"), address, RIVAL_ROWS, BATCH)))
    ours, theirs = (RIVAL_ROWS / statistics.median(taken) for taken in zip(*pairs, strict=True))
    detail = f"{ours:,.0f} rows/s against {theirs:,.0f}, {RIVAL_ROWS:,} rows, {rounds} {'round' if rounds == 1 else 'rounds'}"
    return metric(f"deliver_over_{name}", statistics.median(theirs / ours for ours, theirs in pairs), "×", bound, detail)


def _parquet(folder: Path, file: Path) -> str:
    from activation.engine.warehouse import opened

    with opened(Project(folder)) as connection:
        connection.execute(f"copy sync_people to '{file}' (format parquet)")
    return str(file)


def _bare_batches(file: str, address: str) -> float:
    """Read with polars, encode with orjson, post with one httpx client, keep no books."""

    async def main() -> None:
        async with httpx.AsyncClient() as http:
            for piece in pl.read_parquet(file).iter_slices(BATCH):
                body = orjson.dumps(piece.to_dicts())
                (await http.post(address + "/rows", content=body, headers={"content-type": "application/json"})).raise_for_status()

    began = time.perf_counter()
    asyncio.run(main())
    return time.perf_counter() - began


def _singles() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder, sink(SENT) as address:
        shop.make(Path(folder, "a"), address, SINGLES, 1)
        settled, seconds, _ = _apart(shop.deliver, f"{folder}/a", shop.SINGLES)
        assert settled.outcomes["sent"] == SINGLES, settled.outcomes
        ours = SINGLES / seconds
        bare = BARE_SINGLES / _apart(_bare_singles, address)
    detail = f"{IN_FLIGHT} in flight: {ours:,.0f} signed text messages/s against {bare:,.0f} requests/s"
    return [metric("deliver_single_over_bare", ours / bare, "×", "≥ 4", detail)]


def _bare_singles(address: str) -> float:
    """One httpx client with its own transport; a body that stands there already."""

    async def main() -> None:
        left = iter(range(BARE_SINGLES))
        async with httpx.AsyncClient(limits=httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)) as http:

            async def post() -> None:
                for _ in left:
                    (await http.post(address + "/", content=b'{"to":"+8613800000000"}')).raise_for_status()

            await asyncio.gather(*(post() for _ in range(IN_FLIGHT)))

    began = time.perf_counter()
    asyncio.run(main())
    return time.perf_counter() - began
