"""The preference centre over real HTTP: what is chosen lands as consent, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from running_collector import KEY, LINKS, MESSAGE, NOW, PUBLIC, Running

from activation.engine.links import Links

Collect = Callable[..., Running]
LINK = LINKS.preferences(MESSAGE)
SOURCE = "consent_records"


def test_looking_changes_nothing_and_shows_every_topic_and_channel(collect: Collect) -> None:
    running = collect()
    page = running.http.get(running.local(LINK))
    assert page.status_code == 200
    for name in ("newsletter.email", "newsletter.sms", "newsletter.wechat", "newsletter/events.email", "product_news.email"):
        assert f'<select name="{name}"' in page.text
    assert "What is new in the product." in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert running.kept(SOURCE) == []


def test_what_is_chosen_is_kept_with_its_wording_for_the_receiver_of_the_message(collect: Collect) -> None:
    running = collect()
    said = {"newsletter.email": "yes", "newsletter.sms": "", "product_news.wechat": "no"}
    answer = running.http.post(running.local(LINK), data=said, headers={"accept-language": "en"})
    assert answer.status_code == 200
    granted, withdrawn = running.kept(SOURCE)
    assert granted.pop("consent_id") != withdrawn.pop("consent_id")
    assert granted == {
        "identifier_type": "message_id", "identifier": MESSAGE, "channel": "email", "purpose": "newsletter", "status": "granted",
        "source": "preference_centre", "wording": "the newsletter by e-mail: yes, please", "occurred_at": "2026-10-31T02:00:00.000Z",
    }  # fmt: skip
    assert (withdrawn["channel"], withdrawn["purpose"], withdrawn["status"]) == ("wechat", "product_news", "withdrawn")
    assert granted["wording"] in answer.text


def test_a_part_of_a_purpose_can_be_left_by_its_name(collect: Collect) -> None:
    running = collect()
    running.http.post(running.local(LINK), data={"newsletter/events.email": "no"}, headers={"accept-language": "en"})
    (record,) = running.kept(SOURCE)
    assert (record["purpose"], record["topic"], record["channel"], record["status"]) == ("newsletter", "events", "email", "withdrawn")
    assert record["wording"] == "the newsletter: events by e-mail: no, thanks"


def test_one_button_ends_every_topic_on_every_channel(collect: Collect) -> None:
    running = collect()
    running.http.post(running.local(LINK), data={"everything": "no", "newsletter.email": "yes"}, headers={"accept-language": "zh-CN"})
    assert [(record["channel"], record["purpose"], record["status"]) for record in running.kept(SOURCE)] == [
        ("all", "newsletter", "withdrawn"), ("all", "newsletter", "withdrawn"), ("all", "product_news", "withdrawn"),
    ]  # fmt: skip
    assert [record.get("topic") for record in running.kept(SOURCE)] == [None, "events", None]
    assert "全部退订" in running.kept(SOURCE)[0]["wording"]


@pytest.mark.parametrize(("body", "status"), [(b"", 200), (b"other.email=yes", 200), (b"newsletter.email=maybe", 400), (b"x" * 9000, 413)])
def test_what_is_no_choice_changes_nothing(collect: Collect, body: bytes, status: int) -> None:
    running = collect()
    assert running.http.post(running.local(LINK), content=body).status_code == status
    assert running.kept(SOURCE) == []


@pytest.mark.parametrize(
    "link",
    [
        Links(KEY, PUBLIC, issued_at=NOW - timedelta(days=500)).preferences(MESSAGE),
        Links(b"f" * 32, PUBLIC, issued_at=NOW).preferences(MESSAGE),
        LINKS.unsubscribe(MESSAGE, "email", "newsletter").replace("/u/", "/p/"),
        f"{PUBLIC}/p/x",
    ],
)
def test_a_link_that_is_not_ours_changes_nothing(collect: Collect, link: str) -> None:
    running = collect()
    assert running.http.get(running.local(link)).status_code == 404
    assert running.http.post(running.local(link), data={"everything": "no"}).status_code == 404
    assert running.kept(SOURCE) == []
    assert 'bad_tokens_total{kind="preferences"} 2' in running.http.get("/metrics").text


def test_who_has_unsubscribed_is_shown_the_way_to_choose(collect: Collect) -> None:
    running = collect()
    done = running.http.post(running.local(LINKS.unsubscribe(MESSAGE, "email", "newsletter")), data={"List-Unsubscribe": "One-Click"})
    assert LINK in done.text


def test_a_full_disk_is_said_on_a_page(collect: Collect) -> None:
    running = collect()
    (running.folder / SOURCE).write_text("a file where the folder should be")
    answer = running.http.post(running.local(LINK), data={"everything": "no"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"].startswith("text/html")
