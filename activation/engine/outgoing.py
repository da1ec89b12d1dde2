"""The rows of a plan on their way out: streamed from its file, without those that are withheld, in batches of one operation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from connectors.base import Operation, Row

COLUMNS = ["row_number", "operation", "key", "profile_id", "match_value", "message_id", "provider_id", "payload", "invalid_code"]
READ_ROWS = 10_000


@dataclass(frozen=True)
class Lot:
    """Rows that may leave in one call, with the profile each belongs to."""

    number: int
    operation: Operation
    rows: list[Row]
    profiles: list[str | None]


def lots(plan_file: Path, verdicts: Path, size: int) -> Iterator[Lot]:
    """The plan's rows that may leave, in order. Memory holds one piece of the file at a time."""
    withheld = np.sort(pq.read_table(verdicts, columns=["row_number"])["row_number"].to_numpy())
    number = 0
    operation: Operation | None = None
    rows: list[Row] = []
    profiles: list[str | None] = []
    for piece in pq.ParquetFile(plan_file).iter_batches(READ_ROWS, columns=COLUMNS):
        numbers = piece["row_number"].to_numpy()
        leaves = ~np.isin(numbers, withheld, assume_unique=True)
        columns = [piece[name].to_pylist() for name in COLUMNS]
        for stays, (index, kind, key, profile, match, message_id, provider_id, payload, invalid) in zip(
            leaves, zip(*columns, strict=True), strict=True
        ):
            if not stays or invalid is not None:
                continue
            if rows and (kind != operation or len(rows) >= size):
                yield Lot(number, operation or kind, rows, profiles)
                number, rows, profiles = number + 1, [], []
            operation = kind
            rows.append(Row(index, key, payload.encode(), match, message_id, provider_id))
            profiles.append(profile)
    if rows and operation:
        yield Lot(number, operation, rows, profiles)


def count(plan_file: Path, verdicts: Path) -> int:
    """How many rows will leave."""
    table = pq.read_table(plan_file, columns=["invalid_code"])
    return int(table["invalid_code"].null_count) - int(pq.read_metadata(verdicts).num_rows)
