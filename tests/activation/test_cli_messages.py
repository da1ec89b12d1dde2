"""`sluice preview`: a message as somebody would get it. `sluice qr`: a picture that leads to a signed address."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from activation.cli import app
from activation.engine.errors import UsageError
from activation.engine.links import Links, project_key
from activation.engine.project import REPOSITORY, Project
from tests.activation.engine.small_project import SmallProject

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PUBLIC = "https://collect.example.com"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.create(tmp_path / "shop")


def sluice(project: Project, *words: str) -> str:
    done = CliRunner().invoke(app, ["--project", str(project.root), *words], catch_exceptions=True)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_a_code_is_a_picture_of_an_address_that_the_collector_believes(project: Project, tmp_path: Path, suffix: str, start: bytes) -> None:
    picture = tmp_path / f"code{suffix}"
    words = ["qr", "expo", "--name", "Expo 上海", "--booth", "B12", "--until", "2027-01-31", "--out", str(picture), "--public-url", PUBLIC]
    said = sluice(project, *words)
    token = "".join(said.split()).rpartition("/k/")[2]
    links = Links(project_key(project.state), PUBLIC)
    link = links.read(token, "checkin", datetime(2027, 1, 31, 23, tzinfo=UTC))
    assert json.loads(json.dumps(link.place)) == {"event_id": "expo", "event_name": "Expo 上海", "booth": "B12"}
    assert picture.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["expo", "--until", "soon"], "--until 'soon' is not a date"),
        (["expo", "--out", "code.docx"], "is no picture that can be made"),
        (["expo", "--name", "会" * 400], "Use shorter names"),
    ],
)
def test_what_cannot_be_made_is_said(project: Project, words: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        sluice(project, "qr", *words)


# -- preview --------------------------------------------------------------------------------------------------------------

BRIDGE = "profile_id varchar, identifier_type varchar, identifier varchar, last_seen_at timestamp"
CONTENT = """
utm: {source: sluice}
email: {subject: "Hello {{ first_name }}", html: hello.html}
languages: {zh: {email: {subject: "您好 {{ first_name }}", html: hello.html}}}
"""
PAGE = '<p>Hi {{ first_name }}</p><a href="https://shop.example/">Shop</a> <a href="{{ unsubscribe_url }}">bye</a>'


@pytest.fixture
def shop(tmp_path: Path) -> SmallProject:
    shop = SmallProject(tmp_path / "shop")
    shop.write("dbt_models/models/bridge_profile_identifiers.sql", f"-- {BRIDGE}")
    shop.segment("segment_more")  # the manifest is written anew
    shop.people(2)
    shop.sql(
        f"create table bridge_profile_identifiers ({BRIDGE})",
        "insert into bridge_profile_identifiers select profile_id, 'email', email, now() from dim_profiles",
        "alter table dim_profiles add column language varchar",
        "update dim_profiles set language = 'zh-CN' where profile_id = 'p_1'",
    )
    shop.content(CONTENT, PAGE)
    shop.send(fields={"first_name": "first_name", "language": "language"})
    return shop


def test_a_person_s_message_is_written_in_every_language_and_theirs_is_marked(shop: SmallProject) -> None:
    said = sluice(shop.project, "preview", "hello", "--for", " U1@mail.example ")
    assert re.search(r"hello\(zh\):file://\S+-zh\.html←whatthispersongets", "".join(said.split()))
    assert said.count("←") == 1
    assert "Name1" not in said
    assert "mail.example" not in said
    files = sorted((shop.project.state / "previews").iterdir())
    assert [file.name for file in files] == ["hello-zh.html", "hello.html"]
    for file in files:
        page = file.read_text(encoding="utf-8")
        assert "Hi Name1" in page
        assert 'href="https://shop.example/?utm_source=sluice"' in page  # not through the collector
        assert file.stat().st_mode & 0o777 == 0o600


def test_subject_and_text_are_printed_when_asked_for(shop: SmallProject) -> None:
    said = sluice(shop.project, "preview", "mail/hello", "--for", "u0@mail.example", "--text")
    assert "Subject: Hello Name0" in said
    assert "Subject: 您好 Name0" in said
    messages = json.loads(sluice(shop.project, "preview", "hello", "--for", "u0@mail.example", "--json"))
    assert [(message["language"], message["theirs"], message["payload"]["to"]) for message in messages] == [
        ("", True, "u0@mail.example"),
        ("zh", False, "u0@mail.example"),
    ]


def test_without_a_person_the_fields_show_their_names_and_no_warehouse_is_needed(project: Project) -> None:
    said = sluice(project, "preview", "monthly_letter", "--text")
    assert "‹first_name›, three things" in said
    assert not project.warehouse.exists()
    assert "code" in sluice(project, "preview", "autumn_offer", "--json")


def test_every_arm_of_an_experiment_is_shown_but_the_one_that_gets_nothing(shop: SmallProject) -> None:
    shop.write("activation/content/other.yml", "email: {subject: Other, html: hello.html}\n")
    experiment = {"name": "words", "arms": {"a": 1, "b": 1, "control": 1}, "content": {"b": "other"}}
    shop.send(fields={"first_name": "first_name", "language": "language"}, experiment=experiment)
    found = json.loads(sluice(shop.project, "preview", "hello", "--for", "u0@mail.example", "--json"))
    assert [(one["arm"], one["content"], one["language"]) for one in found] == [
        ("a", "hello", ""),
        ("a", "hello", "zh"),
        ("b", "other", ""),
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["hullo"], "There is no sync or send `hullo`"),
        (["hello", "--for", "nobody@mail.example"], "Nobody has this identifier"),
        (["hubspot/people"], "is a sync"),
    ],
)
def test_what_cannot_be_shown_is_said(shop: SmallProject, words: list[str], sentence: str) -> None:
    shop.sync()
    with pytest.raises(UsageError, match=re.escape(sentence)):
        sluice(shop.project, "preview", *words)


@pytest.mark.skipif(CHROMIUM is None, reason="There is no Chromium on this machine; install the package `chromium` to look at pages.")
@pytest.mark.parametrize(("language", "words"), [("", "three things from this month"), ("-zh", "本月值得一读")])
def test_the_letter_is_seen_in_a_browser_on_a_desk_and_on_a_phone(project: Project, tmp_path: Path, language: str, words: str) -> None:
    from playwright.sync_api import sync_playwright

    sluice(project, "preview", "monthly_letter", "--out", str(tmp_path / "letter"))
    page_file = tmp_path / "letter" / f"monthly_letter{language}.html"
    page_file.write_text(page_file.read_text(encoding="utf-8").replace("‹first_name›", "Mei").replace("‹city›", "Wuhan"), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width in (640, 360):
            page = browser.new_page(viewport={"width": width, "height": 560})
            page.goto(page_file.as_uri())
            page.get_by_text(words).wait_for()
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width
            if os.environ.get("SLUICE_SCREENSHOTS") == "1" and width == 640 and not language:
                page.screenshot(path=REPOSITORY / "docs" / "mail.png", full_page=True)
        browser.close()
