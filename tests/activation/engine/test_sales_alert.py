"""Sales are told of a person who became interesting: a task in the CRM with the evidence, a line in their room, a message to the owner. Each once."""

from __future__ import annotations

import pytest
from running_sandbox import RunningSandbox
from small_project import DESTINATIONS, SmallProject

from activation.engine.errors import PlanRefused
from activation.engine.preview import preview

EVIDENCE = "打开了 3 封邮件；看了 2 次价格页；分数 82"


@pytest.fixture
def sales(shop: SmallProject) -> SmallProject:
    """Two hot leads whom the CRM knows, one of whom wants no calls."""
    shop.people(2)
    shop.write(
        "activation/destinations.yml",
        f'{DESTINATIONS}room: {{connector: wecom_robot, base_url: "${{SLUICE_SANDBOX_URL:-http://127.0.0.1:1}}"}}\n'
        'app: {connector: wecom_app, base_url: "${SLUICE_SANDBOX_URL:-http://127.0.0.1:1}", agent_id: 1000002, to: desk, '
        "limits: {per_second: 1000}}\n",
    )
    shop.segment("sync_alerts")
    shop.sql(
        "create or replace table sync_alerts (alert_id varchar, profile_id varchar, badge varchar, subject varchar, evidence varchar, due timestamp)"
    )
    shop.fill("sync_alerts", [(f"hot-p_{one}", f"p_{one}", f"B{one}", "致电", EVIDENCE, "2026-11-20 06:00:00") for one in range(2)])
    shop.fill("consent_state", [("p_0", "all", "all", "granted", "2026-01-01"), ("p_1", "all", "sales_contact", "withdrawn", "2026-01-01")])
    return shop


def test_a_task_with_the_evidence_is_made_once_and_is_about_the_contact(sales: SmallProject, sandbox: RunningSandbox) -> None:
    ref = sales.sync(
        "hubspot/alerts",
        model="sync_alerts",
        object="tasks",
        key="alert_id",
        match_on="alert_id",
        fields={"hs_task_subject": "subject", "hs_task_body": "evidence", "hs_timestamp": "due", "contact": "badge"},
        settings={"contact_by": "badge"},
    )
    first, second = sales.run(ref), sales.run(ref)
    assert (first.outcomes["sent"], first.outcomes["withheld"], second.outcomes["sent"]) == (1, 1, 0)
    [task] = sandbox.state("hubspot")["tasks"]
    assert (task["properties"]["hs_task_body"], task["contacts"]) == (EVIDENCE, ["9000000"])
    assert task["properties"]["hs_timestamp"] == "1795154400000"


def test_the_room_is_told_of_a_person_once(sales: SmallProject, sandbox: RunningSandbox) -> None:
    sales.content("chat: {text: '{{ first_name }} 现在是热门线索'}\n")
    ref = sales.send("room/hot_lead", purpose="sales_contact")
    first, second = sales.run(ref), sales.run(ref)
    assert (first.outcomes["sent"], first.outcomes["withheld"], second.outcomes["sent"]) == (1, 1, 0)
    assert [one["content"]["text"] for one in sandbox.taken("wecom_robot")] == ["Name0 现在是热门线索"]


# -- the one who owns the lead --------------------------------------------------------------------------------------------

OWNED = {
    "purpose": "sales_contact",
    "fields": {"first_name": "first_name", "why": "segment_hot.reason"},
    "audience": {"include": ["segment_hot"]},
}
WORDS = """
email: {subject: "{{ first_name }} 🎉", html: hello.html}
sms: {sign_name: 云闸科技, template_code: SMS_1, params: {name: "{{ first_name }}"}}
chat: {text: "{{ first_name }}：{{ why }}"}
"""


@pytest.fixture
def owned(sales: SmallProject) -> SmallProject:
    """Two hot leads that the CRM gives to somebody, and one that it gives to nobody."""
    sales.people(3)
    for column in ("owner_email", "owner_phone", "owner_wecom_userid"):
        sales.sql(f"alter table dim_profiles add column {column} varchar")
    sales.sql(
        "update dim_profiles set owner_email = 'lilei@sluice.example', owner_phone = '+8613911112222', owner_wecom_userid = 'lilei' "
        "where profile_id <> 'p_2'"
    )
    sales.segment("segment_hot")
    sales.sql("create or replace table segment_hot (profile_id varchar, reason varchar)")
    sales.fill("segment_hot", [(f"p_{one}", f"分数 8{one} 🎉") for one in range(3)])
    sales.content(WORDS, '<p>{{ first_name }}: {{ why }} <a href="https://www.sluice.example/leads">look</a></p>')
    return sales


