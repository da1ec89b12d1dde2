"""Landing JSON events from the collector's spool, deduplicated and with quarantine, against DuckDB's own read_json into a table."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from activation.engine.declarations import Declarations
from activation.engine.landing import land
from activation.engine.project import Project
from activation.sample import write_sample
from bench.timing import metric, seconds

EVENTS = int(os.environ.get("SLUICE_BENCH_EVENTS", 5_000_000))
PEOPLE, DAYS = 4_000, 10
ID = b'"messageId":"'


def measure() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_sample(PEOPLE, DAYS, 1, folder / "in", date(2026, 10, 1))
        rows = sum(file.rows for file in files if file.source == "web_events")
        spooled = _again(sorted((folder / "in" / "web").glob("*.jsonl")), folder / "spool", -(-EVENTS // rows))
        runs = iter(range(1000))

        def ours() -> None:
            project = Project.create(folder / f"project{next(runs)}")
            spool = project.spool / "web_events"
            spool.mkdir(parents=True)
            for file in spooled:  # what has landed is moved away
                os.link(file, spool / file.name)
            report = land(project, Declarations.load(project), [], datetime.now(UTC)).sources["web_events"]
            assert report.read == report.landed + report.duplicates + report.quarantined >= EVENTS

        def plain() -> None:
            with duckdb.connect(str(folder / f"plain{next(runs)}.duckdb")) as connection:
                connection.execute(f"create table events as from read_json('{folder}/spool/*.jsonl', ignore_errors = true)")

        pairs = []
        for _ in range(1 if EVENTS > 1_000_000 else 3):
            pairs.append((_written(ours), _written(plain)))
        value = statistics.median(a / b for a, b in pairs)
        our_seconds, plain_seconds = (statistics.median(taken) for taken in zip(*pairs, strict=True))
    detail = f"{rows * len(spooled):,} nested events from the spool: {our_seconds:.1f} s against {plain_seconds:.1f} s"
    return [metric("landing_over_read_json", value, "×", "≤ 2", detail)]


def _written(action: Callable[[], None]) -> float:
    """Seconds; what was written before is on the disk when it begins, or it would wait for that too."""
    os.sync()
    return seconds(action)


def _again(files: Sequence[Path], folder: Path, times: int) -> list[Path]:
    """The same lines so many times, a file each, under ids of their own; what is doubled or broken in them is so in each."""
    folder.mkdir()
    lines = [line for file in files for line in file.read_bytes().splitlines(keepends=True)]
    made = []
    for number in range(times):
        made.append(folder / f"{number:05}.jsonl")
        made[-1].write_bytes(b"".join(line.replace(ID, ID + b"%d-" % number, 1) for line in lines))
    return made
