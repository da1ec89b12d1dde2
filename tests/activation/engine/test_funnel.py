"""The funnel of a preview: from the segments, or the source, to what will be sent, with what each rule took."""

from __future__ import annotations

import itertools

import pytest
from small_project import NOON, SmallProject

from activation.engine.codes import REMEDIES, remedy

MAIL, FILES = "mail/hello", "files/people"


def stages(shop: SmallProject, ref: str) -> list[tuple[str, int, dict[str, int]]]:
    preview = shop.runner().preview(shop.find(ref))
    found = [(stage.name, stage.rows, dict(stage.lost)) for stage in preview.funnel]
    leaving = preview.plan.planned - preview.plan.counts["invalid"] - sum(preview.withheld.values())
    assert found[-1][1] + preview.plan.counts["remove"] == leaving
    assert [rows for _, rows, _ in found[1:]] == [before[1] - sum(now[2].values()) for before, now in itertools.pairwise(found)]
    return found


def test_every_rule_says_how_many_it_took(shop: SmallProject) -> None:
    shop.people(12)
    shop.fill("segment_excluded", [("p_11",)])
    shop.segment("segment_gone", "p_10")
    shop.segment("segment_first", "p_9")
    shop.sql("update dim_profiles set first_name = profile_id")
    shop.policy("exclusions", "segments: [segment_gone]\n")
    audience = {"include": ["segment_everyone"], "exclude": ["segment_excluded"], "limit": {"top": 9, "by": "first_name asc"}}
    shop.send(MAIL, audience=audience, experiment={"name": "x", "arms": {"a": 1, "control": 1}})
    shop.send("sms/first", audience={"include": ["segment_first"]})
    shop.policy("waterfalls", f"waterfalls: {{one: [sms/first, {MAIL}]}}\n")
    shop.policy("frequency_caps", "caps:\n- {channel: email, messages: 1, days: 7}\n")
    shop.policy("channel_quotas", "quotas:\n- {destination: mail, messages: 1, per: day}\n")
    shop.sql(
        f"insert into activation.sync_snapshot (ref, key, state) values ('{MAIL}', 'p_0', 'acknowledged')",
        "update consent_state set status = 'withdrawn' where profile_id = 'p_1'",
        "insert into suppressions values ('p_2', 'email', 'complaint', 'marketing')",
        "update dim_profiles set email = null where profile_id = 'p_3'",
        "update dim_profiles set email = 'x' where profile_id = 'p_4'",
        *(f"insert into activation.assignments values ('experiment:x', 'p_{i}', '{'control' if i == 5 else 'a'}', timestamp '2026-01-01', 'r')" for i in range(10)),
        "insert into activation.sync_changelog (run_id, kind, channel, destination, profile_id, outcome, message_id, recorded_at, row_number) "
        f"values ('old', 'send', 'email', 'other', 'p_6', 'sent', 'm_x', timestamp '{NOON:%Y-%m-%d %H:%M:%S}', 0)",
    )  # fmt: skip
    assert stages(shop, MAIL) == [
        ("in the segments", 12, {}),
        # p_9 belongs to the other send, and leaves its place in the limit to another.
        ("addressed", 8, {"EXCLUDED": 1, "EXCLUDED_EVERYWHERE": 1, "HAD_IT": 1, "WATERFALL": 1}),
        ("eligible", 6, {"COMPLAINT": 1, "CONSENT_WITHDRAWN": 1}),
        ("contactable", 4, {"BAD_EMAIL": 1, "NO_EMAIL": 1}),
        ("after holdouts and experiments", 3, {"EXPERIMENT_CONTROL": 1}),
        ("within caps", 2, {"CAP_EMAIL": 1}),
        ("will be sent", 1, {"QUOTA": 1}),
    ]
    audience["limit"] = {"top": 5, "by": "first_name asc"}
    shop.send(MAIL, audience=audience)
    assert stages(shop, MAIL)[1] == ("addressed", 4, {"EXCLUDED": 1, "EXCLUDED_EVERYWHERE": 1, "LIMIT": 4, "HAD_IT": 1, "WATERFALL": 1})


def test_a_sync_begins_with_its_source(shop: SmallProject) -> None:
    shop.people(6)
    shop.sync(FILES, mode="mirror", on_removed="delete", guards={"max_removed_pct": 100})
    shop.run(FILES)
    shop.policy("exclusions", "segments: [segment_excluded]\n")
    shop.fill("segment_excluded", [("p_0",)])
    shop.sql(
        "update sync_people set first_name = 'x' where profile_id in ('p_1', 'p_2')",
        "update sync_people set email = null where profile_id = 'p_3'",
        "update consent_state set status = 'withdrawn' where profile_id = 'p_2'",
    )
    found = stages(shop, FILES)
    assert found[:3] == [
        ("in the source", 6, {}),
        ("addressed", 2, {"EXCLUDED_EVERYWHERE": 1, "UNCHANGED": 2, "NULL_MATCH": 1}),
        ("eligible", 1, {"OBJECTED": 1}),
    ]


def test_a_preview_asks_and_moves_nothing(shop: SmallProject) -> None:
    shop.people(2)
    shop.send(MAIL, holdout={"percent": 50})
    before = shop.dump()
    stages(shop, MAIL)
    assert shop.dump() == before
    assert shop.rows("select count(*) from activation.assignments") == [(0,)]


@pytest.mark.parametrize("code", ["NO_EMAIL", "BAD_WECHAT_OPENID", "CAP_ALL_NEWSLETTER", *REMEDIES])
def test_every_code_says_what_to_do(code: str) -> None:
    assert remedy(code)


def test_of_a_vendors_code_nobody_knows_what_to_do() -> None:
    assert remedy("NO_SUCH_TEMPLATE") is None
    assert remedy("VALIDATION_ERROR") is None
