"""Cron expressions as people write them: five fields, each with numbers, names, ranges, lists and steps."""

from __future__ import annotations

import re

FIELDS = (
    (0, 59, ""),
    (0, 23, ""),
    (1, 31, ""),
    (1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    (0, 7, "sun mon tue wed thu fri sat"),
)


def checked(value: str) -> str:
    """The expression, if it is one. Raises ValueError."""
    fields = value.lower().split()
    if len(fields) != 5 or not all(_is_field(text, *rule) for text, rule in zip(fields, FIELDS, strict=True)):
        raise ValueError('write a cron expression of five fields (minute, hour, day, month, weekday), such as "0 9 * * *"')
    return value


def _is_field(text: str, lowest: int, highest: int, names: str) -> bool:
    number = rf"(?:\d+{''.join(f'|{name}' for name in names.split())})"
    for part in text.split(","):
        if not re.fullmatch(rf"(?:\*|{number}(?:-{number})?)(?:/[1-9]\d*)?", part):
            return False
        if not all(lowest <= int(digits) <= highest for digits in re.findall(r"\d+", part.split("/")[0])):
            return False
    return True
