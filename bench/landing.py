"""Landing JSON events, deduplicated and with quarantine, against DuckDB's own read_json into a table."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from activation.engine.declarations import Declarations
from activation.engine.landing import land
from activation.engine.project import Project
from activation.sample import write_sample
from bench.timing import metric, ratio

PEOPLE, DAYS = 20_000, 10


def measure() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_sample(PEOPLE, DAYS, 1, folder / "in", date(2026, 10, 1))
        rows = sum(file.rows for file in files if file.source == "web_events")
        runs = iter(range(1000))

        def ours() -> None:
            project = Project.create(folder / f"project{next(runs)}")
            land(project, Declarations.load(project), [folder / "in" / "web"], datetime.now(UTC))

        def plain() -> None:
            with duckdb.connect(str(folder / f"plain{next(runs)}.duckdb")) as connection:
                connection.execute(f"create table events as from read_json('{folder}/in/web/*.jsonl', ignore_errors = true)")

        value, our_seconds, plain_seconds = ratio(ours, plain)
    detail = f"{rows:,} nested events: {our_seconds:.1f} s against {plain_seconds:.1f} s"
    return [metric("landing_over_read_json", value, "×", "≤ 2", detail)]
