"""Sales are told of a person who became interesting: a task in the CRM with the evidence, and a line in their room. Each once."""

from __future__ import annotations

import pytest
from running_sandbox import RunningSandbox
from small_project import DESTINATIONS, SmallProject

EVIDENCE = "打开了 3 封邮件；看了 2 次价格页；分数 82"


@pytest.fixture
def sales(shop: SmallProject) -> SmallProject:
    """Two hot leads whom the CRM knows, one of whom wants no calls."""
    shop.people(2)
    shop.write(
        "activation/destinations.yml",
        f'{DESTINATIONS}room: {{connector: wecom_robot, base_url: "${{SLUICE_SANDBOX_URL:-http://127.0.0.1:1}}"}}\n',
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
