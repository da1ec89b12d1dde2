"""One person, found by any identifier, with everything that is known of them and why."""

from __future__ import annotations

import json

import pytest
from small_project import NOON, SmallProject

from activation.engine.errors import PlanRefused, UsageError
from activation.engine.explain import Explained, explain
from activation.engine.project import Project

MORE = {
    "bridge_profile_identifiers": "profile_id varchar, identifier_key bigint, identifier_type varchar, identifier varchar, source varchar, last_seen_at timestamp",
    "int_identity_edges": "left_key bigint, left_type varchar, right_key bigint, right_type varchar, rule varchar, source varchar, "
    "evidence varchar, first_seen_at timestamp",
    "int_identity_dropped_edges": "left_type varchar, left_identifier varchar, right_type varchar, right_identifier varchar, rule varchar, "
    "source varchar, evidence varchar, reason varchar, first_seen_at timestamp",
    "int_identifiers": "identifier_key bigint, identifier varchar",
    "tag_assignments": "profile_id varchar, tag varchar, evidence varchar",
}


@pytest.fixture
def known(shop: SmallProject) -> SmallProject:
    """A shop with three people, each with an address and a phone that were seen together."""
    manifest = json.loads(shop.project.manifest.read_text())
    for name, columns in MORE.items():
        manifest["nodes"][name] = {
            "name": name,
            "resource_type": "model",
            "schema": "main",
            "alias": name,
            "columns": {},
            "description": "",
        }
        shop.sql(f"create table {name} ({columns})")
    manifest["nodes"]["model.small.segment_everyone"]["description"] = "One row per person. All of them."
    shop.project.manifest.write_text(json.dumps(manifest))
    shop.people(3)
    shop.sql(
        "insert into bridge_profile_identifiers select profile_id, 2 * substr(profile_id, 3)::int, 'email', email, 'crm', now() from dim_profiles",
        "insert into bridge_profile_identifiers select profile_id, 2 * substr(profile_id, 3)::int + 1, 'phone', phone, 'crm', now() from dim_profiles",
        "insert into int_identifiers select identifier_key, identifier from bridge_profile_identifiers",
        "insert into int_identity_edges select 2 * i, 'email', 2 * i + 1, 'phone', 'same CRM contact', 'crm', 'contact 7', now() from range(3) t(i)",
        "insert into int_identity_dropped_edges select 'email', 'u1@mail.example', 'email', 'office@mail.example', 'same device', 'web', 'cookie', "
        "'shared by too many', now()",
        "insert into tag_assignments values ('p_1', 'shoes', 'viewed 3 times')",
        "delete from segment_everyone where profile_id = 'p_2'",
        "drop table fct_message_events",
        "create table fct_message_events as select 'p_1' as profile_id, 'open' as event_type, timestamp '2026-10-01' + to_days(i::int) as occurred_at "
        "from range(60) t(i)",
    )
    return shop


def look(shop: SmallProject, identifier: str) -> Explained:
    return explain(shop.project, identifier, shop.declarations)


@pytest.mark.parametrize(
    "identifier", ["p_1", "u1@mail.example", " U1@Mail.Example ", "+8613800000001", "138 0000 0001", "+86 (138) 0000-0001"]
)
def test_a_person_is_found_by_any_identifier_however_it_is_written(known: SmallProject, identifier: str) -> None:
    found = look(known, identifier)
    assert (found.profile_id, found.profile["first_name"]) == ("p_1", "Name1")


def test_a_person_is_found_by_a_message(known: SmallProject) -> None:
    known.sql(
        "insert into activation.sync_changelog (run_id, ref, key, profile_id, operation, outcome, message_id, recorded_at) "
        "values ('r1', 'mail/hello', 'p_2', 'p_2', 'add', 'withheld', 'm_1', now())"
    )
    found = look(known, "m_1")
    assert found.profile_id == "p_2"
    assert [(row["ref"], row["outcome"]) for row in found.sections["sent and withheld"]] == [("mail/hello", "withheld")]


def test_nobody_is_said_without_repeating_who_was_asked_for(known: SmallProject) -> None:
    with pytest.raises(UsageError, match="Nobody has this identifier") as refusal:
        look(known, "someone@else.example")
    assert "someone" not in str(refusal.value)


