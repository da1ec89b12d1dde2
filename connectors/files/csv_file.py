"""A folder of CSV files (RFC 4180, UTF-8), one for each batch, for whoever loads files.

A file is named `<object>-<run>-<batch>.csv` and appears whole or not at all: it is written under a temporary name, flushed to the disk, and
renamed. A batch sent again writes the same file again. The first column, `_operation`, says add, change or remove.

Values: null is an empty cell, true and false are words, lists and objects are JSON. Spreadsheet programs run a cell that begins with
= + - @ as a formula, which lets whoever filled in a form run one: set `escape_formulas` if people open the files, and such cells get an
apostrophe in front. Leave it off where a program reads them, for it changes values (`+86…` becomes `'+86…`).
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import re
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import orjson
from pydantic import Field

from connectors.base import Batch, Connector, Fatal, Object, Outcome, Strict

FORMULA = re.compile(r"[=+\-@\t\r\n]")
NAME = re.compile(r"[^A-Za-z0-9_.-]")


class CsvFile(Connector):
    channel = "files"
    objects: ClassVar = {
        "rows": Object(
            batch_size=10_000,
            per_second=100,
            concurrency=1,
            modes=frozenset({"upsert", "mirror", "append"}),
            on_removed=frozenset({"nothing", "delete"}),
            idempotent=True,
        )
    }

    class Options(Strict):
        """`directory` is made if it is not there. `byte_order_mark` lets Excel see that a file is UTF-8."""

        directory: Path
        delimiter: str = Field(default=",", min_length=1, max_length=1, pattern="[,;\t|]")
        byte_order_mark: bool = False
        escape_formulas: bool = False

    async def deliver(self, batch: Batch) -> list[Outcome]:
        if not batch.rows:
            return []
        name = NAME.sub("_", f"{batch.object}-{batch.run_id}-{batch.number:06d}") + ".csv"
        try:
            # Waiting for the disk must not hold up the deliveries to other destinations.
            await asyncio.to_thread(_write, self.options.directory, name, self._table(batch))
        except OSError as error:
            raise Fatal("CANNOT_WRITE", f"The directory of this destination cannot be written: {error.strerror}.") from None
        return [Outcome("sent", provider_id=name)] * len(batch.rows)

    async def check(self) -> str:
        try:
            await asyncio.to_thread(_write, self.options.directory, ".check", b"")
            (self.options.directory / ".check").unlink()
        except OSError as error:
            raise Fatal("CANNOT_WRITE", f"The directory of this destination cannot be written: {error.strerror}.") from None
        return "the directory can be written"

    def _table(self, batch: Batch) -> bytes:
        rows = [row.fields for row in batch.rows]
        columns = list(dict.fromkeys(name for fields in rows for name in fields))
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.options.delimiter, lineterminator="\r\n")
        writer.writerow(["_operation", *map(self._cell, columns)])
        writer.writerows([batch.operation, *(self._cell(fields.get(column)) for column in columns)] for fields in rows)
        return text.getvalue().encode("utf-8-sig" if self.options.byte_order_mark else "utf-8")

    def _cell(self, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            return orjson.dumps(value).decode()  # a number is never a formula, though a negative one begins with a minus
        return "'" + value if self.options.escape_formulas and FORMULA.match(value) else value


def _write(directory: Path, name: str, content: bytes) -> None:
    """Put a file in place whole and durable: after a crash there is the old state or the new, never a part."""
    directory.mkdir(parents=True, exist_ok=True)
    temporary = directory / f".{name}.{uuid4().hex}"
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(directory / name)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
