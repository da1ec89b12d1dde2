"""What every receiver does with a callback before it believes it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.base import BadSignature, Callback, same

NOW = datetime(2026, 10, 31, 2, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


def callback(body: bytes = b"") -> Callback:
    return Callback("POST", "https://x.example/hooks/x", {}, {}, body, NOW)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_what_was_signed_lately_is_in_time_in_seconds_and_in_milliseconds(seconds: int) -> None:
    callback().check_time(str(SECONDS + seconds), 300)
    callback().check_time(str((SECONDS + seconds) * 1000), 300, unit=0.001)


@pytest.mark.parametrize(
    ("timestamp", "why"),
    [(str(SECONDS - 301), "clock"), (str(SECONDS + 301), "clock"), (str(SECONDS * 1000), "clock"), ("0", "clock"), ("9" * 16, "clock")]
    + [(odd, "no timestamp") for odd in ("", "soon", "-5", "1e9", " 7", "1_000", "٣", "9" * 400)],
)
def test_what_was_signed_at_another_time_or_at_none_is_refused(timestamp: str, why: str) -> None:
    with pytest.raises(BadSignature, match=why):
        callback().check_time(timestamp, 300)


def test_a_list_of_objects_is_read_and_nothing_else() -> None:
    assert callback(b'[{"a":1},{}]').objects() == [{"a": 1}, {}]
    for body in (b"", b"{}", b"[1]", b'[{"a":1},null]', b"[{", b"\xff"):
        with pytest.raises(BadSignature):
            callback(body).objects()


@pytest.mark.parametrize("given", ["", "righ", "right ", "Right", "李雷", "\udcff"])
def test_only_the_right_token_is_the_same(given: str) -> None:
    assert same("right", "right")
    assert not same(given, "right")
