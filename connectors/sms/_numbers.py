"""Telephone numbers as vendors of text messages write them."""

from __future__ import annotations

import re

MAINLAND = re.compile(r"(\+?86|0086)?(1[3-9][0-9]{9})")


def e164(phone: str) -> str:
    """With a plus sign and the country; a bare mainland number is one of +86."""
    mainland = MAINLAND.fullmatch(phone)
    return f"+86{mainland[2]}" if mainland else f"+{phone.removeprefix('+')}"


def bare(phone: str) -> str:
    """As Chinese vendors write it: mainland numbers without the country, others with it and no sign."""
    return phone.removeprefix("+86").removeprefix("+")


def digits(number: str) -> str:
    """Without whatever else stands in it: what two ways to write a number have in common."""
    return re.sub(r"[^0-9]", "", number)
