"""A batch as the bytes of a file: CSV (RFC 4180), JSON lines or Parquet, always the same bytes for the same rows.

Every row begins with `_operation`. A null is an empty cell, `null`, or null. In CSV and Parquet lists and objects are JSON text, and so
is, in Parquet, a column whose values are of several kinds. What a column is would otherwise depend on the rows of a file: a column that
has a type in `types` is in every file, in that type, and a value that does not fit costs its row.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import orjson
from pydantic import Field, field_validator

from connectors.base import Fatal, Row, Strict
from connectors.files._types import CONVERT, Type, kind_of, text_of

OPERATION = "_operation"
FORMULA = re.compile(r"[=+\-@\t\r\n]")


class Layout(Strict):
    """How the files are written. `byte_order_mark` lets Excel see that a CSV is UTF-8. `manifest` puts a small JSON file beside each."""

    format: Literal["csv", "jsonl", "parquet"] = "csv"
    manifest: bool = True
    delimiter: str = Field(default=",", min_length=1, max_length=1, pattern="[,;\t|]")
    byte_order_mark: bool = False
    escape_formulas: bool = False


class Rows(Strict):
    """`types`: columns that are in every file, in this order, with the type they have there."""

    types: dict[str, Type] = Field(default_factory=dict)

    @field_validator("types")
    @classmethod
    def _leaves_ours(cls, value: dict[str, Type]) -> dict[str, Type]:
        if OPERATION in value:
            raise ValueError(f"`{OPERATION}` is the name of a column that every file has")
        return value


def encode(rows: Sequence[Row], operation: str, layout: Layout, types: Mapping[str, Type]) -> bytes:
    """The whole file. Raises Fatal when a field has the name of our own column."""
    if layout.format == "jsonl":
        start = b'{"%b":%b' % (OPERATION.encode(), orjson.dumps(operation))
        # The rows are JSON already, shaped in the warehouse: they are handed on as they are.
        return b"".join(start + (b"," + row.payload[1:] if len(row.payload) > 2 else b"}") + b"\n" for row in rows)
    fields = [row.fields for row in rows]
    columns = list(dict.fromkeys([*types, *(name for row in fields for name in row)]))
    if OPERATION in columns:
        raise Fatal("RESERVED_FIELD", f"A field may not be called `{OPERATION}`: every file has a column of that name. Rename it.")
    if layout.format == "csv":
        return _csv(fields, columns, operation, layout)
    return _parquet({OPERATION: [operation] * len(fields)} | {name: [row.get(name) for row in fields] for name in columns}, types)


def _csv(fields: Sequence[Mapping[str, Any]], columns: Sequence[str], operation: str, layout: Layout) -> bytes:
    def cell(value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            return text_of(value)  # a number is never a formula, though a negative one begins with a minus
        return "'" + value if layout.escape_formulas and FORMULA.match(value) else value

    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=layout.delimiter, lineterminator="\r\n")
    writer.writerow([OPERATION, *map(cell, columns)])
    writer.writerows([operation, *(cell(row.get(column)) for column in columns)] for row in fields)
    return text.getvalue().encode("utf-8-sig" if layout.byte_order_mark else "utf-8")


def _parquet(columns: Mapping[str, Sequence[Any]], types: Mapping[str, Type]) -> bytes:
    import pyarrow as pa  # takes longer to load than everything else here
    import pyarrow.parquet as pq

    arrow = {
        "string": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"),
    }
    arrays = {}
    for name, values in columns.items():
        kind = types.get(name) or kind_of(values)
        arrays[name] = pa.array([None if value is None else CONVERT[kind](value) for value in values], arrow[kind])
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays), sink, compression="zstd")
    return sink.getvalue()
