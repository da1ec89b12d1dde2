"""How many parts a text message takes, which is what is paid for.

160 characters of the GSM 7-bit alphabet fit in one part, else 70 UTF-16 units; what is longer is cut into parts of 153, or 67, for each
then begins with a header. A character that takes two (an escaped one, an emoji) is never cut in half. Rules: 3GPP TS 23.038 and 23.040.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
ESCAPED = frozenset("\f^{}\\[~]|€")
ROOM = {"gsm7": (160, 153), "ucs2": (70, 67)}
Alphabet = Literal["gsm7", "ucs2"]


@dataclass(frozen=True)
class Parts:
    """`units` are septets (`gsm7`) or UTF-16 units (`ucs2`), `count` is how many parts they take."""

    alphabet: Alphabet
    units: int
    count: int


def parts(text: str, alphabet: Alphabet | None = None) -> Parts:
    """The parts of a text, in the alphabet it needs or, with `alphabet`, in that one: carriers in mainland China count all as `ucs2`.

    Raises ValueError for a text that the alphabet asked for does not have.
    """
    if alphabet is None:
        alphabet = "gsm7" if all(character in BASIC or character in ESCAPED for character in text) else "ucs2"
    sizes = [_size(character, alphabet) for character in text]
    units = sum(sizes)
    alone, each = ROOM[alphabet]
    if units <= alone:
        return Parts(alphabet, units, min(1, len(text)))
    # Where the next character does not fit, the rest of the part stays empty.
    *_, (count, _) = accumulate(sizes, lambda so_far, size: _put(so_far, size, each), initial=(1, 0))
    return Parts(alphabet, units, count)


def _put(so_far: tuple[int, int], size: int, room: int) -> tuple[int, int]:
    count, used = so_far
    return (count, used + size) if used + size <= room else (count + 1, size)


def _size(character: str, alphabet: Alphabet) -> int:
    if alphabet == "ucs2":
        return 2 if ord(character) > 0xFFFF else 1
    if character in BASIC:
        return 1
    if character in ESCAPED:
        return 2
    raise ValueError("the text has characters that are not in the GSM 7-bit alphabet")
