"""Forms over real HTTP and in a real browser: what fits lands with its consent, what does not is said and not kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running_collector import FORMS, Running, until
from website import browsing, serving

from activation.collector.form_page import FormPage
from activation.engine.errors import UsageError
from activation.engine.form_specs import Checker, chosen_language, spoken

Collect = Callable[..., Running]
SOURCE = "forms_submissions"
ENGLISH = {"accept-language": "en"}
SUBMISSION = "f_" + "0" * 32


def test_what_is_filled_in_as_asked_lands_with_the_consent_in_its_words(collect: Collect) -> None:
    running = collect()
    said = {
        "email": " ann@example.com ", "size": "12", "news": "true", "phone": "", "_consent": "on", "website": "",
        "_page_url": "https://shop.example.com/a", "_anonymous_id": "anon-1", "_utm_source": "news", "_utm_campaign": "秋",
    }  # fmt: skip
    answer = running.http.post("/f/demo", data=said, headers={"accept-language": "zh-CN,zh;q=0.9"})
    assert (answer.status_code, "谢谢。" in answer.text) == (200, True)
    (kept,) = running.kept(SOURCE)
    assert kept.pop("submission_id").startswith("f_")
    assert kept.pop("user_agent").startswith("python-httpx")
    assert kept == {
        "form_id": "demo",
        "page_url": "https://shop.example.com/a",
        "anonymous_id": "anon-1",
        "fields": {"email": "ann@example.com", "size": 12, "news": True},
        "utm": {"source": "news", "campaign": "秋"},
        "language": "zh",
        "submitted_at": "2026-10-31T02:00:00.000Z",
        "ip_prefix": "127.0.0.0/24",
        "consent": {"granted": True, "purposes": ["newsletter"], "channels": ["email"], "wording": "请给我写信。"},
    }


def test_a_box_that_is_not_ticked_agrees_to_nothing(collect: Collect) -> None:
    running = collect()
    running.http.post("/f/demo", data={"email": "ann@example.com"})
    assert running.kept(SOURCE)[0]["consent"]["granted"] is False


@pytest.mark.parametrize(
    ("said", "faults"),
    [
        ({}, ["email"]), ({"email": "ann"}, ["email"]), ({"email": "ann@example.com", "size": "0"}, ["size"]),
        ({"email": "ann@example.com", "size": "many"}, ["size"]), ({"email": "ann@example.com", "topic": "fax"}, ["topic"]),
        ({"email": "ann@example.com", "phone": "12"}, ["phone"]), ({"email": "ann@example.com", "message": "x" * 51}, ["message"]),
        ({"email": "ann@example.com", "news": "maybe"}, ["news"]), ({"email": ["a"], "size": {}, "phone": 1}, ["email", "phone", "size"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_by_field_and_not_kept(collect: Collect, said: dict[str, Any], faults: list[str]) -> None:
    running = collect()
    answer = running.http.post("/f/demo", json=said)
    assert (answer.status_code, answer.json()["code"], sorted(answer.json()["faults"])) == (422, "invalid", faults)
    assert running.kept(SOURCE) == []
    assert 'refused_total{reason="form"} 1' in running.http.get("/metrics").text


def test_a_form_that_is_shown_again_keeps_what_was_filled_in(collect: Collect) -> None:
    running = collect()
    said = {"email": "ann", "message": "<script>&", "topic": "sms", "_consent": "on", "_utm_source": "news"}
    page = running.http.post("/f/demo", data=said, headers=ENGLISH)
    assert page.status_code == 422
    assert 'value="ann"' in page.text
    assert "&lt;script&gt;&amp;</textarea>" in page.text
    assert "<option selected>sms" in page.text
    assert 'name="_consent" value="on" checked' in page.text
    assert 'name="_utm_source" value="news"' in page.text
    assert page.text.count("This does not look right.") == 1


def test_a_field_that_the_form_does_not_have_is_refused(collect: Collect) -> None:
    running = collect()
    assert running.http.post("/f/demo", data={"email": "ann@example.com", "role": "admin"}).status_code == 422
    assert running.kept(SOURCE) == []


def test_a_consent_that_is_to_be_confirmed_lands_as_one_with_its_topic(collect: Collect) -> None:
    running = collect()
    assert running.http.post("/f/letter", json={"email": "ann@example.com", "_consent": True}).json()["success"] is True
    assert running.kept(SOURCE)[0]["consent"] == {
        "granted": True, "purposes": ["newsletter"], "topic": "events", "channels": ["email"], "wording": "Yes.", "double_opt_in": True,
    }  # fmt: skip


def test_a_form_that_needs_consent_is_not_taken_without(collect: Collect) -> None:
    running = collect()
    refused = running.http.post("/f/strict", data={"email": "ann@example.com"}, headers=ENGLISH)
    assert (refused.status_code, "Please agree to go on." in refused.text) == (422, True)
    assert running.http.post("/f/strict", json={"email": "ann@example.com", "_consent": True}).json()["success"] is True
    assert [kept["consent"]["granted"] for kept in running.kept(SOURCE)] == [True]


@pytest.mark.parametrize("said", [["on"], {"a": 1}, 1, "yes", None, False])
def test_what_is_no_ticked_box_is_no_consent(collect: Collect, said: Any) -> None:
    running = collect()
    assert running.http.post("/f/strict", json={"email": "ann@example.com", "_consent": said}).status_code == 422
    assert running.kept(SOURCE) == []


def test_what_a_program_fills_in_goes_to_quarantine_and_consents_to_nothing(collect: Collect) -> None:
    running = collect()
    answer = running.http.post("/f/demo", data={"email": "ann@example.com", "_consent": "on", "website": "https://spam.example.com"})
    assert answer.status_code == 200  # it need not know
    (kept,) = running.kept(SOURCE)
    assert "form_id" not in kept  # which the source requires
    assert kept["_refused"].startswith("trap")
    assert kept["content"]["fields"] == {"email": "ann@example.com"}


def test_an_impatient_second_click_is_the_same_submission_and_a_correction_is_another(collect: Collect) -> None:
    running = collect()
    for email in ("ann@example.com", "ann@example.com", "anne@example.com"):
        running.http.post("/f/demo", data={"email": email, "_submission": SUBMISSION})
    one, again, corrected = (kept["submission_id"] for kept in running.kept(SOURCE))
    assert one == again != corrected


@pytest.mark.parametrize(
    ("hidden", "column"),
    [
        ({"_page_url": "javascript:alert(1)"}, "page_url"), ({"_page_url": "https://[x"}, "page_url"), ({"_anonymous_id": "<b>"}, "anonymous_id"),
        ({"_page_url": "https://a.example/" + "x" * 2000}, "page_url"),
    ],
)  # fmt: skip
def test_what_the_page_around_says_of_itself_is_believed_only_if_it_can_be(collect: Collect, hidden: dict[str, str], column: str) -> None:
    running = collect()
    running.http.post("/f/demo", data={"email": "ann@example.com", **hidden})
    assert running.kept(SOURCE)[0][column] is None


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"email=ann%40example.com", "text/plain", 415), (b"\xff", "application/x-www-form-urlencoded", 400), (b"[]", "application/json", 400),
        (b"{", "application/json", 400), (b"a=1&" * 300, "application/x-www-form-urlencoded", 400), (b"x" * 70_000, "application/json", 413),
    ],
)  # fmt: skip
def test_what_is_no_form_is_refused(collect: Collect, content: bytes, kind: str, status: int) -> None:
    running = collect()
    assert running.http.post("/f/demo", content=content, headers={"content-type": kind}).status_code == status
    assert running.kept(SOURCE) == []


def test_only_the_page_for_frames_may_be_framed(collect: Collect) -> None:
    running = collect()
    page, frame = running.http.get("/f/demo"), running.http.get("/f/demo/embed")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors *" in frame.headers["content-security-policy"]
    assert running.http.get("/f/other").status_code == 404


def test_the_schema_says_what_may_be_sent(collect: Collect) -> None:
    schema = collect().http.get("/f/demo/schema.json").json()
    assert schema["required"] == ["email"]
    assert schema["properties"]["size"] == {"type": "integer", "minimum": 1, "title": "People"}
    assert schema["additionalProperties"] is False


def test_any_site_may_send_the_form_as_json(collect: Collect) -> None:
    answer = collect().http.post("/f/demo", json={"email": "ann@example.com"}, headers={"origin": "https://shop.example.com"})
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_full_disk_is_said_and_nobody_is_thanked(collect: Collect) -> None:
    running = collect()
    (running.folder / SOURCE).write_text("a file where the folder should be")
    assert running.http.post("/f/demo", data={"email": "ann@example.com"}).status_code == 503


def test_a_page_that_cannot_be_rendered_stops_the_start_and_not_a_visitor(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{ form }} {{ title.nothing() }}")
    form = FORMS["demo"].model_copy(update={"page": "page.html"})
    with pytest.raises(UsageError, match=r"forms/demo.yml: its page page.html cannot be rendered"):
        FormPage("demo", form, tmp_path)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("de", "en"), ("zh", "zh"), ("zh-TW,en", "zh"), ("de,zh;q=0.5,en", "zh"), ("EN-gb", "en"), (",;=,", "en")],
)
def test_the_language_is_the_first_that_is_accepted_and_known(accepted: str, language: str) -> None:
    assert chosen_language(accepted, ["en", "zh"]) == language


def test_a_text_falls_back_to_the_base_language_then_english_then_any() -> None:
    assert [spoken({"zh": "一", "en": "1"}, language) for language in ("zh-TW", "de", "en")] == ["一", "1", "1"]
    assert spoken({"zh": "一"}, "de") == "一"
    assert spoken("1", "de") == "1"


@pytest.mark.parametrize(
    ("format", "good", "bad"),
    [
        ("email", ["a@b.example", "李@例子.公司", "a+b@c-d.example"], ["a", "a@b", "a@b..example", "a b@c.example", "a@b.example\n" + "x" * 300]),
        ("phone", ["13900001111", "+49 30 123456", "021-62345678"], ["1", "phone", "+" * 50]),
        ("date", ["2026-10-01"], ["2026-13-01", "20261001", "1.10.2026"]),
        ("uri", ["https://a.example/x"], ["a.example", "javascript:alert(1)", "https:// a"]),
    ],
)  # fmt: skip
def test_formats(format: str, good: list[str], bad: list[str]) -> None:
    from activation.engine.form_specs import Form

    checker = Checker(Form.model_validate({"title": "x", "fields": {"it": {"title": "It", "format": format}}}))
    assert [checker.check({"it": value})[1] for value in good] == [{}] * len(good)
    assert [checker.check({"it": value})[1] for value in bad] == [{"it": "wrong"}] * len(bad)


def test_a_form_in_a_frame_is_filled_in_by_a_person_with_a_browser(collect: Collect, tmp_path: Path) -> None:
    running = collect(public=None)
    (tmp_path / "index.html").write_text(
        f'<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><div id="here"></div><script async src="{running.url}/sluice.js" data-page="off"></script>'
        "<script>(window.sluice = window.sluice || []).push(['form', 'demo', '#here'])</script>"
    )
    errors: list[str] = []
    with serving(tmp_path) as site, browsing(errors) as browser:
        page = browser.new_page(viewport={"width": 360, "height": 700}, locale="en-GB")
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto(f"{site}/index.html?utm_source=news")
        frame = page.frame_locator("iframe")
        frame.get_by_label("E-mail").fill("ann@example.com")
        frame.get_by_label("Message").fill("你好 🎉")
        frame.get_by_label("Write to me.").check()
        page.wait_for_function("() => parseInt(document.querySelector('iframe').style.height) > 300")
        inner = page.frames[1]
        assert inner.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
        frame.get_by_role("button").click()
        frame.get_by_text("Thank you.").wait_for()
        anonymous = page.evaluate("() => sluice.anonymousId()")
    assert errors == []
    until(lambda: len(running.kept(SOURCE)) == 1)
    (kept,) = running.kept(SOURCE)
    assert kept["fields"] == {"email": "ann@example.com", "message": "你好 🎉"}
    assert kept["consent"]["granted"] is True
    assert kept["utm"] == {"source": "news"}
    assert kept["anonymous_id"] == anonymous
    assert kept["page_url"] == f"{site}/index.html?utm_source=news"
