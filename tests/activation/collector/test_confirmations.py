"""Double opt-in over real HTTP: only the button behind a link of ours confirms, and what it confirms lands as consent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from running_collector import KEY, LINKS, MESSAGE, NOW, PUBLIC, Running

from activation.engine.links import Links

Collect = Callable[..., Running]
LINK = LINKS.confirm(MESSAGE, "email", "newsletter")
SOURCE = "consent_records"


def test_looking_at_the_page_confirms_nothing(collect: Collect) -> None:
    running = collect()
    page = running.http.get(running.local(LINK), headers={"accept-language": "en"})
    assert page.status_code == 200
    assert "You asked to receive the newsletter by e-mail." in page.text
    assert '<button type="submit" name="confirm" value="yes">' in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert running.http.head(running.local(LINK)).status_code in {200, 405}
    assert running.kept(SOURCE) == []


def test_the_button_confirms_for_the_receiver_of_the_message_in_the_words_that_were_shown(collect: Collect) -> None:
    running = collect()
    answer = running.http.post(running.local(LINK), data={"confirm": "yes"}, headers={"accept-language": "zh-CN"})
    assert answer.status_code == 200
    assert "已确认" in answer.text
    (record,) = running.kept(SOURCE)
    assert record.pop("consent_id").startswith("dc_")
    assert record == {
        "identifier_type": "message_id", "identifier": MESSAGE, "channel": "email", "purpose": "newsletter", "status": "confirmed",
        "source": "double_opt_in", "double_opt_in": True, "wording": "您申请通过电子邮件接收资讯。 是的，我要订阅",
        "occurred_at": "2026-10-31T02:00:00.000Z",
    }  # fmt: skip


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"confirm=no", 400), (b"List-Unsubscribe=One-Click", 400), (b"x" * 9000, 413)])
def test_what_is_no_yes_confirms_nothing(collect: Collect, body: bytes, status: int) -> None:
    running = collect()
    assert running.http.post(running.local(LINK), content=body).status_code == status
    assert running.kept(SOURCE) == []


@pytest.mark.parametrize(
    "link",
    [
        Links(KEY, PUBLIC, issued_at=NOW - timedelta(days=40)).confirm(MESSAGE, "email", "newsletter"),
        Links(b"f" * 32, PUBLIC, issued_at=NOW).confirm(MESSAGE, "email", "newsletter"),
        LINKS.unsubscribe(MESSAGE, "email", "newsletter").replace("/u/", "/y/"),
        LINKS.preferences(MESSAGE).replace("/p/", "/y/"),
        f"{PUBLIC}/y/x",
    ],
)
def test_a_link_that_is_not_ours_confirms_nothing(collect: Collect, link: str) -> None:
    running = collect()
    assert running.http.get(running.local(link)).status_code == 404
    assert running.http.post(running.local(link), data={"confirm": "yes"}).status_code == 404
    assert running.kept(SOURCE) == []
    assert 'bad_tokens_total{kind="confirm"} 2' in running.http.get("/metrics").text


def test_a_full_disk_is_said_on_a_page(collect: Collect) -> None:
    running = collect()
    (running.folder / SOURCE).write_text("a file where the folder should be")
    answer = running.http.post(running.local(LINK), data={"confirm": "yes"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"].startswith("text/html")
