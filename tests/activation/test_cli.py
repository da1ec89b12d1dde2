"""The command line: exit codes, JSON that is JSON, and a sentence on stderr for whatever a person can do wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import NOON, Said, Sluice

from activation import cli
from activation.engine.project import Project
from tests.activation.engine.small_project import SmallProject

# -- wrong use ----------------------------------------------------------------------------------------------------------------


def test_a_ref_that_is_not_declared_is_wrong_use_for_every_command_that_takes_one(shop: SmallProject, sluice: Sluice) -> None:
    shop.sync("hubspot/people")
    sentence = "sluice: There is no sync or send `hubspot/poeple`. Did you mean `hubspot/people`? `sluice list` shows them all.\n"
    for command in ("plan", "run", "retry"):
        assert sluice(command, "hubspot/poeple") == Said(2, "", sentence)


def test_everything_wrong_in_the_declarations_is_told_at_once(shop: SmallProject, sluice: Sluice) -> None:
    shop.sync("hubspot/people", mode="append", fields={"email": 3})
    shop.write("activation/sends/hello.yml", "destination: mial\n")
    said = sluice("list")
    assert (said.code, said.out) == (2, "")
    lines = said.err.splitlines()
    assert lines[0] == "6 things are wrong in the declarations:"
    assert "  activation/sends/hello.yml:1: there is no destination `mial` in activation/destinations.yml. Did you mean `mail`?" in lines
    assert "  activation/syncs/hubspot/people.yml:1: hubspot contacts cannot `append`. It can: mirror, upsert." in lines
    assert all(sluice(command).code == 2 for command in ("land", "build", "status"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["land", "/nowhere/at/all"], "sluice: /nowhere/at/all does not exist. Name a file, or a folder of files, to land."),
        (["land", "--source", "clicks"], "sluice: There is no source `clicks`."),
        (["--as-of", "noon", "status"], "sluice: --as-of 'noon' is not a moment. Write it like 2026-10-31T10:00:00+08:00."),
        (["--as-of", "0001-01-01T00:00:00+08:00", "list"], "sluice: --as-of '0001-01-01T00:00:00+08:00' is not a moment."),
        (
            ["--project", "/nowhere", "list"],
            "sluice: /nowhere is not a Sluice project: it has no dbt_models/dbt_project.yml. Make one with",
        ),
        (["sample", "--start", "first"], "sluice: --start 'first' is not a date. Write it like 2026-10-01."),
        (["sample", "--start", "9999-12-30", "--days", "9"], "sluice: --start '9999-12-30' is not a date."),
        (["sample", "--days", "3", "--first-day", "3"], "sluice: --first-day 3 lies after the last of 3 days (0 to 2)."),
        (["show", "rpt_nothing"], "sluice: dbt knows no model `rpt_nothing`."),
        (["run", "hubspot/people", "mail/hello", "--plan", "abc"], "sluice: --plan goes with one sync or send."),
        (["run"], "Missing argument"),
        (["fly"], "No such command 'fly'"),
        (["list", "--jsno"], "No such option"),
        (["sample", "--people", "many"], "Invalid value for '--people'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_told_in_a_sentence(shop: SmallProject, sluice: Sluice, words: list[str], sentence: str) -> None:
    shop.sync("hubspot/people")
    shop.send("mail/hello")
    said = sluice(*words)
    assert said.code == (1 if words[0] == "show" else 2)
    assert said.out == ""
    assert sentence in " ".join(said.err.split()).replace("│ ", "")


def test_where_there_is_no_project_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sluice: Sluice) -> None:
    said = sluice("--project", tmp_path, "doctor")
    assert (said.code, said.err) == (
        2,
        f"sluice: {tmp_path} is not a Sluice project: it has no dbt_models/dbt_project.yml. Make one with `sluice init {tmp_path}`.\n",
    )


def test_a_project_without_declarations_is_none(shop: SmallProject, sluice: Sluice) -> None:
    (shop.project.root / "activation").rename(shop.project.root / "declarations")
    said = sluice("list")
    assert said.code == 2
    assert "is not a Sluice project: it has no activation." in said.err


def test_the_segments_there_are_to_choose_from_are_listed_with_how_many_are_in_them(shop: SmallProject, sluice: Sluice) -> None:
    shop.people(3)
    shop.write("activation/segments/named.yml", "description: Whose name we know.\nrule: {profile: {first_name: {known: true}}}\n")
    listed = sluice("list", "--json").json["segments"]
    assert listed["segment_everyone"] == {"description": "", "people": 3, "written_in": "SQL"}
    assert listed["segment_named"] == {
        "description": "Whose name we know.", "people": None, "written_in": "activation/segments/named.yml",
    }  # fmt: skip
    shop.project.manifest.unlink()
    said = sluice("list").out
    assert "segment_everyone" in said
    assert "not built" in said


def test_a_replay_does_not_reach_people(shop: SmallProject, sluice: Sluice, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = shop.sync("hubspot/people")
    monkeypatch.setenv("SLUICE_SANDBOX_URL", "https://api.hubapi.example")
    for words in (["run", ref], ["retry", ref, "--release-held", "p_1"]):
        said = sluice("--as-of", NOON, *words)
        assert said.code == 2
        assert said.out == ""
    assert sluice("--as-of", NOON, "run", ref).err == (
        "sluice: --as-of is for replays: hubspot/people delivers to https://api.hubapi.example, which is not on this machine.\n"
    )
    assert not shop.project.ledger.exists()


def test_a_missing_variable_is_named_before_anything_is_written(shop: SmallProject, sluice: Sluice) -> None:
    shop.write("activation/destinations.yml", "hubspot: {connector: hubspot, token: '${CRM_TOKEN}'}\n")
    ref = shop.sync("hubspot/people")
    said = sluice("run", ref)
    assert (said.code, said.out.strip()) == (2, "")
    assert "needs the environment variable CRM_TOKEN (for `token`)" in said.err
    assert shop.rows("select count(*) from activation.sync_runs") == [(0,)]


# -- results ------------------------------------------------------------------------------------------------------------------


def test_what_a_machine_reads_is_json(shop: SmallProject, sluice: Sluice, tmp_path: Path) -> None:
    shop.people(2)
    shop.sync("files/people", match_on="profile_id", object="rows")
    shop.send("mail/hello")
    shop.write("activation/sources/clicks.yml", "files: '*.jsonl'\nformat: jsonl\nkey: [[id]]\n")
    (tmp_path / "a.jsonl").write_text('{"id":1}\nnonsense\n')
    assert list(sluice("list", "--json").json) == ["sources", "destinations", "segments", "syncs", "sends"]
    landed = sluice("land", tmp_path / "a.jsonl", "--json").json["sources"]["clicks"]
    assert (landed["read"], landed["landed"], landed["quarantined"]) == (2, 1, 1)
    assert sluice("--as-of", NOON, "plan", "files/people", "--json").json["counts"]["add"] == 2
    (ran,) = sluice("--as-of", NOON, "run", "files/people", "--json").json
    assert (ran["planned"], ran["outcomes"]["sent"]) == (2, 2)
    assert sluice("retry", "files/people", "--json").json == []
    assert sluice("status", "--json").json["runs"]["files/people"]["sent"] == 2
    assert [row["profile_id"] for row in sluice("show", "sync_people", "--json").json] == ["p_0", "p_1"]
    found = sluice("doctor", "--json")
    assert found.code == 1
    assert {finding["subject"]: finding["ok"] for finding in found.json}["Destination files"] is True


def test_what_a_person_reads_is_tables(shop: SmallProject, sluice: Sluice) -> None:
    shop.people(2)
    shop.sync("files/people", match_on="profile_id", object="rows")
    assert "files/people" in sluice("list").out
    assert "never ran" in sluice("status").out
    assert sluice("retry", "files/people").out == "Nothing of files/people failed in its last run.\n"
    assert sluice("land").out == "There was nothing to land.\n"


def test_files_that_no_source_takes_fail_a_landing_that_was_asked_for_them(shop: SmallProject, sluice: Sluice, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    said = sluice("land", tmp_path / "notes.txt")
    assert said.code == 1
    assert "notes.txt: no declared source takes this file (activation/sources, `files`); name one with --source." in said.out


def test_a_guard_that_stops_one_run_does_not_stop_the_next(shop: SmallProject, sluice: Sluice) -> None:
    shop.people(3)
    shop.sync("files/many", match_on="profile_id", object="rows", guards={"max_added": 1})
    shop.sync("files/people", match_on="profile_id", object="rows")
    said = sluice("--as-of", NOON, "run", "files/many", "files/people", "--json")
    assert said.code == 1
    assert [(run["ref"], run["outcomes"]["sent"]) for run in said.json] == [("files/people", 3)]
    assert said.err.startswith("sluice: files/many: stopped before the first call. ")
    assert sluice("--as-of", NOON, "plan", "files/many").code == 1


def test_who_passes_a_guard_says_why_and_both_are_recorded(shop: SmallProject, sluice: Sluice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "mei")
    shop.people(3)
    ref = shop.sync("files/people", match_on="profile_id", object="rows", guards={"max_added": 1})
    stopped = sluice("--as-of", NOON, "run", ref)
    assert (stopped.code, stopped.out) == (1, "")
    assert "3 rows would be added; at most 1 may (max_added)." in stopped.err
    assert "--override-guards" in stopped.err
    unsaid = sluice("--as-of", NOON, "run", ref, "--override-guards", " ")
    assert (unsaid.code, unsaid.err) == (2, "sluice: Say why with --override-guards: it is recorded with the run.\n")
    assert shop.rows("select count(*) from activation.sync_runs") == [(0,)]
    assert sluice("--as-of", NOON, "run", ref, "--override-guards", "The first fill").code == 0
    recorded = [("mei", "The first fill; 3 rows would be added; at most 1 may (max_added).")]
    assert shop.rows("select overridden_by, override_reason from activation.sync_runs") == recorded
    with shop.ledger() as ledger:
        assert [tuple(row) for row in ledger.rows("select overridden_by, override_reason from runs")] == recorded


def test_a_plan_shows_its_funnel_samples_and_warnings_and_no_personal_data(shop: SmallProject, sluice: Sluice) -> None:
    shop.people(3)
    shop.sql("delete from consent_state where profile_id = 'p_0'", "update dim_profiles set first_name = 'Guanyu'")
    ref = shop.send("mail/hello", holdout={"percent": 0.01})
    said = sluice("--as-of", NOON, "plan", ref)
    shown = [" ".join(line.split()) for line in said.out.splitlines()]
    for line in ("in the segments 3", "NO_CONSENT -1 Ask for consent to this purpose and channel, by a form or the preference page.",
                 "eligible 2", "will be sent 2", "will leave 2"):  # fmt: skip
        assert any(line in one.replace("│ ", "").strip("│ ") for one in shown), line
    assert "first_name=G***" in said.out
    assert "Guanyu" not in said.out
    assert "mail.example" not in said.out
    found = sluice("--as-of", NOON, "plan", ref, "--json").json
    assert found["funnel"][2] == {"name": "eligible", "rows": 2, "lost": {"NO_CONSENT": 1}}
    assert found["warnings"] == []
    assert "Guanyu" not in json.dumps(found)


def test_a_sync_about_accounts_says_that_nobody_is_asked(shop: SmallProject, sluice: Sluice) -> None:
    ref = shop.sync("files/people", match_on="profile_id", object="rows", about="accounts")
    assert "about accounts: nobody is asked for consent" in " ".join(sluice("--as-of", NOON, "plan", ref).out.split())
    assert {f["subject"]: f["ok"] for f in sluice("doctor", "--json").json}[f"Sync {ref}"] is True


def test_a_plan_that_has_moved_is_refused(shop: SmallProject, sluice: Sluice) -> None:
    shop.people(2)
    ref = shop.sync("files/people", match_on="profile_id", object="rows")
    plan = sluice("--as-of", NOON, "plan", ref, "--json").json["plan"]
    shop.people(3)
    said = sluice("--as-of", NOON, "run", ref, "--plan", plan)
    assert said.code == 1
    assert f"the rows are no longer those of plan {plan}" in said.err


def test_nobody_is_named_where_an_error_is_written(shop: SmallProject, sluice: Sluice, tmp_path: Path) -> None:
    shop.people(1)
    manifest = json.loads(shop.project.manifest.read_text())
    manifest["nodes"]["b"] = {
        "name": "bridge_profile_identifiers",
        "resource_type": "model",
        "schema": "main",
        "alias": None,
        "columns": {},
    }
    shop.project.manifest.write_text(json.dumps(manifest))
    shop.sql(
        "create table bridge_profile_identifiers (profile_id varchar, identifier_type varchar, identifier varchar, last_seen_at timestamp)"
    )
    shop.write("activation/sources/people.yml", "files: '*.jsonl'\nformat: jsonl\nkey: [[id]]\nrequired: [id]\n")
    (tmp_path / "a.jsonl").write_text('{"email":"jane.doe@mail.example"}\njane.doe@mail.example\n')
    shop.sql("insert into sync_people select * from sync_people")  # every key twice
    ref = shop.sync("files/people", match_on="profile_id", object="rows")
    for words in (["explain", "jane.doe@mail.example"], ["land", str(tmp_path / "a.jsonl")], ["--as-of", NOON, "run", ref]):
        said = sluice(*words)
        assert "jane" not in said.err
        assert "jane" not in said.out
        assert "@mail.example" not in said.err + said.out


# -- init -----------------------------------------------------------------------------------------------------------------------


def test_init_makes_a_project_that_loads(tmp_path: Path, sluice: Sluice) -> None:
    said = sluice("init", tmp_path / "mine")
    assert said.code == 0
    assert said.out.startswith(f"Made a project in {(tmp_path / 'mine').resolve()}.")
    assert sluice("--project", tmp_path / "mine", "list").code == 0
    assert Project.find(tmp_path / "mine").declarations.is_dir()


def test_init_writes_nothing_where_something_is(tmp_path: Path, sluice: Sluice) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    said = sluice("init", tmp_path / "mine")
    assert (said.code, said.err) == (2, f"sluice: {tmp_path / 'mine'} is not empty. Choose an empty or new directory.\n")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    assert "is a file. Choose an empty or new directory." in sluice("init", tmp_path / "mine" / "notes.txt").err


def test_help_exists_for_every_command(sluice: Sluice) -> None:
    for command in cli.app.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        said = sluice(name, "-h")
        assert (said.code, said.err) == (0, "")
        assert "Usage: sluice" in said.out
