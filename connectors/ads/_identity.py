"""What identifies a person to an advertiser's platform: normalised first, then hashed, so that the same person hashes alike on both sides.

Every function gives an empty string for what is not there or cannot be what it is said to be: that identifies nobody.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

MAINLAND = re.compile(r"(?:86|0086)?(1[3-9][0-9]{9})")


def sha256(normalised: str) -> str:
    """In hexadecimal, lower case; nothing of nothing."""
    return hashlib.sha256(normalised.encode()).hexdigest() if normalised else ""


def text(value: object) -> str:
    return "" if value is None else unicodedata.normalize("NFC", str(value)).strip().lower()


def email(value: object) -> str:
    """Trimmed, in lower case."""
    address = text(value)
    return address if re.fullmatch(r"[^@\s]+@[^@\s]+", address) else ""


def phone(value: object) -> str:
    """The digits of a number with its country: `+86 138-0013-8000` and a bare mainland number are `8613800138000`."""
    number = re.sub(r"\D", "", text(value))
    mainland = MAINLAND.fullmatch(number)
    if mainland:
        return f"86{mainland[1]}"
    number = number.removeprefix("00")
    return number if re.fullmatch(r"[1-9]\d{6,14}", number) else ""


def letters(value: object) -> str:
    """A name or a place: nothing but its letters, in lower case and in whatever script."""
    return "".join(character for character in text(value) if unicodedata.category(character)[0] in "LM")


def country(value: object) -> str:
    """The two letters of ISO 3166-1."""
    code = text(value)
    return code if re.fullmatch(r"[a-z]{2}", code) else ""
