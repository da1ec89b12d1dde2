"""What the lines of a source look like, noted as it appears, so that of a line like those before it is quickly told that it has nothing new."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

KINDS = {str: "string", int: "number", float: "number", bool: "boolean", dict: "object", list: "array"}
DEEPEST = 3  # levels of fields that are noted
MOST_KEYS = 500  # of more, reading them with types costs more than noting each; often the keys are data themselves, and never end
MOST_REMEMBERED = 100_000  # keys in shapes


@dataclass(slots=True)
class _Place:
    """Where objects stand in a line: keys with the types of their values, the places below, and the shapes (keys, then types) that were seen,
    each with the objects below it."""

    prefix: str = ""
    depth: int = 1
    kinds: dict[str, set[type]] = field(default_factory=dict)
    below: dict[str, _Place] = field(default_factory=dict)
    shapes: dict[tuple[object, ...], list[tuple[str, _Place]]] = field(default_factory=dict)


class Shapes:
    """`fields` are (dotted field, kind), of all that was noted. `misses` is for the reader: how often lines were not as expected, in a row."""

    def __init__(self) -> None:
        self.misses = 0
        self.fields: set[tuple[str, str]] = set()
        self._top = _Place()
        self._keys = self._remembered = 0
        self._noted = 0  # lines, since the reader was made
        self._is_new = self._has_given_up = False
        self._reader: msgspec.json.Decoder[Any] | None = None

    def note(self, value: Mapping[str, Any]) -> None:
        """Note what a line has."""
        self._noted += 1
        self._note(value, self._top)
        if self._keys > MOST_KEYS:
            self._has_given_up, self._reader, self._top = True, None, _Place()
            self._keys = self._remembered = 0
        elif self._remembered > MOST_REMEMBERED:
            _forget_shapes(self._top)
            self._remembered = 0

    def learn(self) -> bool:
        """Make ready to `read` what was noted. False when nothing can be read."""
        # Making a reader costs about as much for a key as noting a line: however often shapes change, it costs half as much as noting them.
        if self._is_new and self._noted >= 2 * self._keys and not self._has_given_up:
            self._reader = msgspec.json.Decoder(_struct(self._top))
            self._is_new, self._noted = False, 0
        return self._reader is not None

    def read(self, text: bytes) -> list[Any] | None:
        """The JSON objects that follow each other in `text`, with nothing between them but white space. None when one of them is none, or has
        a field or kind that is not noted. Values are attributes (`attribute(key)`), or None or UNSET where there is none."""
        if self._reader is None:
            return None
        try:
            return self._reader.decode_lines(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _note(self, value: Mapping[str, Any], place: _Place) -> None:
        # Most objects look like one before; then nothing is built but this tuple, and it is known what lies below.
        shape = (*value, *map(type, value.values()))
        below = place.shapes.get(shape)
        if below is None:
            below = place.shapes[shape] = self._learn(value, place)
        for key, inner in below:
            self._note(value[key], inner)

    def _learn(self, value: Mapping[str, Any], place: _Place) -> list[tuple[str, _Place]]:
        self._remembered += 1 + len(value)
        for key, item in value.items():
            if key not in place.kinds:
                place.kinds[key] = set()
                self._keys += 1
            if type(item) not in place.kinds[key]:
                place.kinds[key].add(type(item))
                self._is_new = True
                if item is not None:
                    self.fields.add((f"{place.prefix}{key}", KINDS[type(item)]))
        objects = [key for key, item in value.items() if type(item) is dict] if place.depth < DEEPEST else []
        return [(key, place.below.setdefault(key, _Place(f"{place.prefix}{key}.", place.depth + 1))) for key in objects]


def _forget_shapes(place: _Place) -> None:
    place.shapes.clear()
    for inner in place.below.values():
        _forget_shapes(inner)


@functools.cache
def attribute(key: str) -> str:
    """The attribute under which a struct has the field of this name."""
    return f"_{key.encode().hex()}"


def _struct(place: _Place) -> type[msgspec.Struct]:
    """The type of an object that has nothing but what was seen at this place."""
    fields = [
        (attribute(key), _union(place, key, kinds), msgspec.field(name=key, default=msgspec.UNSET))
        for key, kinds in place.kinds.items()
        if _can_be_named(key)
    ]
    return msgspec.defstruct("Object", fields, forbid_unknown_fields=True, gc=False)


def _union(place: _Place, key: str, kinds: set[type]) -> Any:
    union: Any = None | msgspec.UnsetType  # null says nothing, so it is nothing new
    for kind in kinds:
        if kind is dict:
            union |= _struct(place.below[key]) if place.depth < DEEPEST else dict[str, _anything()]  # type: ignore[misc]
        elif kind is list:
            union |= list[_anything()]  # type: ignore[misc]
        elif kind is not type(None):
            union |= float if kind is int else kind
    return union


@functools.cache
def _anything(levels: int = 8) -> Any:
    """Any JSON value, but not nested deeper than so: of what is, it is asked one by one how deep it may be."""
    plain = str | float | bool | None
    return plain | list[_anything(levels - 1)] | dict[str, _anything(levels - 1)] if levels else plain  # type: ignore[misc]


def _can_be_named(key: str) -> bool:
    return len(key) < 200 and not any(letter in '\\"' or letter < " " for letter in key)
