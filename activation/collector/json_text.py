"""JSON as clients really send it.

Some write NaN and Infinity, which JSON does not have, and half of a cut emoji, which Unicode does not have. Refusing those would
lose the whole batch around them. They become null and `?`; everything else is kept.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import orjson


class TooDeep(Exception):
    """A value nested more deeply than can be written."""


def parse(text: bytes) -> Any:
    """The value `text` stands for. Raises ValueError, whose message repeats nothing of it."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text.decode("utf-8-sig"), parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None


def dump(value: Any) -> bytes:
    """`value` on one line. Raises TooDeep."""
    try:
        return orjson.dumps(value)
    except TypeError:  # surrogates, integers over 64 bits, or nested deeper than orjson goes
        pass
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    except RecursionError:
        raise TooDeep from None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if isfinite(number) else None
