"""The outgoing batch, looked at before the first call: is it about as large as usual, and can every row of it be told from the others?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from activation.engine.errors import SluiceError
from activation.engine.plan import Plan
from activation.engine.project import Project
from activation.engine.warehouse import opened

RUNS_LOOKED_AT = 20
RUNS_NEEDED = 5  # before that nothing is usual
TIMES_LARGER = 3
FEWEST = 100  # below this many rows, three times as many is chance


class VolumeUnusual(SluiceError):
    """The outgoing batch is not what it usually is. Nothing was sent."""


@dataclass(frozen=True)
class Range:
    """How many rows usually leave, as the runs so far tell. None: no limit."""

    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Expected:
    """One expectation by its name in the library, whether it stops a run, and the sentence for when it does not hold."""

    name: str
    arguments: Mapping[str, Any]
    sentence: str
    stops: bool = True


@dataclass(frozen=True)
class Volume:
    """What was expected of a batch. `broken` stops a run, `odd` is only said."""

    ref: str
    rows: int
    usual: Range
    broken: Sequence[str]
    odd: Sequence[str]

    def insist(self) -> None:
        """Raises VolumeUnusual when something expected of every batch does not hold."""
        if self.broken:
            raise VolumeUnusual(
                f"{self.ref}: stopped before the first call. {' '.join(self.broken)} If that is as it should be, launch the run again "
                f"with `override_guards` set to the reason, or run it by hand: `sluice run {self.ref}`."
            )


def usual(project: Project, ref: str) -> Range:
    """The range from the last complete runs of `ref` in which anything left: up to three times the most, from a third of the fewest."""
    with opened(project, read_only=True) as connection:
        found = connection.execute(
            "select sent + rejected + unknown from activation.sync_runs where ref = ? and status in ('succeeded', 'failed_rows') "
            "and sent + rejected + unknown > 0 order by started_at desc limit ?",
            [ref, RUNS_LOOKED_AT],
        ).fetchall()
    counts = [int(row[0]) for row in found]
    if len(counts) < RUNS_NEEDED:
        return Range()
    return Range(min(counts) // TIMES_LARGER, max(FEWEST, TIMES_LARGER * max(counts)))


def examine(plan: Plan, verdicts: Path, range_: Range) -> Volume:
    """Evaluate the expectations over the rows that are about to leave (key and match value only; values appear in no result)."""
    frame = outgoing(plan.file, verdicts)
    if frame.is_empty():
        return Volume(plan.ref, 0, range_, [], [])
    from dagster_project.expectations import failed

    expected = _expected(range_, frame.height)
    missed = [expected[index] for index in sorted(failed(frame, [(one.name, one.arguments) for one in expected]))]
    broken, odd = [one.sentence for one in missed if one.stops], [one.sentence for one in missed if not one.stops]
    return Volume(plan.ref, frame.height, range_, broken, odd)


def outgoing(plan_file: Path, verdicts: Path) -> pl.DataFrame:
    """Key and match value of the rows of a plan that are neither invalid nor withheld."""
    rows = pl.scan_parquet(plan_file).filter(pl.col("invalid_code").is_null())
    return rows.join(pl.scan_parquet(verdicts), on="row_number", how="anti").select("key", "match_value").collect()


def _expected(range_: Range, rows: int) -> list[Expected]:
    expected = [
        Expected("ExpectColumnValuesToNotBeNull", {"column": "key"}, "There are rows without a key."),
        Expected("ExpectColumnValuesToBeUnique", {"column": "key"}, "There are keys on more than one row."),
        Expected("ExpectColumnValuesToNotBeNull", {"column": "match_value"}, "There are rows without a match value."),
    ]
    if range_.high is not None:
        sentence = f"{rows} rows would leave, and by the runs so far at most {range_.high} are usual."
        expected.append(Expected("ExpectTableRowCountToBeBetween", {"max_value": range_.high}, sentence))
    if range_.low:
        sentence = f"Only {rows} rows leave, and by the runs so far at least {range_.low} are usual."
        expected.append(Expected("ExpectTableRowCountToBeBetween", {"min_value": range_.low}, sentence, stops=False))
    return expected
