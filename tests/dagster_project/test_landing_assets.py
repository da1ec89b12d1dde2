from __future__ import annotations

import json

import dagster as dg

from activation.engine.declarations import Declarations
from activation.engine.project import Project
from activation.engine.warehouse import opened
from dagster_project import inbox, landing

EVENT = {"type": "track", "messageId": "m1", "event": "Pricing Viewed"}


def put(project: Project, name: str, *lines: str) -> None:
    file = inbox.folder(project) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(line + "\n" for line in lines))


def materialize(project: Project, *sources: str) -> dg.ExecuteInProcessResult:
    definitions = landing.definitions(project, Declarations.load(project))
    selection = [landing.key(source) for source in sources]
    return dg.materialize(list(definitions.assets or []), selection=selection, raise_on_error=False)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    """Of the one asset that was materialized."""
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def landed(project: Project, source: str) -> int:
    with opened(project) as connection:
        return int((connection.execute(f"select count(*) from raw.{source}").fetchone() or (0,))[0])


def test_files_of_the_inbox_land_and_are_counted(project: Project) -> None:
    put(project, "web/a.jsonl", json.dumps(EVENT), json.dumps(EVENT), json.dumps({**EVENT, "messageId": "m2", "userId": "u"}))
    result = materialize(project, "web_events")
    assert result.success
    assert metadata(result) == {
        "files": 1, "read": 3, "landed": 2, "duplicates": 1, "quarantined": 0, "new fields": "event, messageId, type, userId"
    }  # fmt: skip
    assert landed(project, "web_events") == 2


def test_only_the_sources_asked_for_land(project: Project) -> None:
    put(project, "web/a.jsonl", json.dumps(EVENT))
    put(project, "consent/a.jsonl", json.dumps({"consent_id": "c1", "status": "granted"}))
    spooled = project.spool / "web_events" / "1.jsonl"
    spooled.parent.mkdir(parents=True)
    spooled.write_text(json.dumps({**EVENT, "messageId": "m3"}) + "\n")
    assert materialize(project, "consent_records").success
    assert (landed(project, "consent_records"), spooled.exists()) == (1, True)
    assert materialize(project, "web_events").success
    assert (landed(project, "web_events"), spooled.exists()) == (2, False)


def test_a_line_in_quarantine_warns_and_does_not_stop_the_rest(project: Project) -> None:
    put(project, "web/a.jsonl", json.dumps(EVENT), "{not json")
    result = materialize(project, "web_events")
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description == "1 of 2 lines are in raw.quarantine, with file, line and reason."
    assert landed(project, "web_events") == 1


def test_a_file_that_no_source_claims_stays_and_is_named(project: Project) -> None:
    put(project, "holiday.txt", "palm trees")
    with dg.DagsterInstance.ephemeral() as instance:
        definitions = landing.definitions(project, Declarations.load(project))
        result = dg.materialize(list(definitions.assets or []), selection=[landing.key("web_events")], instance=instance)
        said = [event.user_message for event in instance.all_logs(result.run_id)]
    assert "No declared source claims .sluice/inbox/holiday.txt; it stays where it is." in said
