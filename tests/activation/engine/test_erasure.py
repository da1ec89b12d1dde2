"""A person is forgotten: at destinations, in the warehouse, in the ledger, in files; others are not; and the proof names nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from running_sandbox import RunningSandbox
from small_project import NOON, REPOSITORY, SmallProject

from activation.engine.erasure import Erasure, NotConfirmed, erasures, forget
from activation.engine.errors import Held, SluiceError, UsageError
from activation.engine.explain import explain
from activation.engine.landing import land
from activation.engine.warehouse import opened

MORE = {
    "bridge_profile_identifiers": "profile_id varchar, identifier_key bigint, identifier_type varchar, identifier varchar, last_seen_at timestamp",
    "int_identity_links": "left_key bigint, right_key bigint, component bigint",
    "int_identifiers": "identifier_key bigint, identifier_type varchar, identifier varchar",
    "segment_changes": "segment varchar, profile_id varchar, reason varchar",
}
SOURCES = {
    "web": "files: web/*.jsonl\nformat: jsonl\nkey: [[id]]\n",
    "crm_contacts": "files: contacts*.jsonl\nformat: jsonl\nkind: records\nkey: [[contact_id]]\nrequired: [contact_id]\n",
}


@pytest.fixture
def shop(shop: SmallProject) -> SmallProject:
    """Four people; each has an address, a phone, and a short number in the CRM: 10, 11, 12, 13."""
    manifest = json.loads(shop.project.manifest.read_text())
    for name, columns in MORE.items():
        node = {"name": name, "resource_type": "model", "schema": "main", "alias": name, "columns": {}, "description": ""}
        manifest["nodes"][name] = node
        shop.sql(f"create table {name} ({columns})")
    shop.project.manifest.write_text(json.dumps(manifest))
    for name, text in SOURCES.items():
        shop.write(f"activation/sources/{name}.yml", text)
    shop.people(4)
    number = "substr(profile_id, 3)::bigint"
    shop.sql(
        f"insert into bridge_profile_identifiers select profile_id, 2 * {number}, 'email', email, now() from dim_profiles",
        f"insert into bridge_profile_identifiers select profile_id, 2 * {number} + 1, 'phone', phone, now() from dim_profiles",
        f"insert into bridge_profile_identifiers select profile_id, 100 + {number}, 'crm_contact_id', (10 + {number})::varchar, now() from dim_profiles",
        "insert into int_identifiers select identifier_key, identifier_type, identifier from bridge_profile_identifiers",
        "insert into int_identity_links select 2 * i, 2 * i + 1, 2 * i from range(4) t(i)",
        "insert into segment_changes select 'everyone', profile_id, 'with u1@mail.example, p_1 and p_12' from dim_profiles",
    )
    return shop


def landed(shop: SmallProject, name: str, *lines: dict[str, Any] | str) -> None:
    shop.write(f"in/{name}", "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    land(shop.project, shop.declarations, [shop.project.root / "in" / name], NOON)


def spooled(shop: SmallProject, name: str, *lines: dict[str, Any]) -> Path:
    file = shop.project.spool / "web" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def forgotten(shop: SmallProject, identifier: str = "u1@mail.example", **options: Any) -> Erasure:
    return forget(shop.project, shop.declarations, identifier, options.pop("why", "ticket 7"), "Privacy", NOON, **options)


def raw(shop: SmallProject, table: str = "web") -> list[Any]:
    return [row[0] for row in shop.rows(f"select payload->>'id' from raw.{table} order by all")]


def everything(shop: SmallProject) -> str:
    """All that the warehouse, the ledger, plans and the spool hold, as text."""
    with opened(shop.project) as connection:
        tables = connection.execute("select schema_name, table_name from duckdb_tables() where not temporary order by all").fetchall()
        parts = [str(connection.execute(f'select * from "{schema}"."{table}"').fetchall()) for schema, table in tables]
        parts += [str(connection.execute(f"from read_parquet('{file}')").fetchall()) for file in shop.project.plans.glob("*.parquet")]
    with shop.ledger() as ledger:
        parts += [
            str([tuple(row) for row in ledger.rows(f"select * from {table}")]) for table in ("messages", "deliveries", "lots", "runs")
        ]
    parts += [file.read_text() for file in shop.project.spool.rglob("*.jsonl*")]
    return "\n".join(parts)


# -- in the warehouse and in files ------------------------------------------------------------------------------------------


def test_rows_that_carry_an_identifier_as_a_whole_value_go_however_it_is_spelled(shop: SmallProject) -> None:
    landed(
        shop,
        "web/a.jsonl",
        {"id": "a", "user": {"mail": " U1@Mail.example "}},
        {"id": "b", "tags": ["x", "138 0000-0001"]},
        '{"id": "c", "mail": "u1\\u0040mail.example", "city": "\\u4e0a\\u6d77"}',
        {"id": "d", "mail": "xu1@mail.example"},
        {"id": "e", "text": "u1@mail.example wrote"},
        {"id": "f", "mail": "u2@mail.example"},
    )
    done = forgotten(shop)
    assert raw(shop) == ["d", "e", "f"]
    assert done.counts["raw.web"] == 3


def test_a_value_that_is_no_ascii_is_found_as_it_is_and_as_an_escape(shop: SmallProject) -> None:
    shop.sql("insert into bridge_profile_identifiers values ('p_1', 900, 'user_id', '上海的李明先生二', now())")
    name = "上海的李明先生二"
    landed(
        shop,
        "web/a.jsonl",
        {"id": "a", "user": name},
        json.dumps({"id": "b", "user": name}, ensure_ascii=False),
        {"id": "c", "user": "李明"},
    )
    landed(shop, "web/b.jsonl", {"id": "d", "user": "p/1"}, '{"id": "e", "page": "https:\\/\\/shop.example"}')
    forgotten(shop)
    assert raw(shop) == ["c", "d", "e"]


def test_a_short_number_counts_only_where_the_field_says_so(shop: SmallProject) -> None:
    landed(shop, "contacts.jsonl", {"contact_id": 11, "id": 1}, {"contact_id": 12, "id": 2, "age": 11})
    landed(shop, "web/a.jsonl", {"id": "11", "account_id": 11}, {"id": "y", "contactId": "11"})
    forgotten(shop)
    assert (raw(shop), raw(shop, "crm_contacts")) == (["11"], ["2"])


def test_a_line_in_quarantine_goes_when_it_names_the_person(shop: SmallProject) -> None:
    landed(
        shop, "web/a.jsonl", '{"mail": "u1@mail.example", broken', "{u11@mail.example", "{phone:+86 138 0000 0001", "{mail=xu1@mail.example"
    )
    forgotten(shop)
    assert [row[0] for row in shop.rows("select content from raw.quarantine order by 1")] == ["{mail=xu1@mail.example", "{u11@mail.example"]


def test_every_built_table_loses_the_person_and_nobody_else(shop: SmallProject) -> None:
    forgotten(shop, "+86 138 0000 0001")
    for table in ("dim_profiles", "sync_people", "segment_everyone", "consent_state", "segment_changes"):
        assert shop.rows(f"select distinct profile_id from {table} order by 1") == [("p_0",), ("p_2",), ("p_3",)], table
    assert shop.rows("select distinct reason from segment_changes") == [("with [erased], [erased] and p_12",)]
    assert shop.rows("select left_key from int_identity_links order by 1") == [(0,), (4,), (6,)]
    assert shop.rows("select count(*) from int_identifiers where identifier in ('11', 'u1@mail.example')") == [(0,)]
    assert shop.rows("select count(*) from int_identifiers where identifier in ('12', 'u2@mail.example')") == [(2,)]
    with pytest.raises(UsageError, match="Nobody has this identifier"):
        explain(shop.project, "u1@mail.example", shop.declarations)


def test_the_key_of_a_forgotten_identifier_is_nobody_else_s_ever(shop: SmallProject) -> None:
    greatest = shop.rows("select max(identifier_key) from int_identifiers")
    forgotten(shop, "u3@mail.example")
    assert shop.rows("select max(identifier_key) from int_identifiers") == greatest
    assert shop.rows("select identifier_key, identifier from int_identifiers where identifier_type = 'erased' order by 1") == [
        (6, "6"),
        (7, "7"),
        (103, "103"),
    ]


def test_the_spool_lands_first_and_its_landed_files_lose_the_lines(shop: SmallProject) -> None:
    spooled(shop, "1.jsonl", {"id": "a", "mail": "u1@mail.example"}, {"id": "b", "mail": "u2@mail.example"})
    assert forgotten(shop).counts["spool"] == 1
    assert raw(shop) == ["b"]
    (kept,) = (shop.project.spool / "landed" / "web").iterdir()
    assert kept.read_text() == '{"id": "b", "mail": "u2@mail.example"}\n'


def test_lines_that_the_collector_still_writes_refuse_it(shop: SmallProject) -> None:
    spooled(shop, "1.jsonl.open", {"id": "a", "mail": "u1@mail.example"})
    with pytest.raises(SluiceError, match=r"web/1\.jsonl\.open has lines about the person"):
        forgotten(shop)
    spooled(shop, "1.jsonl.open", {"id": "b", "mail": "u2@mail.example"})
    forgotten(shop)


def test_ids_of_before_a_merge_are_the_person_too(shop: SmallProject) -> None:
    shop.sql("create table profile_merges (previous_id varchar, profile_id varchar)", "insert into profile_merges values ('p_9', 'p_1')")
    manifest = json.loads(shop.project.manifest.read_text())
    manifest["nodes"]["profile_merges"] = {**manifest["nodes"]["segment_changes"], "name": "profile_merges", "alias": "profile_merges"}
    shop.project.manifest.write_text(json.dumps(manifest))
    shop.sql("insert into activation.assignments values ('h', 'p_9', 'a', now(), 'r'), ('h', 'p_2', 'a', now(), 'r')")
    forgotten(shop)
    assert shop.rows("select profile_id from activation.assignments") == [("p_2",)]
    assert shop.rows("select count(*) from profile_merges") == [(0,)]


# -- messages ------------------------------------------------------------------------------------------------------------------


def test_what_was_sent_stays_in_the_books_and_says_nothing_of_the_person(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.send()
    run = shop.run(ref)
    (message,) = [row[0] for row in shop.rows("select message_id from activation.sync_changelog where key = 'p_1'")]
    landed(shop, "web/a.jsonl", {"id": "receipt", "message": message}, {"id": "b", "message": "m_other"})
    done = forgotten(shop)
    assert (done.counts["ledger.messages"], done.counts["ledger.deliveries"], done.counts["plans"]) == (1, 1, 2)
    assert shop.books(run.run_id)["sent"] == 4
    assert raw(shop) == ["b"]
    text = everything(shop)
    for value in ("p_1", "u1@mail.example", "+8613800000001", "Name1", message):
        assert f"'{value}'" not in text, value
    assert "p_2" in text


def test_a_forgotten_person_is_not_written_to_until_they_come_back_as_a_new_one(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.send()
    shop.run(ref)
    forgotten(shop)
    assert shop.run(ref).planned == 0
    shop.people(4)
    assert shop.run(ref).outcomes["sent"] == 1
    assert [message["to"] for message in sandbox.taken("smtp")].count("u1@mail.example") == 2
    assert max(sandbox.message_ids("smtp").values()) == 2
    assert shop.run(ref).planned == 0


def test_a_held_message_goes_with_the_person(shop: SmallProject, sandbox: RunningSandbox, quick: None) -> None:
    shop.sql("delete from segment_everyone where profile_id <> 'p_1'")
    ref = shop.send("sms/hello")
    sandbox.fault("aliyun_sms", "timeout")
    assert shop.run(ref).outcomes["unknown"] == 1
    forgotten(shop)
    assert shop.state(ref) == {}
    with shop.ledger() as ledger:
        assert ledger.rows("select * from messages") == []


def test_a_decision_about_the_person_is_forgotten_and_one_about_another_with_the_same_key_elsewhere_is_not(shop: SmallProject) -> None:
    shop.sql(
        "insert into activation.sync_failures (ref, key, profile_id) values ('a/b', '7', 'p_1'), ('c/d', '7', 'p_2')",
        "insert into activation.sync_decisions (ref, key) values ('a/b', '7'), ('c/d', '7')",
    )
    forgotten(shop)
    assert shop.rows("select ref from activation.sync_decisions union all select ref from activation.sync_failures") == [("c/d",), ("c/d",)]


# -- over there ------------------------------------------------------------------------------------------------------------------


def test_records_are_removed_through_the_ledger_and_places_that_cannot_are_named(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync()
    log = shop.sync("partner/people", key="email")
    shop.run(ref)
    shop.run(log)
    shop.sync("hubspot/calls", object="tasks", fields={"hs_task_subject": "first_name", "hs_timestamp": "city"})
    shop.sql(
        "insert into activation.sync_snapshot (ref, key, profile_id, payload, state) values ('hubspot/calls', 'p_1', 'p_1', '{}', 'acknowledged'), "
        "('gone/people', 'p_1', 'p_1', '{}', 'acknowledged')"
    )
    done = forgotten(shop)
    assert {removal.ref: (removal.records, removal.outcome) for removal in done.destinations} == {
        "gone/people": (1, "not declared any more"),
        "hubspot/calls": (1, "cannot be removed there"),
        "hubspot/people": (1, "archived"),
        "partner/people": (1, "deleted"),
    }
    assert sorted(sandbox.contacts()) == ["u0@mail.example", "u2@mail.example", "u3@mail.example"]
    assert sorted(shop.state(ref)) == ["p_0", "p_2", "p_3"]
    assert shop.rows("select ref, outcome, key, reason from activation.sync_changelog where reason_code = 'ERASED' order by ref") == [
        ("hubspot/people", "sent", None, None),
        ("partner/people", "sent", None, None),
    ]
    assert "u1@mail.example" not in everything(shop)
    assert shop.run(ref).planned == shop.run(log).planned == 0


def test_an_unanswered_removal_keeps_the_person_findable_and_is_asked_again(
    shop: SmallProject, sandbox: RunningSandbox, quick: None
) -> None:
    ref = shop.sync()
    shop.run(ref)
    sandbox.fault("hubspot", "reset", times=4, when="after")
    with pytest.raises(NotConfirmed, match="hubspot/people did not confirm the removal, so nothing was erased here yet"):
        forgotten(shop)
    assert shop.rows("select count(*) from dim_profiles where profile_id = 'p_1'") == [(1,)]
    assert erasures(shop.project) == []
    sandbox.no_faults()
    assert [removal.outcome for removal in forgotten(shop).destinations] == ["archived"]
    assert len(sandbox.contacts()) == 3


def test_without_a_destination_it_goes_on_and_the_proof_says_so(shop: SmallProject, sandbox: RunningSandbox, quick: None) -> None:
    ref = shop.sync()
    shop.run(ref)
    sandbox.fault("hubspot", "server_error", times=50)
    done = forgotten(shop, without=[ref])
    assert [(removal.ref, removal.outcome) for removal in done.destinations] == [(ref, "not confirmed")]
    assert "p_1" not in shop.state(ref)


# -- when it is refused, and the proof --------------------------------------------------------------------------------------------


def test_a_run_that_has_not_settled_and_one_at_work_refuse_it(shop: SmallProject) -> None:
    ref = shop.send()
    with shop.ledger() as ledger:
        lease = ledger.acquire(ref, "r")
        with pytest.raises(Held):
            forgotten(shop)
        names = ("run_id", "ref", "kind", "destination", "channel", "plan_hash", "as_of", "started_at")
        ledger.begin_run(
            lease, dict(zip(names, ("r1", ref, "send", "mail", "email", "h", NOON.isoformat(), NOON.isoformat()), strict=True))
        )
        ledger.release(lease)
    with pytest.raises(SluiceError, match="mail/hello: the last run has not settled"):
        forgotten(shop)
    assert shop.rows("select count(*) from dim_profiles") == [(4,)]


def test_the_proof_tells_the_same_person_and_names_nobody(shop: SmallProject) -> None:
    done = forgotten(shop, " U1@Mail.example ")
    assert erasures(shop.project) == [done]
    again = forgotten(shop)
    assert (again.was_done, again.erasure_id) == (True, done.erasure_id)
    assert len(erasures(shop.project)) == 1
    with pytest.raises(UsageError, match="Nobody has this identifier"):
        forgotten(shop, "nobody@mail.example")
    assert "mail.example" not in str(shop.rows("select * from activation.erasures"))


@pytest.mark.parametrize("why", ["u1@mail.example asked", "call from 138 0000 0001", " "])
def test_a_reason_that_names_the_person_or_is_none_is_refused(shop: SmallProject, why: str) -> None:
    with pytest.raises(UsageError, match="--why"):
        forgotten(shop, why=why)


def test_a_look_changes_nothing_and_counts_what_would_go(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref, send = shop.sync(), shop.send()
    shop.run(ref)
    shop.run(send)
    spooled(shop, "1.jsonl", {"id": "a", "mail": "u2@mail.example"})
    landed(shop, "web/a.jsonl", {"id": "b", "mail": "u1@mail.example"})
    before = everything(shop)
    look = forgotten(shop, dry_run=True)
    assert everything(shop) == before
    assert [(removal.ref, removal.outcome) for removal in look.destinations] == [(ref, "would be removed")]
    done = forgotten(shop)
    same = ("raw.web", "main.dim_profiles", "activation.sync_snapshot", "ledger.messages")
    assert {place: look.counts[place] for place in same[:2]} == {place: done.counts[place] for place in same[:2]}
    assert look.counts["ledger.messages"] == 1


# -- killed in between -----------------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
file, function = sys.argv.pop(1).split(":")

def dies(frame, event, _):
    if event == "call" and frame.f_code.co_name == function and frame.f_code.co_filename.endswith(file):
        os.kill(os.getpid(), signal.SIGKILL)

sys.setprofile(dies)
from activation.cli import main
main()
"""


def test_killed_anywhere_and_done_again_it_ends_the_same(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync()
    shop.run(ref)
    shop.run(shop.send())
    spooled(shop, "1.jsonl", {"id": "a", "mail": "u1@mail.example"}, {"id": "b", "mail": "u2@mail.example"})
    for place in ("settle.py:settle", "erasure/__init__.py:_write"):
        words = ["--project", str(shop.project.root), "--as-of", NOON.isoformat(), "forget", "u1@mail.example", "--why", "ticket 7"]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, place, *words],
            env={**os.environ, **sandbox.environment},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
        )
        assert done.returncode == -9, (place, done.stderr)
    done = forgotten(shop)
    assert not done.was_done
    assert (done.counts["ledger.messages"], done.counts["ledger.deliveries"]) == (1, 3)
    assert [(removal.ref, removal.outcome) for removal in done.destinations] == [(ref, "archived")]
    assert len(sandbox.contacts()) == 3
    text = everything(shop)
    assert "u1@mail.example" not in text
    assert "'p_1'" not in text
    assert raw(shop) == ["b"]
    assert shop.run(ref).planned == 0