def test_the_owner_is_told_by_wecom_what_the_segment_says_and_told_once(owned: SmallProject, sandbox: RunningSandbox) -> None:
    ref = owned.send("app/hot", to="owner_wecom_userid", **OWNED)
    first, second = owned.run(ref), owned.run(ref)
    assert (first.outcomes["sent"], first.outcomes["withheld"], second.outcomes["sent"]) == (2, 1, 0)
    assert owned.outcomes(first.run_id)["p_2"] == ("withheld", "NO_COLLEAGUE")
    told = [(one["to"], one["content"]["content"]) for one in sandbox.taken("wecom")]
    assert sorted(told) == [("lilei", "Name0：分数 80 🎉"), ("lilei", "Name1：分数 81 🎉")]


def test_a_mail_to_the_owner_is_not_tracked_and_takes_nothing_from_the_person(owned: SmallProject, sandbox: RunningSandbox) -> None:
    owned.policy("frequency_caps", "caps: [{messages: 1, days: 7}]\n")
    owned.sql("insert into suppressions values ('p_0', 'email', 'hard_bounce', 'all')")
    told = owned.run(owned.send("mail/hot", to="owner_email", **OWNED))
    assert told.outcomes["sent"] == 2  # whatever is wrong with the person's own address
    for one in sandbox.taken("smtp"):
        assert one["to"] == "lilei@sluice.example"
        shown = str(one["content"])
        assert "https://www.sluice.example/leads" in shown
        assert not [mark for mark in ("/o/", "/u/", "List-Unsubscribe") if mark in shown]
    assert owned.rows("select distinct channel from activation.sync_changelog") == [("chat",)]
    owned.write("activation/content/letter.yml", "email: {subject: A letter for you, html: letter.html}\n")
    owned.write("activation/content/letter.html", "<p>Hello</p>")
    letter = owned.run(owned.send("mail/letter", content="letter"))
    assert letter.outcomes["sent"] == 2  # to p_1 and p_2, whose cap the alert did not use up


def test_a_text_message_goes_to_the_owner_s_number(owned: SmallProject, sandbox: RunningSandbox) -> None:
    assert owned.run(owned.send("sms/hot", to="owner_phone", **OWNED)).outcomes["sent"] == 2
    assert {one["to"] for one in sandbox.taken("aliyun_sms")} == {"13911112222"}


def test_an_objection_of_the_person_withholds_the_alert_and_a_bad_number_of_the_owner_too(
    owned: SmallProject, sandbox: RunningSandbox
) -> None:
    owned.fill("consent_state", [("p_0", "all", "sales_contact", "withdrawn", "2026-01-01")])
    owned.sql("update dim_profiles set owner_phone = 'ext. 12' where profile_id = 'p_1'")
    told = owned.run(owned.send("sms/hot", to="owner_phone", **OWNED))
    found = owned.outcomes(told.run_id)
    assert [found[f"p_{one}"][1] for one in range(3)] == ["OBJECTED", "BAD_COLLEAGUE", "NO_COLLEAGUE"]
    assert sandbox.taken("aliyun_sms") == []


def test_the_robot_of_a_room_calls_the_owner(owned: SmallProject, sandbox: RunningSandbox) -> None:
    assert owned.run(owned.send("room/hot", to="owner_wecom_userid", **OWNED)).outcomes["sent"] == 2
    assert {tuple(one["content"]["mentioned_list"]) for one in sandbox.taken("wecom_robot")} == {("lilei",)}


def test_a_preview_says_what_the_segment_says(owned: SmallProject, sandbox: RunningSandbox) -> None:
    owned.send("app/hot", to="owner_wecom_userid", **OWNED)
    (shown,) = preview(owned.project, owned.declarations, "app/hot", None, owned.project.root / "shown")
    assert shown.payload["text"] == "‹first_name›：‹why›"


def test_a_column_that_the_segment_does_not_have_stops_the_plan_with_its_name(owned: SmallProject) -> None:
    ref = owned.send("app/hot", to="owner_wecom_userid", **{**OWNED, "fields": {"first_name": "first_name", "why": "segment_hot.reasn"}})
    with pytest.raises(PlanRefused, match=r"`segment_hot` has no column `reasn`\. Did you mean `reason`"):
        owned.plan(ref)
