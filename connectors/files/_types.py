"""The types of columns of a file: whether a value is of one, and which one a column's values have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal

import orjson

from connectors.base import Row

INT64 = range(-(2**63), 2**63)
Type = Literal["string", "integer", "number", "boolean", "date", "timestamp"]


def misfit(row: Row, types: Mapping[str, Type]) -> str:
    """The name of the first column whose value is not of its type; empty when all are."""
    if not types:
        return ""
    fields = row.fields
    for name, kind in types.items():
        value = fields.get(name)
        if value is not None:
            try:
                CONVERT[kind](value)
            except (TypeError, ValueError, OverflowError):
                return name
    return ""


def kind_of(values: Sequence[Any]) -> Type:
    """The type of a column of which nobody said what it is. Where nothing is in it, or several kinds are, it is text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int} and all(value is None or value in INT64 for value in values):
        return "integer"
    if kinds == {float} or (kinds == {int, float} and all(type(value) is not int or abs(value) <= 2**53 for value in values)):
        return "number"
    return "string"


def text_of(value: Any) -> str:
    """A string as it is, and everything else as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or int(value) not in INT64:
        raise TypeError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _timestamp(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment  # the warehouse's own moments are UTC


CONVERT: Mapping[str, Callable[[Any], Any]] = {
    "string": text_of,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": date.fromisoformat,
    "timestamp": _timestamp,
}
