"""A folder of files on this machine: CSV, JSON lines or Parquet, one for each batch, each with a manifest.

A file is written under a temporary name, flushed to the disk, and renamed. The formats are described in `_formats.py`, the names and the
manifest in `_drop.py`. Spreadsheet programs run a cell that begins with = + - @ as a formula, which lets whoever filled in a form run
one: set `escape_formulas` if people open the files, and such cells get an apostrophe in front. Leave it off where a program reads them, for
it changes values (`+86…` becomes `'+86…`).
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from uuid import uuid4

from connectors.base import Fatal
from connectors.files._drop import Drop


class File(Drop):
    class Options(Drop.Options):
        """`directory` is made if it is not there."""

        directory: Path

    async def put(self, name: str, content: bytes) -> None:
        try:
            # Waiting for the disk must not hold up the deliveries to other destinations.
            await asyncio.to_thread(_write, self.options.directory, name, content)
        except OSError as error:
            raise Fatal("CANNOT_WRITE", f"The directory of this destination cannot be written: {error.strerror}.") from None

    async def check(self) -> str:
        await self.put(".check", b"")
        (self.options.directory / ".check").unlink(missing_ok=True)
        return "the directory can be written"


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
