"""Tokens in links: what they carry, and what is refused."""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation.engine.errors import UsageError
from activation.engine.links import BadToken, Kind, Link, Links, _encode, project_key, target

NOW = datetime(2026, 10, 31, 2, 0, tzinfo=UTC)
KEY = b"k" * 32
MESSAGE = "m_" + "0123456789abcdef" * 2
LINKS = Links(KEY, "https://t.example.com/", issued_at=NOW)


def token(url: str) -> str:
    return url.rsplit("/", 1)[1].removesuffix(".gif")


def test_a_click_link_carries_message_and_target() -> None:
    url = LINKS.click(MESSAGE, "https://shop.example.com/a;b?x=1&y=%20#z")
    assert url.startswith("https://t.example.com/c/")
    link = LINKS.read(token(url), "click", NOW)
    assert (link.message_id, link.url) == (MESSAGE, "https://shop.example.com/a;b?x=1&y=%20#z")


def test_an_open_link_is_short_and_ends_like_a_picture() -> None:
    url = LINKS.open(MESSAGE)
    assert url.endswith(".gif")
    assert len(token(url)) == 48
    assert LINKS.read(token(url), "open", NOW).message_id == MESSAGE


def test_an_unsubscribe_link_carries_channel_and_purpose() -> None:
    link = LINKS.read(token(LINKS.unsubscribe(MESSAGE, "email", "order_update")), "unsubscribe", NOW)
    assert (link.message_id, link.channel, link.purpose) == (MESSAGE, "email", "order_update")


def test_the_same_message_has_the_same_links_all_day() -> None:
    later = Links(KEY, "https://t.example.com", issued_at=NOW + timedelta(hours=3))
    assert later.open(MESSAGE) == LINKS.open(MESSAGE)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "//evil.example.com", "/relative", "https:///nohost", "ftp://x.example.com",
        "https://user@evil.example.com/", "https://a.example.com/\r\nSet-Cookie: x=1", "https://a.example.com/a b", "https:\\\\evil.example.com",
        "", "http://", "https://a.example.com/" + "x" * 2048,
    ],
)  # fmt: skip
def test_only_absolute_web_addresses_are_targets(url: str) -> None:
    with pytest.raises(ValueError, match="target"):
        LINKS.click(MESSAGE, url)


def test_a_target_in_chinese_becomes_ascii() -> None:
    assert target("https://例子.中国/产品?名=值").isascii()


@pytest.mark.parametrize("who", ["ann@example.com", "+8613800138000", "m_ann", MESSAGE.upper()])
def test_a_token_cannot_be_made_for_anything_but_a_message_id(who: str) -> None:
    with pytest.raises(ValueError, match="message id"):
        LINKS.open(who)


def test_a_token_of_another_kind_is_refused() -> None:
    with pytest.raises(BadToken, match="kind unsubscribe"):
        LINKS.read(token(LINKS.open(MESSAGE)), "unsubscribe", NOW)


def test_a_token_of_another_project_is_refused() -> None:
    with pytest.raises(BadToken, match="not signed"):
        Links(b"o" * 32, "https://t.example.com").read(token(LINKS.open(MESSAGE)), "open", NOW)


@pytest.mark.parametrize(("kind", "days"), [("click", 400), ("open", 400), ("unsubscribe", 3650)])
def test_a_token_lives_for_its_days_and_then_expires(kind: Kind, days: int) -> None:
    made = {"click": LINKS.click(MESSAGE, "https://a.example.com"), "open": LINKS.open(MESSAGE),
            "unsubscribe": LINKS.unsubscribe(MESSAGE, "email", "newsletter")}[kind]  # fmt: skip
    assert LINKS.read(token(made), kind, NOW + timedelta(days=days)).expires_at > NOW + timedelta(days=days)
    with pytest.raises(BadToken, match="expired"):
        LINKS.read(token(made), kind, NOW + timedelta(days=days + 1))


@given(position=st.integers(min_value=0), bit=st.integers(0, 7))
def test_no_bit_of_a_token_can_be_changed(position: int, bit: int) -> None:
    good = token(LINKS.click(MESSAGE, "https://a.example.com/path"))
    raw = bytearray(urlsafe_b64decode(good + "=" * (-len(good) % 4)))
    raw[position % len(raw)] ^= 1 << bit
    with pytest.raises(BadToken):
        LINKS.read(_encode(bytes(raw)), "click", NOW)


@given(st.text(max_size=200))
def test_any_text_is_a_bad_token_and_nothing_worse(text: str) -> None:
    with pytest.raises(BadToken) as caught:
        LINKS.read(text, "click", NOW)
    assert not text or len(text) < 8 or text not in str(caught.value)


@pytest.mark.parametrize("spoil", [lambda t: t + "=", lambda t: t + "!", lambda t: "\n" + t, lambda t: t[:10] + " " + t[10:]])
def test_a_token_has_one_spelling(spoil) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadToken, match="malformed"):
        LINKS.read(spoil(token(LINKS.open(MESSAGE))), "open", NOW)


def test_the_key_is_not_in_a_repr() -> None:
    assert "k" * 8 not in repr(LINKS)
    assert Link.__slots__


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: project_key(tmp_path / ".sluice", {}), range(32)))
    assert len(keys) == 1
    secret = tmp_path / ".sluice" / "secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert os.listdir(secret.parent) == ["secret"]


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    assert project_key(tmp_path, {"SLUICE_SECRET": "e" * 40}) == b"e" * 40
    assert not (tmp_path / "secret").exists()
    assert project_key(tmp_path, {"SLUICE_SECRET": ""}) == (tmp_path / "secret").read_bytes()


def test_a_short_key_is_refused_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="SLUICE_SECRET is too short") as caught:
        project_key(tmp_path, {"SLUICE_SECRET": "hunter2"})
    assert "hunter2" not in str(caught.value)
