"""Files of a sample: lines or a table under their path, complete when they appear under it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow as pa


@dataclass(frozen=True)
class SampleFile:
    """One written file: where it lies, which source it belongs to, how many rows it has (no header; malformed ones count)."""

    path: Path
    source: str
    rows: int


def write_lines(path: Path, source: str, columns: Iterable[pl.Series]) -> SampleFile | None:
    """Write texts that end in a newline, one column after the other. No rows, no file."""
    rows = 0
    with _whole(path) as file:
        for column in columns:
            array = column.rechunk().to_arrow()
            if not pa.types.is_large_string(array.type):
                array = array.cast(pa.large_string())
            if len(array):
                file.write(array.buffers()[2])
            rows += len(array)
        if rows:
            return SampleFile(path, source, rows)
    path.unlink()
    return None


def write_table(path: Path, source: str, table: pl.DataFrame, malformed: str = "") -> SampleFile | None:
    """Write a CSV file with a header and behind its rows one malformed line, if one is given. No rows, no file."""
    if table.is_empty():
        return None
    with _whole(path) as file:
        table.write_csv(file)
        if malformed:
            file.write(f"{malformed}\n".encode())
    return SampleFile(path, source, len(table) + bool(malformed))


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when it is complete: who watches the folder never reads half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        yield file
    os.replace(partial, path)