def test_identifiers_tags_and_why_they_are_one_person_are_shown(known: SmallProject) -> None:
    sections = look(known, "p_1").sections
    assert {row["identifier"] for row in sections["identifiers"]} == {"u1@mail.example", "+8613800000001"}
    assert [row["tag"] for row in sections["tags"]] == ["shoes"]
    joins = [(row["one"], row["other"], row["verdict"], row["why"]) for row in sections["why they are one person"]]
    assert joins == [
        ("email u1@mail.example", "phone +8613800000001", "joined", "same CRM contact"),
        ("email u1@mail.example", "email office@mail.example", "not joined", "shared by too many"),
    ]


def test_of_the_receipts_the_latest_are_shown(known: SmallProject) -> None:
    receipts = look(known, "p_1").sections["receipts"]
    assert [str(row["occurred_at"])[:10] for row in (receipts[0], receipts[-1])] == ["2026-11-29", "2026-10-11"]


def test_a_model_that_is_not_about_people_says_nothing_of_them(known: SmallProject) -> None:
    known.sql("drop table segment_excluded", "create table segment_excluded (account_id varchar)")
    assert {"segment": "segment_excluded", "member": False, "reason": ""} in look(known, "p_1").sections["segments"]


def test_every_segment_is_shown_with_whether_and_why(known: SmallProject) -> None:
    segments = {row["segment"]: (row["member"], row["reason"]) for row in look(known, "p_1").sections["segments"]}
    assert segments == {"segment_everyone": (True, "One row per person"), "segment_excluded": (False, "")}
    assert look(known, "p_2").sections["segments"][0]["member"] is False


def test_a_message_on_its_way_is_shown(known: SmallProject) -> None:
    from activation.engine.ledger import Ledger

    with Ledger(known.project.ledger) as ledger:
        lease = ledger.acquire("mail/hello", "somebody")
        run = {"run_id": "r1", "ref": "mail/hello", "kind": "send", "destination": "mail", "channel": "email", "plan_hash": "h",
               "as_of": NOON.isoformat(), "started_at": NOON.isoformat(), "overridden_by": None, "override_reason": None}  # fmt: skip
        ledger.begin_run(lease, run)
        ledger.execute(
            "insert into messages values ('m_9', 'mail/hello', 'p_1', 'email', 'newsletter', 'r1', 'intended', 0, ?)", (NOON.isoformat(),)
        )
    assert [row["message_id"] for row in look(known, "p_1").sections["on its way"]] == ["m_9"]


def test_what_was_sent_under_an_id_of_before_is_shown_and_the_person_found_by_it(known: SmallProject) -> None:
    manifest = json.loads(known.project.manifest.read_text())
    node = {
        "name": "profile_merges",
        "resource_type": "model",
        "schema": "main",
        "alias": "profile_merges",
        "columns": {},
        "description": "",
    }
    manifest["nodes"]["profile_merges"] = node
    known.project.manifest.write_text(json.dumps(manifest))
    known.sql(
        "create table profile_merges as select 'p_before' as previous_id, 'p_1' as profile_id",
        "insert into activation.sync_changelog (run_id, ref, key, profile_id, operation, outcome, message_id, recorded_at) "
        "values ('r1', 'mail/hello', 'p_before', 'p_before', 'add', 'sent', 'm_1', now())",
    )
    for identifier in ("p_1", "p_before", "m_1"):
        found = look(known, identifier)
        assert (found.profile_id, [row["message_id"] for row in found.sections["sent and withheld"]]) == ("p_1", ["m_1"])
    with pytest.raises(UsageError, match="Nobody has this identifier"):
        look(known, "p_never")


def test_models_that_were_not_built_are_left_out_and_those_it_needs_are_asked_for(known: SmallProject) -> None:
    known.sql("drop table tag_assignments", "drop table segment_excluded", "drop table int_identity_edges")
    sections = look(known, "p_1").sections
    assert "tags" not in sections
    assert [row["segment"] for row in sections["segments"]] == ["segment_everyone"]
    assert sections["why they are one person"] == []
    known.sql("drop table dim_profiles")
    with pytest.raises(PlanRefused, match=r"Model `dim_profiles` is not in the warehouse\. Run `sluice build`\."):
        look(known, "p_1")


def test_before_anything_is_built_it_is_said(tmp_path: object, shop: SmallProject) -> None:
    project: Project = shop.project
    project.manifest.unlink()
    with pytest.raises(PlanRefused, match="have not been built yet"):
        look(shop, "p_1")
