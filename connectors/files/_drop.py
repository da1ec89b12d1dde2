"""Files for whoever loads files: one for each batch, in any place where a file can appear whole or not at all.

A file is named `<object>-<run>-<batch>.<format>`; a batch sent again writes the same file again. Its manifest, `<file>.manifest.json`, is
written after it and says how many rows and bytes it has and their SHA-256: where it stands, the file is whole.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from connectors.base import Batch, Connector, Object, Outcome
from connectors.files._formats import Layout, Rows, encode
from connectors.files._types import misfit

NAME = re.compile(r"[^A-Za-z0-9_.-]")


class Drop(Connector, ABC):
    """Base of the places for files. A place says how a file is put there."""

    channel = "files"
    objects: ClassVar[Mapping[str, Object]] = {
        "rows": Object(
            batch_size=10_000,
            per_second=100,
            concurrency=1,
            modes=frozenset({"upsert", "mirror", "append"}),
            on_removed=frozenset({"nothing", "delete"}),
            idempotent=True,
            settings=Rows,
        )
    }

    class Options(Layout):
        """How one place is configured."""

    @abstractmethod
    async def put(self, name: str, content: bytes) -> None:
        """Put a file in place whole, over one of the same name. Raises ConnectorError."""

    async def deliver(self, batch: Batch) -> list[Outcome]:
        types = getattr(batch.settings, "types", {})
        wrong = {row.index: column for row in batch.rows if (column := misfit(row, types))}
        rows = [row for row in batch.rows if row.index not in wrong]
        name = NAME.sub("_", f"{batch.object}-{batch.run_id}-{batch.number:06d}") + "." + self.options.format
        if rows:
            content = encode(rows, batch.operation, self.options, types)
            await self.put(name, content)
            if self.options.manifest:
                await self.put(f"{name}.manifest.json", _manifest(name, content, len(rows), batch, self.options.format))
        written = Outcome("sent", provider_id=name)
        return [_misfit(wrong[row.index], types) if row.index in wrong else written for row in batch.rows]


def _misfit(column: str, types: Mapping[str, Any]) -> Outcome:
    return Outcome("rejected", "WRONG_TYPE", f"The value of `{column}` is no {types[column]}, which the sync's `types` says it is.")


def _manifest(name: str, content: bytes, rows: int, batch: Batch, format: str) -> bytes:
    said = {
        "file": name,
        "format": format,
        "rows": rows,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "object": batch.object,
        "operation": batch.operation,
        "run": batch.run_id,
        "batch": batch.number,
    }
    return orjson.dumps(said, option=orjson.OPT_INDENT_2) + b"\n"
