"""What the collector spools is what landing takes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest
from running_collector import LINKS, MESSAGE, NOW, Running, start

from activation.engine.declarations import Declarations
from activation.engine.landing import land
from activation.engine.project import REPOSITORY, Project

TRACK = {"type": "track", "event": "Signed Up", "userId": "u1", "messageId": "one"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    sources = tmp_path / "activation" / "sources"
    sources.mkdir(parents=True)
    for name in ("web_events", "tracking_events", "forms_submissions", "offline_checkins", "consent_records"):
        shutil.copy(REPOSITORY / "activation" / "sources" / f"{name}.yml", sources)
    return Project(tmp_path)


@pytest.fixture
def running(project: Project) -> Iterator[Running]:
    with ExitStack() as stack:
        yield start(stack, project.spool)


def landed(project: Project, query: str) -> list[tuple[object, ...]]:
    land(project, Declarations.collect(project), [], NOW)
    with duckdb.connect(str(project.warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_events_land_once_while_the_file_is_open_and_after_it_is_finished(project: Project, running: Running) -> None:
    running.http.post("/v1/batch", json={"batch": [TRACK, {**TRACK, "messageId": "two"}]})
    query = "select _event_id, payload->>'event' from raw.web_events order by 1"
    assert landed(project, query) == [("one", "Signed Up"), ("two", "Signed Up")]
    running.http.post("/v1/batch", json={"batch": [TRACK, {**TRACK, "messageId": "three"}]})
    running.stop()
    assert [row[0] for row in landed(project, query)] == ["one", "three", "two"]
    assert not list((project.spool / "web_events").iterdir())


def test_a_malformed_message_lands_in_quarantine_with_its_reason(project: Project, running: Running) -> None:
    running.http.post("/v1/batch", json={"batch": [TRACK, {"type": "track", "event": "lost?"}]})
    running.stop()
    ((content,),) = landed(project, "select content from raw.quarantine")
    assert "no_identity" in str(content)
    assert "lost?" in str(content)
    assert landed(project, "select count(*) from raw.web_events") == [(1,)]


def test_a_click_lands_with_its_message(project: Project, running: Running) -> None:
    running.http.get(running.local(LINKS.click(MESSAGE, "https://shop.example.com/")))
    query = "select payload->>'type', payload->>'message_id', payload->>'url' from raw.tracking_events"
    assert landed(project, query) == [("click", MESSAGE, "https://shop.example.com/")]


def test_a_form_and_what_a_program_filled_in_land_apart(project: Project, running: Running) -> None:
    running.http.post("/f/demo", data={"email": "ann@example.com", "_consent": "on"})
    running.http.post("/f/demo", data={"email": "bot@example.com", "website": "https://spam.example.com"})
    running.stop()
    assert landed(project, "select payload->>'$.fields.email', payload->>'$.consent.wording' from raw.forms_submissions") == [
        ("ann@example.com", "Write to me.")
    ]
    ((content,),) = landed(project, "select content from raw.quarantine where _source = 'forms_submissions'")
    assert "bot@example.com" in str(content)


def test_a_check_in_lands_in_the_source_whose_files_are_spreadsheets(project: Project, running: Running) -> None:
    code = running.local(LINKS.check_in({"event_id": "expo", "event_name": "Expo, 上海"}))
    for _ in range(2):
        running.http.post(code, data={"phone": "13900001111", "full_name": '李 "雷"'})
    running.stop()
    query = "select payload->>'event_name', payload->>'full_name', payload->>'phone' from raw.offline_checkins"
    assert landed(project, query) == [("Expo, 上海", '李 "雷"', "13900001111")] * 2


def test_a_choice_lands_among_the_consents(project: Project, running: Running) -> None:
    running.http.post(running.local(LINKS.preferences(MESSAGE)), data={"newsletter.email": "no"})
    query = "select payload->>'identifier', payload->>'purpose', payload->>'status' from raw.consent_records"
    assert landed(project, query) == [(MESSAGE, "newsletter", "withdrawn")]
