"""Clicks, opens and unsubscribes over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from running_collector import KEY, LINKS, MESSAGE, NOW, PUBLIC, Running

from activation.collector.tracking import PIXEL, ip_prefix
from activation.engine.links import Links

Collect = Callable[..., Running]
CLICK = LINKS.click(MESSAGE, "https://shop.example.com/a;b?x=1&y=%20#z")
OPEN = LINKS.open(MESSAGE)
UNSUBSCRIBE = LINKS.unsubscribe(MESSAGE, "email", "newsletter")
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
    "multipart/form-data; boundary=b",
)


def test_a_click_leads_to_its_target_and_is_kept_first(collect: Collect) -> None:
    running = collect()
    answer = running.http.get(running.local(CLICK), headers={"user-agent": "Browser " + "x" * 1000})
    assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example.com/a;b?x=1&y=%20#z")
    (event,) = running.kept("tracking_events")
    assert event.pop("event_id").startswith("t_")
    assert event == {
        "type": "click",
        "message_id": MESSAGE,
        "url": "https://shop.example.com/a;b?x=1&y=%20#z",
        "channel": None,
        "purpose": None,
        "occurred_at": "2026-10-31T02:00:00.000Z",
        "user_agent": ("Browser " + "x" * 1000)[:512],
        "ip_prefix": "127.0.0.0/24",
    }


def test_an_open_is_a_picture_that_is_never_cached(collect: Collect) -> None:
    running = collect()
    answer = running.http.get(running.local(OPEN))
    assert (answer.content, answer.headers["content-type"], answer.headers["cache-control"]) == (PIXEL, "image/gif", "no-store")
    assert [event["type"] for event in running.kept("tracking_events")] == ["open"]


def test_looking_at_the_unsubscribe_page_unsubscribes_nobody(collect: Collect) -> None:
    running = collect()
    page = running.http.get(running.local(UNSUBSCRIBE))
    assert page.status_code == 200
    assert 'value="One-Click"' in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert [event["type"] for event in running.kept("tracking_events")] == ["page_shown"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=One-Click\r\n", "text/plain"),
        MULTIPART,
    ],
)
def test_one_post_unsubscribes_without_cookie_or_redirect(collect: Collect, body: bytes, content_type: str) -> None:
    running = collect()
    answer = running.http.post(running.local(UNSUBSCRIBE), content=body, headers={"content-type": content_type})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    (event,) = running.kept("tracking_events")
    assert (event["type"], event["message_id"], event["channel"], event["purpose"]) == (
        "unsubscribe", MESSAGE, "email", "newsletter",
    )  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"List-Unsubscribe=No", b"x=List-Unsubscribe%3DOne-Click", b"\xff\xfe=\xff", b"x" * 9000])
def test_a_post_that_does_not_say_one_click_unsubscribes_nobody(collect: Collect, body: bytes) -> None:
    running = collect()
    assert running.http.post(running.local(UNSUBSCRIBE), content=body).status_code in {400, 413}
    assert running.kept("tracking_events") == []


def test_the_page_speaks_chinese_to_those_who_do(collect: Collect) -> None:
    running = collect()
    assert (
        "您将不再通过电子邮件收到资讯" in running.http.get(running.local(UNSUBSCRIBE), headers={"accept-language": "zh-CN,zh;q=0.9"}).text
    )
    assert "the newsletter by e-mail" in running.http.get(running.local(UNSUBSCRIBE), headers={"accept-language": "de"}).text


EXPIRED = Links(KEY, PUBLIC, issued_at=NOW - timedelta(days=5000))
FORGED = Links(b"f" * 32, PUBLIC, issued_at=NOW)


@pytest.mark.parametrize(
    "link",
    [
        f"{PUBLIC}/c/https:%2F%2Fevil.example.com", f"{PUBLIC}/c/x", f"{PUBLIC}/o/x.gif", f"{PUBLIC}/u/%F0%9F%8E%89",
        CLICK[:-1] + ("A" if CLICK[-1] != "A" else "B"), CLICK.replace("/c/", "/u/"), UNSUBSCRIBE.replace("/u/", "/c/"),
        EXPIRED.click(MESSAGE, "https://a.example.com"), EXPIRED.unsubscribe(MESSAGE, "email", "newsletter"), EXPIRED.open(MESSAGE),
        FORGED.click(MESSAGE, "https://evil.example.com"), FORGED.unsubscribe(MESSAGE, "email", "newsletter"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bad_token_leads_nowhere_and_keeps_nothing(collect: Collect, link: str, method: str) -> None:
    running = collect()
    body = b"List-Unsubscribe=One-Click" if method == "POST" else b""
    answer = running.http.request(method, running.local(link), content=body)
    assert answer.status_code in {404, 405}
    assert "location" not in answer.headers
    assert running.kept("tracking_events") == []


def test_asking_for_headers_only_is_no_click(collect: Collect) -> None:
    running = collect()
    assert running.http.head(running.local(CLICK)).status_code == 302
    assert running.kept("tracking_events") == []


def test_what_cannot_be_kept_is_not_answered_as_if_it_were(collect: Collect) -> None:
    running = collect()
    (running.folder / "tracking_events").write_text("a file where the folder should be")
    click = running.http.get(running.local(CLICK))
    left = running.http.post(running.local(UNSUBSCRIBE), content=b"List-Unsubscribe=One-Click")
    assert [answer.status_code for answer in (click, left)] == [503, 503]
    assert left.headers["retry-after"] == "5"
    assert "location" not in click.headers


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2:3::4", "2001:db8:1::/48"), ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"), ("testclient", None), ("", None),
    ],
)  # fmt: skip
def test_an_address_is_kept_too_coarse_to_be_a_person(address: str, prefix: str | None) -> None:
    assert ip_prefix(address) == prefix
