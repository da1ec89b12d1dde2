"""The same rows through other tools: drt's REST destination and a custom destination of dlt. They are the bench's own extra.

Each reads its rows as dicts from the same Parquet file, is told to limit nothing, and is timed from the first row to the end of its load.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

import httpx
import orjson
import polars as pl


def drt(file: str, address: str, rows: int, batch: int, body_mode: str = "record") -> float:
    """Seconds that drt's REST destination takes: one request a row, as it does by itself, or a batch a request."""
    from drt.config.models import RateLimitConfig, RestApiDestinationConfig, SyncOptions
    from drt.destinations.rest_api import RestApiDestination

    records = pl.read_parquet(file, n_rows=rows).to_dicts()
    several: dict[str, Any] = (
        {"body_mode": "batch", "batch_template": "{{ rows | tojson_safe }}", "max_records_per_request": batch}
        if body_mode == "batch"
        else {}
    )
    template = {} if several else {"body_template": "{{ row | tojson_safe }}"}
    config = RestApiDestinationConfig(type="rest_api", url=f"{address}/rows", **several, **template)
    options = SyncOptions(batch_size=batch, rate_limit=RateLimitConfig(requests_per_second=0))
    destination = RestApiDestination()
    began = time.perf_counter()
    sent = 0
    for start in range(0, rows, batch):
        sent += destination.load(records[start : start + batch], config, options).success
    assert sent == rows, sent
    return time.perf_counter() - began


def drt_batches(file: str, address: str, rows: int, batch: int) -> float:
    return drt(file, address, rows, batch, "batch")


def dlt(file: str, address: str, rows: int, batch: int) -> float:
    """Seconds that a dlt pipeline takes whose destination posts its rows as they come."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(DLT_DATA_DIR=folder, RUNTIME__DLTHUB_TELEMETRY="false", RUNTIME__LOG_LEVEL="CRITICAL")
        import dlt as tool

        http = httpx.Client()

        @tool.destination(batch_size=batch, name="sink", skip_dlt_columns_and_tables=True)  # type: ignore[untyped-decorator, unused-ignore]
        def post(items: Any, table: Any) -> None:
            http.post(f"{address}/rows", content=orjson.dumps(items), headers={"content-type": "application/json"}).raise_for_status()

        frame = pl.read_parquet(file, n_rows=rows)
        pipeline = tool.pipeline("bench", destination=post, pipelines_dir=folder)
        began = time.perf_counter()
        pipeline.run(frame.iter_rows(named=True), table_name="people")
        return time.perf_counter() - began
