from __future__ import annotations

import time
from pathlib import Path

import dagster as dg
import pytest

from activation.engine.declarations import Declarations
from activation.engine.project import Project
from dagster_project import inbox, sensors
from dagster_project.sensors import newly_settled

SECOND = 1_000_000_000
SETTLES = 0.02  # a file system's clock ticks in steps of up to 10 ms: what settles at once could be older than the tick before


def evaluate(project: Project, cursor: str | None) -> tuple[list[dg.RunRequest], str | None]:
    """One tick: the runs asked for, and the cursor after it."""
    time.sleep(2 * SETTLES)
    (sensor,) = sensors.definitions(project, Declarations.load(project)).sensors or []
    with dg.build_sensor_context(cursor=cursor) as context:
        found = sensor.evaluate_tick(context)
    return list(found.run_requests or []), found.cursor if found.cursor is not None else cursor


def put(project: Project, name: str, text: str = "{}\n") -> Path:
    file = inbox.folder(project) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def asked(requests: list[dg.RunRequest]) -> list[set[str]]:
    return [{key.path[-1] for key in request.asset_selection or []} for request in requests]


@pytest.fixture(autouse=True)
def settles_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "SETTLED_SECONDS", SETTLES)


def test_an_empty_inbox_asks_for_nothing(project: Project) -> None:
    assert evaluate(project, None)[0] == []


def test_many_new_files_ask_for_one_run_of_their_sources_once(project: Project) -> None:
    for name in ("web/a.jsonl", "web/b.jsonl", "crm/contacts_1.csv"):
        put(project, name)
    requests, cursor = evaluate(project, None)
    assert asked(requests) == [{"web_events", "crm_contacts"}]
    assert evaluate(project, cursor)[0] == []


def test_what_comes_later_is_asked_for_by_itself(project: Project) -> None:
    put(project, "web/a.jsonl")
    _, cursor = evaluate(project, None)
    put(project, "consent/a.jsonl")
    assert asked(evaluate(project, cursor)[0]) == [{"consent_records"}]


def test_a_file_that_is_moved_in_with_an_old_date_is_new(project: Project, tmp_path: Path) -> None:
    old = tmp_path / "old.jsonl"
    old.write_text("{}\n")
    put(project, "web/a.jsonl")
    _, cursor = evaluate(project, None)
    old.rename(project.state / "inbox" / "web" / "old.jsonl")
    assert asked(evaluate(project, cursor)[0]) == [{"web_events"}]


def test_a_cursor_that_was_lost_gives_the_same_request_key(project: Project) -> None:
    put(project, "web/a.jsonl")
    first, again = evaluate(project, None)[0], evaluate(project, None)[0]
    assert first[0].run_key == again[0].run_key
    put(project, "web/a.jsonl", "{} \n")
    assert evaluate(project, None)[0][0].run_key != first[0].run_key


def test_the_spool_counts_once_its_files_are_finished(project: Project) -> None:
    folder = project.spool / "mail_events"
    folder.mkdir(parents=True)
    (folder / "1.jsonl.open").write_text("{}\n")
    requests, cursor = evaluate(project, None)
    assert requests == []
    (folder / "1.jsonl.open").rename(folder / "1.jsonl")
    assert asked(evaluate(project, cursor)[0]) == [{"mail_events"}]


def test_a_file_that_is_still_being_written_waits(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("{}\n")
    changed = file.stat().st_ctime_ns
    assert newly_settled({"web_events": [file]}, 0, changed - SECOND) == {}
    assert newly_settled({"web_events": [file]}, 0, changed + SECOND) == {"web_events": [file]}
    assert newly_settled({"web_events": [file]}, changed, changed + SECOND) == {}


def test_a_file_that_vanishes_is_not_new(tmp_path: Path) -> None:
    assert newly_settled({"web_events": [tmp_path / "gone.jsonl"]}, 0, SECOND) == {}
