"""What a message's writer is told before anybody reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activation.engine.content_lint import lint, width
from activation.engine.declarations import Declarations
from activation.engine.project import REPOSITORY, Project
from tests.activation.engine.small_project import SmallProject

GOOD = '<p>Hello {{ first_name }}, here is what is new.</p><a href="{{ unsubscribe_url }}">Leave</a>'


def advice(tmp_path: Path, subject: str = "What is new this month", page: str = GOOD, send: dict[str, Any] | None = None) -> list[str]:
    shop = SmallProject(tmp_path / "shop")
    shop.content(f"email: {{subject: '{subject}', html: hello.html}}\n", page)
    shop.send(**(send or {}))
    return [sentence for _, sentence in lint(shop.declarations)]


def test_a_sound_message_is_not_talked_about(tmp_path: Path) -> None:
    assert advice(tmp_path) == []


@pytest.mark.parametrize(
    ("subject", "sentence"),
    [
        ("x" * 61, "61 characters wide"), ("新" * 31, "62 characters wide"), ("News", "says little"), ("BUY THIS NOW", "all capitals"),
        ("What is new! This month!", "exclamation marks"), ("本月新品！快来看看吧！", "exclamation marks"),
    ],
)  # fmt: skip
def test_subjects(tmp_path: Path, subject: str, sentence: str) -> None:
    (told,) = advice(tmp_path, subject)
    assert sentence in told


@pytest.mark.parametrize("subject", ["{{ first_name }}", "新" * 30, "x" * 60])
def test_subjects_that_are_fine(tmp_path: Path, subject: str) -> None:
    assert advice(tmp_path, subject) == []


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (GOOD + "<img src='https://a.example/x.png'>", "1 image(s) without `alt`"), (GOOD + "<script>x</script>", "holds <script>"),
        (GOOD + "<FORM></FORM>", "holds <form>"), (GOOD + "<a href='http://a.example'>x</a>", "write https://"),
        (GOOD + "<a href='#'>x</a>", "leads nowhere"), (GOOD + "x" * 102_000, "Gmail cuts"),
        ("<a href='{{ unsubscribe_url }}'><img src='x.png' alt=''></a>", "hardly any text"),
        ("<p>Hello {{ first_name }}, here is what is new.</p>", "shows no way out"),
    ],
)  # fmt: skip
def test_pages(tmp_path: Path, page: str, sentence: str) -> None:
    told = advice(tmp_path, page=page)
    assert [one for one in told if sentence in one] == told != []


def test_what_is_owed_to_a_customer_needs_no_way_out(tmp_path: Path) -> None:
    assert advice(tmp_path, page="<p>Your order {{ first_name }} has left the house.</p>", send={"purpose": "order_update"}) == []


def test_a_language_that_nobody_would_get_is_said(tmp_path: Path) -> None:
    shop = SmallProject(tmp_path / "shop")
    shop.content(
        "email: {subject: What is new, html: hello.html}\nlanguages: {zh: {email: {subject: 您好，本月新品来了, html: hello.html}}}\n", GOOD
    )
    shop.send()
    assert [sentence for _, sentence in lint(shop.declarations)] == [
        "its content speaks zh too: give `language` in `fields`, or nobody gets it."
    ]


def test_what_is_shipped_is_sound() -> None:
    assert list(lint(Declarations.load(Project(REPOSITORY)))) == []


def test_a_chinese_character_is_as_wide_as_two_others() -> None:
    assert [width(text) for text in ("abc", "中文", "，", " a  b ")] == [3, 4, 2, 3]
