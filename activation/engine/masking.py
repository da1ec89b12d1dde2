"""How personal data is shown where people look."""

from __future__ import annotations

from typing import Any


def mask(value: Any) -> str:
    """Enough to tell two apart, too little to know whom: the first character, and the domain of an address."""
    text = "" if value is None else str(value)
    if not text:
        return ""
    return f"{text[0]}***" + (f"@{text.rsplit('@', 1)[1]}" if "@" in text else "")
