"""The whole project over the sample data and, where the folder is there, over the Olist funnel: every model and every test of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sent_records import at
from sqlglot import exp
from warehouse_house import House

from activation.engine.declarations import Declarations
from activation.engine.project import REPOSITORY, Project
from activation.engine.segments import compiled
from activation.engine.segments.references import for_warehouse
from activation.sample import write_sample

OLIST = REPOSITORY.parent / "shared" / "data" / "olist"
NOW = at("2026-10-31 02:00")
needs_olist = pytest.mark.skipif(not OLIST.is_dir(), reason="the Olist data is not beside the repository")


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House], tmp_path_factory: pytest.TempPathFactory) -> House:
    house, folder = new_house(), tmp_path_factory.mktemp("sample")
    write_sample(300, 30, 7, folder)
    house.land(NOW, folders=[folder, *([OLIST] if OLIST.is_dir() else [])])
    house.build(NOW, tested=True)
    return house


def test_every_shipped_segment_score_and_sync_finds_somebody_in_the_sample(house: House) -> None:
    tables = [
        "segments.segment_hot_leads",
        "segments.segment_newsletter_subscribers",
        "segments.segment_promotion_sms_reachable",
        "segments.segment_wechat_followers_without_phone",
        "scores.score_engagement",
        "scores.score_accounts",
        "scores.score_calibration",
        "scores.score_drift",
        "scores.fct_score_crossings",
        "segments.segment_changes",
        "segments.segment_overlaps",
        "tags.tag_assignments",
        "syncs.sync_hubspot_contacts",
        "syncs.sync_wechat_tags",
        "syncs.sync_partner_profiles",
        "syncs.sync_files_customers",
        "identity.dim_accounts",
        "marts.suppressions",
    ]
    assert [table for table in tables if house.rows(f"select count(*) from {table}") == [(0,)]] == []


def test_what_dbt_made_of_a_rule_is_what_the_rule_finds(house: House) -> None:
    schemas = dict(house.rows("select table_name, table_schema from information_schema.tables"))
    for model, rule in Declarations.collect(Project(REPOSITORY)).segments.items():
        sql = for_warehouse(compiled.query(rule), lambda name: exp.table_(name, db=schemas[name]), NOW)
        assert sorted(house.rows(sql)) == sorted(house.rows(f"select profile_id, reason from segments.{model}")), model


def test_members_are_counted_once_in_every_book(house: House) -> None:
    assert house.rows("select segment, count(*) from segments.segment_members group by 1 order by 1") == house.rows(
        "select segment, members from segments.segment_sizes order by 1"
    )
    assert house.rows("select segment, members from segments.segment_overlaps where segment = other_segment order by 1") == house.rows(
        "select segment, people from segments.segment_overlaps where segment = other_segment order by 1"
    )


def test_everybody_is_in_or_out_of_every_segment_and_the_view_says_why(house: House) -> None:
    people = house.rows("select count(*) from identity.dim_profiles")[0][0]
    segments = dict(house.rows("select segment, count(*) from segments.segment_reasons group by 1"))
    assert len(segments) > 10
    assert set(segments.values()) == {people}
    assert house.rows("select count(*) from segments.segment_reasons where is_member") == house.rows(
        "select count(*) from segments.segment_members"
    )
    assert house.rows("from segments.segment_reasons where not is_member and coalesce(reason, '') = ''") == []


def test_of_a_rule_the_view_says_all_that_does_not_hold_and_nothing_that_does(house: House) -> None:
    schemas = dict(house.rows("select table_name, table_schema from information_schema.tables"))
    for model, rule in Declarations.collect(Project(REPOSITORY)).segments.items():
        outside = dict(
            house.rows(
                "select profile_id, reason from segments.segment_reasons where segment = ? and not is_member and reason not like 'one of our own%'",
                model,
            )
        )
        assert outside
        for words, truth in compiled.truths(rule):
            query = exp.select("p.profile_id").from_("identity.dim_profiles as p").where(truth)
            holds = set(house.column(for_warehouse(query, lambda name: exp.table_(name, db=schemas[name]), NOW)))
            assert [profile for profile, reason in outside.items() if (words in reason) == (profile in holds)] == [], (model, words)


def test_one_view_says_of_a_person_what_the_models_know(house: House) -> None:
    counted = dict(house.rows("select topic, count(*) from explain.explain_profiles group by 1"))
    books = {
        "segment": "segments.segment_reasons",
        "tag": "tags.tag_assignments",
        "score": "scores.score_profiles",
        "score component": "scores.score_components",
        "consent": "marts.consent_state",
        "suppression": "marts.suppressions",
        "lifecycle": "marts.profile_lifecycle",
        "identifier": "explain.explain_identifiers",
    }
    assert counted == {topic: house.rows(f"select count(*) from {table}")[0][0] for topic, table in books.items()}
    assert house.rows("from explain.explain_profiles where profile_id is null or subject is null or verdict is null") == []


def test_every_identifier_of_a_person_is_explained(house: House) -> None:
    everyone = "select identifier_type, identifier, profile_id from {} order by all"
    assert house.rows(everyone.format("identity.bridge_profile_identifiers")) == house.rows(
        everyone.format("(select distinct identifier_type, identifier, profile_id from explain.explain_identifiers)")
    )
    assert house.rows("from explain.explain_identifiers where verdict = 'joined' and (reason is null or evidence is null)") == []


def test_everything_that_happened_belongs_to_somebody(house: House) -> None:
    assert (
        house.rows("select source, count(*) from marts.fct_events where profile_id is null and not is_bot group by 1 having count(*) > 50")
        == []
    )


def test_no_person_is_split_over_the_rows_of_a_sync(house: House) -> None:
    assert house.rows("select email from syncs.sync_hubspot_contacts group by email having count(*) > 1") == []


@needs_olist
def test_the_olist_funnel_has_eight_thousand_leads_and_842_won(house: House) -> None:
    assert house.rows("select sum(leads), sum(won) from reports.rpt_funnel where origin_system = 'olist'") == [(8000, 842)]


@needs_olist
def test_the_olist_funnel_tells_the_origins_apart_and_calls_none_unknown(house: House) -> None:
    assert house.rows("select channel, leads, won from reports.rpt_funnel where origin_system = 'olist' order by leads desc limit 4") == [
        ("organic_search", 2296, 271),
        ("paid_search", 1586, 195),
        ("social", 1350, 75),
        # 1,099 that say so and 60 that say nothing
        ("unknown", 1159, 193),
    ]


@needs_olist
def test_leads_of_paid_search_that_were_not_won_are_written_to_again(house: House) -> None:
    assert house.rows("select count(*), count(distinct profile_id) from segments.segment_olist_paid_search_not_won_90d") == [(1391, 1391)]
    assert house.rows(
        "select count(*), count(*) filter (regexp_matches(email, '^[0-9a-f]{32}@leads.example$')) from syncs.sync_olist_email_list"
    ) == [(1391, 1391)]


@needs_olist
def test_every_olist_lead_becomes_a_contact_of_the_crm(house: House) -> None:
    assert house.rows(
        "select count(*), count(distinct mql_id), count(won_at), count(*) filter (lifecycle_stage = 'customer') from syncs.sync_olist_crm_contacts"
    ) == [(8000, 8000, 842, 842)]
