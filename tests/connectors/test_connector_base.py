from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson
import pytest

import connectors
from connectors.base import Answer, Fatal, Row, Transient, Unanswered, impersonal, retry_after

NOW = datetime(2026, 10, 31, 2, 0, tzinfo=UTC)
ROOM = Path(connectors.__file__).parent


def answered(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers={key.replace("_", "-"): value for key, value in headers.items()})


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 120 ", 120.0),
        ("Sat, 31 Oct 2026 02:01:30 GMT", 90.0),
        ("Sat, 31 Oct 2026 02:01:30 -0000", 90.0),
        ("Sat, 31 Oct 2026 01:00:00 GMT", 0.0),
        ("soon", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    response = httpx.Response(429, headers=[(b"retry-after", value.encode())])
    assert retry_after(response, NOW) == seconds


def test_answers_are_sorted_by_what_the_caller_must_do() -> None:
    once, again = Answer("X", idempotent=False), Answer("X", idempotent=True)
    for status in (401, 403, 404):
        with pytest.raises(Fatal):
            once.raise_for(answered(status))
    with pytest.raises(Transient) as waiting:
        once.raise_for(answered(429, retry_after="3"))
    assert waiting.value.after == 3.0
    with pytest.raises(Unanswered):
        once.raise_for(answered(500))
    with pytest.raises(Transient):
        again.raise_for(answered(500))
    with pytest.raises(Transient):
        once.raise_for(answered(503))
    for status in (200, 207, 400, 409):
        once.raise_for(answered(status))


def test_a_good_answer_that_is_not_json_is_not_success() -> None:
    with pytest.raises(Unanswered):
        Answer("X", idempotent=True).json(httpx.Response(200, content=b'{"results":['))


def test_a_vendors_words_lose_what_is_personal() -> None:
    row = Row(0, "k", orjson.dumps({"name": "韩梅梅梅", "email": "han@例子.cn", "n": 5, "none": None}))
    said = "Value 韩梅梅梅 for\n <han@例子.cn> refused; call +86 138-0013-8000 or write to other@x.example, row 5"
    assert impersonal(said, row) == "Value … for <…> refused; call … or write to …, row 5"
    assert len(impersonal("x" * 1000)) == 200


def test_a_row_shows_nothing_of_itself() -> None:
    assert repr(Row(3, "key", b'{"email":"a@b.example"}', match="a@b.example")) == "Row(3)"


def test_every_connector_file_holds_one_connector() -> None:
    assert set(connectors.names()) >= {"smtp", "sendgrid", "hubspot", "webhook", "csv_file"}
    for name, module in connectors.names().items():
        kind = connectors.find(name)
        assert kind.__module__ == module
        assert kind.channel in connectors.CHANNELS
        assert kind.objects or kind.receives or kind.pull is not connectors.Connector.pull


def test_connectors_know_nothing_of_the_rest_of_the_house() -> None:
    for path in ROOM.rglob("*.py"):
        source = path.read_text()
        assert "from activation" not in source
        assert "import activation" not in source
        assert "dagster" not in source
        if "sandbox" not in path.parts:
            assert "connectors.sandbox" not in source, path
