"""Columns of text: identifiers, times and JSON lines, made a column at a time.

JSON is put together from fragments, which is several times faster than encoding objects. Values go in as they are: the sample's
words contain nothing that JSON must escape, or come from `encoded`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pyarrow as pa

from activation.sample.draws import Ints

DAY_MS = 86_400_000
# What a line is put together from: a column, a part made by `text` or `raw`, or words that are the same in every row.
Part = pl.Series | pl.Expr | str
_ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", dtype=np.uint8)
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_CLOCK = pl.Series([f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" for second in range(86_400)])
_MILLISECONDS = pl.Series([f".{number:03}Z" for number in range(1000)])


def _column(characters: npt.NDArray[np.uint8]) -> pl.Series:
    """One text for each row of a matrix of ASCII codes."""
    rows, width = characters.shape
    offsets = np.arange(0, rows * width + 1, max(width, 1), dtype=np.int64)[: rows + 1]
    array = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters)))
    return pl.Series(array, dtype=pl.String)


def uuids(rng: np.random.Generator, size: int) -> pl.Series:
    """Random UUIDs, version 4."""
    characters = _HEX[rng.integers(0, 16, (size, 36), dtype=np.uint8)]
    characters[:, [8, 13, 18, 23]] = ord("-")
    characters[:, 14] = ord("4")
    characters[:, 19] = _HEX[8 + (characters[:, 19] & 3)]
    return _column(characters)


def tokens(rng: np.random.Generator, size: int, length: int) -> pl.Series:
    """Random texts of the URL-safe base64 alphabet."""
    return _column(_ALPHABET[rng.integers(0, 64, (size, length), dtype=np.uint8)])


def digits(numbers: Ints, width: int) -> pl.Series:
    """The numbers with leading zeros."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return _column((numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8))


def take(table: pl.Series, positions: npt.NDArray[np.integer[Any]]) -> pl.Series:
    """The table's texts at these positions."""
    return table[positions]


def where(condition: npt.NDArray[np.bool_], column: pl.Series) -> pl.Series:
    """The column, null where the condition does not hold."""
    return column.zip_with(pl.Series(condition), pl.Series([None], dtype=pl.String).new_from_index(0, len(column)))


def _dates(days: Ints) -> pl.Series:
    if len(days) == 0:
        return pl.Series([], dtype=pl.String)
    first = int(days.min())
    table = np.datetime_as_string(np.arange(first, int(days.max()) + 1).astype("datetime64[D]"))
    return take(pl.Series(table.astype(object), dtype=pl.String), days - first)


def iso(milliseconds: Ints) -> pl.Series:
    """Unix milliseconds as `2026-10-01T02:03:04.567Z`."""
    day, rest = np.divmod(milliseconds, DAY_MS)
    return joined(_dates(day), "T", take(_CLOCK, rest // 1000), take(_MILLISECONDS, rest % 1000))


def china_time(milliseconds: Ints) -> pl.Series:
    """Unix milliseconds as `2026-10-01 10:03:04`, the clock of China and no zone, as Aliyun writes it."""
    day, rest = np.divmod(milliseconds + 8 * 3_600_000, DAY_MS)
    return joined(_dates(day), " ", take(_CLOCK, rest // 1000))


def joined(*parts: Part) -> pl.Series:
    """The parts one behind the other, row by row; null where any part is."""
    return pl.select(_concat(parts, ignore_nulls=False)).to_series()


def line(*parts: Part) -> pl.Series:
    """The parts one behind the other, row by row, leaving out those that are null."""
    return pl.select(_concat(parts, ignore_nulls=True)).to_series()


def text(name: str, column: pl.Series) -> pl.Expr:
    """`,"name":"value"`, or null where the column is null; a part of a line."""
    return _concat((f',"{name}":"', column, '"'), ignore_nulls=False)


def raw(name: str, column: pl.Series) -> pl.Expr:
    """`,"name":value` for a value that is JSON already, or null where the column is null; a part of a line."""
    return _concat((f',"{name}":', column), ignore_nulls=False)


def _concat(parts: tuple[Part, ...], ignore_nulls: bool) -> pl.Expr:
    columns = [part if isinstance(part, pl.Expr) else pl.lit(part) for part in parts]
    return pl.concat_str(columns, ignore_nulls=ignore_nulls).alias("text")


def number(values: Ints) -> pl.Series:
    """The numbers as text."""
    return pl.Series(values).cast(pl.String)


def encoded(value: object) -> str:
    """A constant as JSON."""
    return orjson.dumps(value).decode()


def members(value: dict[str, Any]) -> str:
    """A constant object's members as JSON, without the braces."""
    return encoded(value)[1:-1]
