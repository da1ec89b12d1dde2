"""The outgoing batch, looked at before the first call: is it about as large as usual, and can every row of it be told from the others?"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
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
    expected = _expectations(range_, frame.height)
    failed = _failed(frame, [expectation for expectation, _, _ in expected])
    broken = [sentence for index, (_, stops, sentence) in enumerate(expected) if index in failed and stops]
    odd = [sentence for index, (_, stops, sentence) in enumerate(expected) if index in failed and not stops]
    return Volume(plan.ref, frame.height, range_, broken, odd)


def outgoing(plan_file: Path, verdicts: Path) -> pl.DataFrame:
    """Key and match value of the rows of a plan that are neither invalid nor withheld."""
    rows = pl.scan_parquet(plan_file).filter(pl.col("invalid_code").is_null())
    return rows.join(pl.scan_parquet(verdicts), on="row_number", how="anti").select("key", "match_value").collect()


def _great_expectations() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # nothing about a run is told to anybody
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "module 'sre_", DeprecationWarning)
        import great_expectations as gx  # seconds to import: only a step that has rows to look at pays for it
    return gx


def _expectations(range_: Range, rows: int) -> list[tuple[Any, bool, str]]:
    """Each with whether it stops a run, and the sentence for when it does not hold."""
    expect = _great_expectations().expectations
    expected = [
        (expect.ExpectColumnValuesToNotBeNull(column="key"), True, "There are rows without a key."),
        (expect.ExpectColumnValuesToBeUnique(column="key"), True, "There are keys on more than one row."),
        (expect.ExpectColumnValuesToNotBeNull(column="match_value"), True, "There are rows without a match value."),
    ]
    if range_.high is not None:
        sentence = f"{rows} rows would leave; so far it was never more than a third of {range_.high}."
        expected.append((expect.ExpectTableRowCountToBeBetween(max_value=range_.high), True, sentence))
    if range_.low:
        sentence = f"Only {rows} rows leave; usually it is at least {range_.low}."
        expected.append((expect.ExpectTableRowCountToBeBetween(min_value=range_.low), False, sentence))
    return expected


def _failed(frame: pl.DataFrame, expectations: Sequence[Any]) -> set[int]:
    """Which of them do not hold, by their place. Raises SluiceError when one cannot be evaluated."""
    gx = _great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    # Arrow strings: a tenth of the memory that Python strings take.
    table = frame.to_pandas(use_pyarrow_extension_array=True)
    asset = context.data_sources.add_pandas("outgoing").add_dataframe_asset("batch")
    batch = asset.add_batch_definition_whole_dataframe("rows").get_batch({"dataframe": table})
    failed = set()
    for index, expectation in enumerate(expectations):
        result = batch.validate(expectation, result_format="BOOLEAN_ONLY")
        if result.exception_info and result.exception_info.get("raised_exception"):
            raise SluiceError(f"The outgoing batch could not be examined ({expectation.expectation_type}), so nothing was sent.")
        if not result.success:
            failed.add(index)
    return failed
