"""Every kind of condition on what people are, beside the SQL that an analyst would write for it, over the same people."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from people_at_hand import NOW, SEEN, tells_apart, those

RULES: dict[str, tuple[str, str]] = {
    "fields of the person": (
        "{profile: {country: [CN, DE], lifetime_value: {at_least: 200, less_than: 800}, phone: {known: true}}}",
        those("country in ('CN', 'DE') and lifetime_value >= 200 and lifetime_value < 800 and phone is not null"),
    ),
    "not in a list, unknown included": (
        "{profile: {country: {not_in: [CN, US]}}}",
        those("country is null or country not in ('CN', 'US')"),
    ),
    "nothing known": ("{profile: {country: {known: false}}}", those("country is null")),
    "text in a field": (
        "{profile: {email: {starts_with: P_1, contains: MAIL}}}",
        those("email like 'p_1%' and email like '%mail%'"),
    ),
    "a pattern": ('{profile: {email: {matches: "^p_[0-9]{2}@"}}}', those("regexp_matches(email, '^p_[0-9][0-9]@')")),
    "a date to come": (
        "{profile: {renewal_date: {in_next: 30 days}}}",
        those(f"renewal_date >= {NOW} and renewal_date < {NOW} + interval 30 days"),
    ),
    "a date gone by": (
        "{profile: {first_touch_at: {in_last: 7 days}}}",
        those(f"first_touch_at > {NOW} - interval 7 days and first_touch_at <= {NOW}"),
    ),
    "before and after": (
        "{profile: {first_touch_at: {after: 2026-05-01, before: 2026-05-15T06:00:00}}}",
        those("first_touch_at > '2026-05-01' and first_touch_at < '2026-05-15 06:00:00'"),
    ),
    "the company": (
        "{account: {industry: software, employees: {at_least: 50}}}",
        those("account_id in (select account_id from dim_accounts where industry = 'software' and employees >= 50)"),
    ),
    "colleagues, without oneself": (
        "{colleagues: {did: Order Paid, within: 10 days}, at_least: 3}",
        those(
            "(select count(*) from dim_profiles c where c.account_id = dim_profiles.account_id and c.profile_id <> dim_profiles.profile_id "
            f"and not c.is_test and c.profile_id in (select profile_id {SEEN} and event_name = 'Order Paid' and occurred_at > {NOW} - interval 10 days)) >= 3"
        ),
    ),
    "a tag": ("{tag: 'interest:coffee'}", those("profile_id in (select profile_id from tag_assignments where tag = 'interest:coffee')")),
    "any tag of a dimension, held": (
        "{tag: 'interest:*', held_for: 90 days}",
        those(
            f"profile_id in (select profile_id from tag_assignments where dimension = 'interest' and first_seen_at <= {NOW} - interval 90 days)"
        ),
    ),
    "a stage held": (
        "{stage: [lead, mql], held_for: 14 days}",
        those(
            f"profile_id in (select profile_id from profile_lifecycle where stage in ('lead', 'mql') and since <= {NOW} - interval 14 days)"
        ),
    ),
    "a score": (
        "{score: engagement, at_least: 40}",
        those("profile_id in (select profile_id from score_profiles where model = 'engagement' and score >= 40)"),
    ),
    "who has no score has none": (
        "{score: fit, less_than: 20}",
        those("coalesce((select score from score_profiles s where model = 'fit' and s.profile_id = dim_profiles.profile_id), 0) < 20"),
    ),
    "grades": (
        "{grade: [A1, '*2'], model: engagement}",
        those("profile_id in (select profile_id from score_profiles where model = 'engagement' and (grade = 'A1' or grade like '_2'))"),
    ),
    "in another segment": ("{in_segment: segment_hot}", those("profile_id in (select profile_id from segment_hot)")),
    "not in another segment": (
        "{not_in_segment: segment_hot}",
        those("profile_id not in (select profile_id from segment_hot where profile_id is not null)"),
    ),
    "in another segment for so long": (
        "{in_segment: segment_hot, held_for: 20 days}",
        those(
            "profile_id in (select profile_id from segment_hot) and profile_id in (select profile_id from (select profile_id, change, changed_at, "
            "row_number() over (partition by profile_id order by change_number desc) as place from segment_history) "
            f"where place = 1 and change = 'enter' and changed_at <= {NOW} - interval 20 days)"
        ),
    ),
    "reachable": (
        "{reachable: sms}",
        those("phone is not null and profile_id not in (select profile_id from suppressions where channel = 'sms' and scope = 'all')"),
    ),
    "reachable for a purpose": (
        "{reachable: email, purpose: newsletter}",
        those(
            "email is not null and profile_id not in (select profile_id from suppressions where channel = 'email') "
            "and profile_id in (select profile_id from consent_state where purpose = 'newsletter' and channel = 'email' and topic = 'all' and status = 'granted')"
        ),
    ),
    "a bucket": (
        "{bucket: spring, from: 10, below: 35}",
        those("cast('0x' || left(md5('spring:' || profile_id), 15) as bigint) % 10000 between 1000 and 3499"),
    ),
    "a list": ("{listed: [p_3@mail.example, own_4, p_5, nobody]}", those("profile_id in ('p_3', 'p_4', 'p_5')")),
    "a list in a seed": ("{listed: vips}", those("profile_id in ('p_3', 'p_4', 'p_5')")),
    "the stage changed, back as well as forward": (
        "{changed: stage, from: [sql, lead], to: [lead, opportunity], within: 90 days}",
        those(
            "profile_id in (select profile_id from fct_lifecycle_transitions where from_stage in ('sql', 'lead') and to_stage in ('lead', 'opportunity') "
            f"and transitioned_at > {NOW} - interval 90 days and transitioned_at <= {NOW})"
        ),
    ),
    "all, any and none, nested": (
        "{all: [{any: [{profile: {country: CN}}, {did: Order Paid, within: 5 days}]}, {none: [{in_segment: segment_hot}, {profile: {phone: {known: false}}}]}]}",
        those(
            f"(country = 'CN' or profile_id in (select profile_id {SEEN} and event_name = 'Order Paid' and occurred_at > {NOW} - interval 5 days)) "
            "and profile_id not in (select profile_id from segment_hot where profile_id is not null) and phone is not null"
        ),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_about_people_finds_whom_the_same_by_hand_finds_and_none_of_it_everybody_else(
    people: duckdb.DuckDBPyConnection, tmp_path: Path, name: str
) -> None:
    tells_apart(people, tmp_path, *RULES[name])
