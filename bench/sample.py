"""How fast sample data is written."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from activation.sample import write_sample
from bench.timing import metric, seconds

PEOPLE, DAYS = 20_000, 30


def measure() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        written: list[Any] = []
        took = seconds(lambda: written.extend(write_sample(PEOPLE, DAYS, 1, Path(folder), date(2026, 10, 1))))
        rows = sum(file.rows for file in written)
    detail = f"{rows:,} rows of {PEOPLE:,} people over {DAYS} days in {took:.1f} s"
    return [metric("sample_rows_per_s", rows / took, "rows/s", "10 million in minutes (≥ 30,000)", detail)]
