"""How many parts a text message takes: the limits of both alphabets, and characters that are never cut in half."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.parts import Parts, parts

GSM7 = "@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤ÄÖÑÜ§¿äöñüà\n\r abcABC123"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Parts("gsm7", 0, 0)),
        ("a", Parts("gsm7", 1, 1)),
        (GSM7, Parts("gsm7", len(GSM7), 1)),
        ("a" * 160, Parts("gsm7", 160, 1)),
        ("a" * 161, Parts("gsm7", 161, 2)),
        ("a" * 306, Parts("gsm7", 306, 2)),
        ("a" * 307, Parts("gsm7", 307, 3)),
        ("€" * 80, Parts("gsm7", 160, 1)),
        ("a" * 159 + "€", Parts("gsm7", 161, 2)),
        # 152 and an escaped character do not fit in 153: it begins the next part.
        ("a" * 152 + "€" + "a" * 151, Parts("gsm7", 305, 2)),
        ("a" * 152 + "€" + "a" * 152, Parts("gsm7", 306, 3)),
        ("ç", Parts("ucs2", 1, 1)),  # the alphabet has the capital only
        ("您" * 70, Parts("ucs2", 70, 1)),
        ("您" * 71, Parts("ucs2", 71, 2)),
        ("您" * 134, Parts("ucs2", 134, 2)),
        ("您" * 135, Parts("ucs2", 135, 3)),
        ("🎉" * 35, Parts("ucs2", 70, 1)),
        ("🎉" * 36, Parts("ucs2", 72, 2)),
        # 33 pairs are 66: the 34th does not fit in 67.
        ("🎉" * 67, Parts("ucs2", 134, 3)),
        ("a" * 80 + "’", Parts("ucs2", 81, 2)),
    ],
    ids=repr,
)
def test_a_text_takes_as_many_parts_as_the_alphabet_has_room_for(text: str, expected: Parts) -> None:
    assert parts(text) == expected


def test_carriers_in_china_count_every_text_in_units_of_two_bytes() -> None:
    assert parts("a" * 71, "ucs2") == Parts("ucs2", 71, 2)


def test_a_text_that_an_alphabet_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="not in the GSM 7-bit alphabet"):
        parts("您", "gsm7")


@given(st.text(st.characters(codec="utf-8"), max_size=700))
def test_parts_are_never_fewer_than_their_units_need_and_one_more_at_most_for_each_cut(text: str) -> None:
    counted = parts(text)
    alone, each = (160, 153) if counted.alphabet == "gsm7" else (70, 67)
    least = (1 if text else 0) if counted.units <= alone else -(-counted.units // each)
    assert least <= counted.count <= least + counted.units // each // each + 1
    if counted.alphabet == "ucs2":
        assert counted.units == len(text.encode("utf-16-le")) // 2
