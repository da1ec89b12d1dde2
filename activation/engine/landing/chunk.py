"""Lines that are judged as they are read: those that can land, those that cannot and why, and the fields that were seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from activation.engine.specs import Source

CHUNK_BYTES = 16 * 1024 * 1024
CHUNK_ROWS = 100_000
DEEPEST = 3  # levels of fields that are noted
KINDS = {str: "string", int: "number", float: "number", bool: "boolean", dict: "object", list: "array"}


@dataclass(slots=True)
class _Place:
    """Where objects stand in a line, and what they looked like so far (keys, then types) with the objects below each."""

    prefix: str = ""
    depth: int = 1
    shapes: dict[tuple[object, ...], list[tuple[str, _Place]]] = field(default_factory=dict)


@dataclass
class Chunk:
    """As much of a file as is held at once. `bad` is (line, reason, content); `fields` are (dotted field, kind).

    What is in `texts` is UTF-8 and JSON by the letter (no NaN, no trailing comma), and not nested deeper than a parser goes: DuckDB accepts
    the former, and some of its functions crash the process on the latter.
    """

    source: Source
    lines: list[int] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    bad: list[tuple[int, str, str]] = field(default_factory=list)
    fields: set[tuple[str, str]] = field(default_factory=set)
    _bytes: int = 0

    def __post_init__(self) -> None:
        self._places = {"": _Place()}
        self._top = self._places[""]
        self._required = [(path, path.split(".")) for path in self.source.required]

    @property
    def full(self) -> bool:
        return self._bytes >= CHUNK_BYTES or len(self.lines) + len(self.bad) >= CHUNK_ROWS

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
        self.lines.append(line)
        self.texts.append(text)
        self._bytes += len(text)
        self._note(value, self._top)

    def reject(self, line: int, reason: str, content: str) -> None:
        """One line that cannot land."""
        self.bad.append((line, reason, content))
        self._bytes += len(content)

    def _note(self, value: Mapping[str, Any], place: _Place) -> None:
        # Most objects look like one before; then nothing is built but this tuple, and it is known what lies below.
        shape = (*value, *map(type, value.values()))
        below = place.shapes.get(shape)
        if below is None:
            below = place.shapes[shape] = self._learn(value, place.prefix, place.depth)
        for key, inner in below:
            self._note(value[key], inner)

    def _learn(self, value: Mapping[str, Any], prefix: str, depth: int) -> list[tuple[str, _Place]]:
        self.fields.update((f"{prefix}{key}", KINDS[type(item)]) for key, item in value.items() if item is not None)
        objects = [key for key, item in value.items() if type(item) is dict] if depth < DEEPEST else []
        return [(key, self._places.setdefault(f"{prefix}{key}.", _Place(f"{prefix}{key}.", depth + 1))) for key in objects]


def _has(value: Mapping[str, Any], parts: Sequence[str]) -> bool:
    """Whether there is something at the end of a path; blank text is nothing."""
    item: Any = value
    for part in parts:
        item = item.get(part) if isinstance(item, dict) else None
    return item is not None and not (isinstance(item, str) and not item.strip())
