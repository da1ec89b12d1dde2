"""How people write what they are asked for: phone numbers in many formats, mail addresses in other case or with a slip."""

from __future__ import annotations

import polars as pl

from activation.sample.draws import Ints
from activation.sample.text import joined

# Styles of a phone number; the first is E.164, the others are what forms and spreadsheets hold.
PHONE_STYLES = 6
AS_IS = 0
LOUD = 1
PADDED = 2
SLIPPED = 3


def written_phone(phone: pl.Series, style: Ints) -> pl.Series:
    """The E.164 number as a person in China writes it. Foreign numbers stay as they are. Null stays null."""
    local = phone.str.slice(3)
    head, middle, tail = local.str.slice(0, 3), local.str.slice(3, 4), local.str.slice(7)
    ways = (
        phone,
        local,
        joined(head, " ", middle, " ", tail),
        joined(head, "-", middle, "-", tail),
        joined("+86 ", head, " ", middle, " ", tail),
        joined("0086", local),
    )
    return _by_style(ways, style).zip_with(phone.str.starts_with("+86").fill_null(False), phone)


def written_email(email: pl.Series, style: Ints) -> pl.Series:
    """The address as it is, in capitals, with blanks around it, or with two letters of the name swapped. Null stays null."""
    slipped = joined(email.str.slice(0, 1), email.str.slice(2, 1), email.str.slice(1, 1), email.str.slice(3))
    ways = (
        email,
        joined(email.str.slice(0, 3).str.to_uppercase(), email.str.slice(3).str.to_titlecase()),
        joined(" ", email, " "),
        slipped,
    )
    return _by_style(ways, style)


def _by_style(ways: tuple[pl.Series, ...], style: Ints) -> pl.Series:
    chosen = ways[0]
    for number, way in enumerate(ways[1:], start=1):
        chosen = way.zip_with(pl.Series(style == number), chosen)
    return chosen
