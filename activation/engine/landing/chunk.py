"""Lines that are judged as they are read: those that can land, and those that cannot and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import orjson
import pyarrow as pa

from activation.engine.landing.block import Block
from activation.engine.landing.shapes import Shapes, attribute
from activation.engine.specs import Source

CHUNK_BYTES = 16 * 1024 * 1024
CHUNK_ROWS = 100_000
FEW = 64  # lines that are judged at once; what is read of them should stay in the processor's own memory
PLAIN = re.compile(r"[A-Za-z0-9_-]+")  # names that are spelled otherwise in JSON only by way of `\u00`
ROWS = pa.schema({"line": pa.int64(), "text": pa.string(), "event_id": pa.string()})


@dataclass
class Chunk:
    """As much of a file as is held at once. `bad` is (line, reason, content). What fields are seen is noted in `shapes`.

    What lands is UTF-8 and JSON by the letter (no NaN, no trailing comma), and not nested deeper than a parser goes: DuckDB accepts
    the former, and some of its functions crash the process on the latter.
    """

    source: Source
    shapes: Shapes = field(default_factory=Shapes)
    bad: list[tuple[int, str, str]] = field(default_factory=list)
    _lines: list[int] = field(default_factory=list)
    _texts: list[bytes] = field(default_factory=list)
    _tables: list[pa.Table] = field(default_factory=list)
    _good: int = 0
    _bytes: int = 0

    def __post_init__(self) -> None:
        self._required = [(path, path.split(".")) for path in self.source.required]
        key = self.source.key[0] if self.source.key and self.source.kind == "events" else []
        self._id = key[0] if len(key) == 1 and PLAIN.fullmatch(key[0]) else ""

    @property
    def read(self) -> int:
        """Lines that are judged."""
        return self._good + len(self.bad)

    @property
    def room(self) -> tuple[int, int]:
        """How many more lines, and bytes, should come. It is full when there is room for none."""
        return max(CHUNK_ROWS - self.read, 0), max(CHUNK_BYTES - self._bytes, 0)

    @property
    def full(self) -> bool:
        return 0 in self.room

    @property
    def rows(self) -> pa.Table:
        """What lands, in order: line, text, and the event's id where it was seen in passing."""
        self._settle()
        return pa.concat_tables(self._tables) if self._tables else ROWS.empty_table()

    @property
    def lines(self) -> list[int]:
        return self.rows["line"].to_pylist()  # type: ignore[no-any-return]

    @property
    def texts(self) -> list[bytes]:
        return self.rows["text"].cast(pa.binary()).to_pylist()  # type: ignore[no-any-return]

    def take_together(self, block: Block, first: int, last: int) -> int:
        """The lines from `first` on that are good and have nothing new in them, a few at a time. Returns where it stopped: none of the few that
        begin there is kept, because one of them is not so."""
        place, ids = first, list[Any]()
        while place < last:
            end = min(place + FEW, last)
            text = block.lines(place, end)
            # As many objects as there are lines, and none is on two: each is on one.
            values = self._known(text, end - place) if block.are_braced(place, end) else None
            if values is None:
                break
            ids += self._ids(values, text)
            place = end
        if place > first:
            self._settle()
            numbers = pa.array(np.arange(block.number + first, block.number + place), pa.int64())
            self._tables.append(pa.table([numbers, block.texts(first, place), pa.array(ids, pa.string())], schema=ROWS))
            self._good += place - first
            self._bytes += block.size(first, place)
        return place

    def take_known(self, line: int, text: bytes) -> bool:
        """One JSON text that is good and has nothing new in it. False when it is not, and then nothing is kept."""
        if self._known(text, 1) is None:
            return False
        self._keep(line, text)
        return True

    def take_text(self, line: int, text: bytes) -> bool:
        """One JSON text, kept exactly as it came. False when it is none, and then nothing is kept."""
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            return False
        if type(value) is not dict:
            self.reject(line, "is not a JSON object", text.decode())
        else:
            self.take(line, text, value)
        return True

    def take(self, line: int, text: bytes, value: Mapping[str, Any]) -> None:
        """One JSON object, with its text."""
        for _, parts in self._required:
            if not _has(value, parts):
                names = " and ".join(f"`{path}`" for path, parts in self._required if not _has(value, parts))
                self.reject(line, f"has no value for {names}, which this source requires", text.decode())
                return
        self._keep(line, text)
        self.shapes.note(value)

    def reject(self, line: int, reason: str, content: str) -> None:
        """One line that cannot land."""
        self.bad.append((line, reason, content))
        self._bytes += len(content)

    def _keep(self, line: int, text: bytes) -> None:
        self._lines.append(line)
        self._texts.append(text)
        self._good += 1
        self._bytes += len(text)

    def _known(self, text: bytes, count: int) -> list[Any] | None:
        values = self.shapes.read(text)
        if values is None or len(values) != count or not all(_all_have(values, parts) for _, parts in self._required):
            return None
        return values

    def _settle(self) -> None:
        """What was taken line by line becomes a table, so that what comes next comes after it."""
        if self._lines:
            columns = [
                pa.array(self._lines, pa.int64()),
                pa.array(self._texts, pa.binary()).cast(pa.string()),
                pa.nulls(len(self._lines), pa.string()),
            ]
            self._tables.append(pa.table(columns, schema=ROWS))
            self._lines, self._texts = [], []

    def _ids(self, values: Sequence[Any], text: bytes) -> Sequence[str | None]:
        """The ids of events, where they are beyond doubt those that the key gives by SQL (which takes the first of a field that is there
        twice, where a parser takes the last): texts that are not blank, of a field whose name stands there once for each line."""
        if self._id:
            ids = _at(values, [self._id])
            # Of a single letter it is told ten times as fast whether it is there.
            is_plain = b"\\" not in text or b"\\u00" not in text
            if is_plain and _are_texts(ids) and text.count(b'"%s"' % self._id.encode()) == len(ids):
                return ids
        return [None] * len(values)


def _at(values: Sequence[Any], parts: Sequence[str]) -> list[Any]:
    """What stands at the end of a path in each of these, as `Shapes.read` gives them."""
    items = list(values)
    for part in parts:
        name = attribute(part)
        items = [item.get(part) if type(item) is dict else getattr(item, name, None) for item in items]
    return items


def _are_texts(items: Sequence[Any]) -> bool:
    """Whether all are texts that are not blank."""
    try:
        return all(map(str.strip, items))
    except TypeError:
        return False


def _all_have(values: Sequence[Any], parts: Sequence[str]) -> bool:
    """Whether there is something at the end of a path in each of these."""
    items = _at(values, parts)
    return _are_texts(items) or all(item is not msgspec.UNSET and _is_something(item) for item in items)


def _has(value: Mapping[str, Any], parts: Sequence[str]) -> bool:
    """Whether there is something at the end of a path; blank text is nothing."""
    item: Any = value
    for part in parts:
        item = item.get(part) if isinstance(item, dict) else None
    return _is_something(item)


def _is_something(item: Any) -> bool:
    return item is not None and not (isinstance(item, str) and not item.strip())
