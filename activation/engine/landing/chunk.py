"""Lines that are judged as they are read: those that can land, those that cannot and why, and the fields that were seen."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from activation.engine.specs import Source

CHUNK_BYTES = 32 * 1024 * 1024
CHUNK_ROWS = 100_000
DEEPEST = 3  # levels of fields that are noted
KINDS = {str: "string", int: "number", float: "number", bool: "boolean", dict: "object", list: "array"}


@dataclass
class Chunk:
    """As much of a file as is held at once. `bad` is (line, reason, content); `fields` are (dotted field, kind).

    What is in `texts` is JSON by the letter (no NaN, no trailing comma) and not nested deeper than a parser goes: DuckDB accepts the
    first, and some of its functions crash the process on the second.
    """

    source: Source
    lines: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    bad: list[tuple[int, str, str]] = field(default_factory=list)
    fields: set[tuple[str, str]] = field(default_factory=set)
    _bytes: int = 0
    _shapes: dict[tuple[object, ...], list[tuple[str, str]]] = field(default_factory=dict, repr=False)  # what lies below an object

    @property
    def full(self) -> bool:
        return self._bytes >= CHUNK_BYTES or len(self.lines) + len(self.bad) >= CHUNK_ROWS

    @property
    def last_line(self) -> int:
        """The last line in it, good or bad; 0 when it is empty."""
        return max([*self.lines[-1:], *(line for line, _, _ in self.bad)], default=0)

    def leave_out(self, until: int) -> None:
        """Forget the lines up to `until`: they have landed before."""
        kept = bisect_right(self.lines, until)
        self.lines, self.texts = self.lines[kept:], self.texts[kept:]
        self.bad = [line for line in self.bad if line[0] > until]

    def take_text(self, line: int, text: str) -> None:
        """One JSON text, kept exactly as it came."""
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            self.reject(line, f"is not valid JSON: {error.msg} at character {error.pos + 1}", text)
            return
        if type(value) is not dict:
            self.reject(line, "is not a JSON object", text)
        else:
            self.take(line, text, value)

    def take(self, line: int, text: str, value: Mapping[str, Any]) -> None:
        """One JSON object, with its text."""
        if self.source.required:
            missing = [path for path in self.source.required if not _has(value, path)]
            if missing:
                names = " and ".join(f"`{path}`" for path in missing)
                self.reject(line, f"has no value for {names}, which this source requires", text)
                return
        self.lines.append(line)
        self.texts.append(text)
        self._bytes += len(text)
        self._note(value, "", 1)

    def reject(self, line: int, reason: str, content: str) -> None:
        """One line that cannot land."""
        self.bad.append((line, reason, content))
        self._bytes += len(content)

    def _note(self, value: Mapping[str, Any], prefix: str, depth: int) -> None:
        # Most objects look like one before; then nothing is built but these tuples, and it is known what lies below.
        shape = (prefix, tuple(value), tuple(map(type, value.values())))
        below = self._shapes.get(shape)
        if below is None:
            self.fields.update((f"{prefix}{key}", KINDS[type(item)]) for key, item in value.items() if item is not None)
            objects = [key for key, item in value.items() if type(item) is dict] if depth < DEEPEST else []
            below = self._shapes[shape] = [(key, f"{prefix}{key}.") for key in objects]
        for key, path in below:
            self._note(value[key], path, depth + 1)


def _has(value: Mapping[str, Any], path: str) -> bool:
    """Whether there is something at a dotted path; blank text is nothing."""
    item: Any = value
    for part in path.split("."):
        item = item.get(part) if isinstance(item, dict) else None
    return item is not None and not (isinstance(item, str) and not item.strip())
