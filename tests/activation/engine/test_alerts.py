"""Alerts on change of state: what begins to fail is told once, what works again is told too, and no alert ever fails a run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from running_sandbox import RunningSandbox
from small_project import DESTINATIONS, SmallProject

from activation.engine import alerts
from activation.engine.errors import GuardStop, InputsMoved, PlanRefused, UsageError
from activation.engine.run import Runner
from activation.engine.settle import Settled

URL = '"${SLUICE_SANDBOX_URL:-http://127.0.0.1:1}"'
ROOMS = "".join(f"{name}: {{connector: {name}, base_url: {URL}}}\n" for name in ("wecom_robot", "feishu_robot", "dingtalk_robot", "slack"))
ROOM = "wecom_robot"


class Watched:
    """A small project whose alerts go to channels, and what is said where its runs are watched."""

    def __init__(self, shop: SmallProject, sandbox: RunningSandbox) -> None:
        self.shop, self.sandbox = shop, sandbox
        self.said: list[str] = []
        shop.write("activation/destinations.yml", DESTINATIONS + ROOMS)
        self.channels({"destination": ROOM})

    def channels(self, *channels: dict[str, Any]) -> None:
        self.shop.write("activation/alerts.yml", json.dumps({"channels": channels}))

    def run(self, ref: str, **options: Any) -> Settled:
        declarations = self.shop.declarations
        return Runner(self.shop.project, declarations, datetime.now(UTC), say=self.said.append).run(declarations.find(ref), **options)

    def fails(self, ref: str) -> str:
        """Let a guard stop the sync."""
        self.shop.sync(ref, guards={"max_total": 1})
        with pytest.raises(GuardStop) as stop:
            self.run(ref)
        return str(stop.value)

    def works(self, ref: str) -> None:
        self.shop.sync(ref)
        self.run(ref)

    def told(self, vendor: str = ROOM) -> list[str]:
        return [kept["content"]["text"] for kept in self.sandbox.taken(vendor)]


@pytest.fixture
def watched(shop: SmallProject, sandbox: RunningSandbox) -> Watched:
    shop.people(3)
    return Watched(shop, sandbox)


# -- change of state ------------------------------------------------------------------------------------------------------


def test_what_begins_to_fail_is_told_once_and_what_works_again_is_told_too(watched: Watched) -> None:
    for _ in range(3):
        watched.fails("hubspot/people")
    (failing,) = watched.told()
    assert failing.startswith("✗ hubspot/people is failing since 20")
    assert "3 rows in all; at most 1 may (max_total)" in failing
    assert "`sluice plan hubspot/people`" in failing
    assert "Project shop on " in failing
    watched.works("hubspot/people")
    watched.works("hubspot/people")
    assert len(watched.told()) == 2
    assert watched.told()[1].startswith("✓ hubspot/people works again.\nIt failed from 20")
    watched.fails("partner/people")
    assert len(watched.told()) == 3


def test_what_works_is_not_spoken_of(watched: Watched) -> None:
    watched.works("hubspot/people")
    assert (watched.told(), watched.said) == ([], [])


def test_a_dead_destination_is_told_once_and_not_for_each_of_its_syncs(watched: Watched, quick: None) -> None:
    first, second = watched.shop.sync("hubspot/people"), watched.shop.sync("hubspot/others")
    watched.sandbox.fault("hubspot", "server_error", times=50)
    assert watched.run(first).status == "incomplete"
    assert watched.run(second).status == "incomplete"
    (alert,) = watched.told()
    assert alert.startswith("✗ hubspot is failing since ")
    assert "`sluice doctor`" in alert
    watched.sandbox.no_faults()
    with watched.shop.ledger() as ledger:
        ledger.close_circuit("hubspot")
    watched.run(second)
    assert [text.splitlines()[0] for text in watched.told()[1:]] == ["✓ hubspot works again."]


def test_wrong_credentials_are_the_destination_s_failure(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.shop.write(
        "activation/destinations.yml", (DESTINATIONS + ROOMS).replace("hubspot, base", 'hubspot, token: "${CRM_TOKEN}", base')
    )
    monkeypatch.setenv("CRM_TOKEN", "pat-wrong")
    assert watched.run(watched.shop.sync()).status == "stopped"
    (alert,) = watched.told()
    assert alert.startswith("✗ hubspot is failing")
    assert "(UNAUTHORIZED)" in alert
    assert "pat-wrong" not in alert


def test_too_many_rejected_rows_are_told_and_a_few_are_not(watched: Watched) -> None:
    watched.sandbox.fault("hubspot", "partial", match="u1@")
    watched.run(watched.shop.sync("hubspot/people"))
    assert watched.told() == []
    for name in ("u0@", "u1@"):
        watched.sandbox.fault("hubspot", "partial", match=name)
    watched.run(watched.shop.sync("hubspot/others"))
    (alert,) = watched.told()
    assert alert.startswith("✗ hubspot/others is failing")
    assert "2 of 3 rows were rejected (66.7%); at most 50% may (max_rejected_pct)" in alert
    assert "`sluice retry hubspot/others`" in alert
    assert "@mail.example" not in alert


def test_a_source_that_no_longer_fits_is_told(watched: Watched) -> None:
    ref = watched.shop.sync(fields={"email": "nowhere"})
    with pytest.raises(PlanRefused):
        watched.run(ref)
    assert "no column `nowhere`" in watched.told()[0]


def test_a_missing_variable_is_told(watched: Watched) -> None:
    watched.shop.write(
        "activation/destinations.yml",
        ROOMS + 'hubspot: {connector: hubspot, base_url: https://api.vendor.example, token: "${CRM_TOKEN}"}\n',
    )
    with pytest.raises(UsageError):
        watched.run(watched.shop.sync())
    assert "CRM_TOKEN" in watched.told()[0]


def test_a_plan_that_has_moved_and_a_stop_that_was_asked_for_are_nobody_s_failure(watched: Watched) -> None:
    ref = watched.shop.sync()
    with pytest.raises(InputsMoved):
        watched.run(ref, plan_hash="0" * 16)
    declarations = watched.shop.declarations
    runner = Runner(watched.shop.project, declarations, datetime.now(UTC), say=watched.said.append)
    runner.stop.ask("STOPPED", "The run was asked to stop.")
    assert runner.run(declarations.find(ref)).status == "stopped"
    assert watched.told() == []


def test_numbers_of_our_own_are_told_and_those_of_a_vendor_are_hidden(watched: Watched) -> None:
    activation = watched.shop.find(watched.shop.sync())
    (guard,) = alerts.of_error(activation, GuardStop(activation.ref, ["2000000 of 5000000 rows (40.0%) would be removed."]))
    assert guard.trouble is not None
    assert "2000000 of 5000000 rows" in guard.trouble.sentence
    counts = {"planned": 3, "attempted": 3, "succeeded": 0, "failed": 3}
    outcomes = dict.fromkeys(("sent", "withheld", "unknown", "skipped", "invalid"), 0) | {"rejected": 3}
    reasons = [("rejected", "BAD", "13800000001 and u1@mail.example are taken", 3)]
    settled = Settled("r1", activation.ref, "failed_rows", 3, outcomes, reasons, {"add": counts})
    rejected = alerts.of_run(activation, settled)[-1].trouble
    assert rejected is not None
    assert rejected.sentence.endswith("BAD: … and … are taken")


# -- channels -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", ["wecom_robot", "feishu_robot", "dingtalk_robot", "slack"])
def test_every_kind_of_room_is_told(watched: Watched, vendor: str) -> None:
    watched.channels({"destination": vendor})
    watched.fails("hubspot/people")
    assert [text.split(" since ")[0] for text in watched.told(vendor)] == ["✗ hubspot/people is failing"]


def test_mail_is_written_to_every_address(watched: Watched) -> None:
    watched.channels({"destination": "mail", "to": ["ops@sluice.example", "night@sluice.example"]})
    watched.fails("hubspot/people")
    letters = watched.sandbox.taken("smtp")
    assert [letter["to"] for letter in letters] == ["ops@sluice.example", "night@sluice.example"]
    assert {letter["content"]["subject"] for letter in letters} == {"hubspot/people is failing"}


def test_a_webhook_gets_the_facts_signed(watched: Watched) -> None:
    watched.channels({"destination": "partner"})
    watched.fails("hubspot/people")
    (kept,) = watched.sandbox.taken("webhook")
    row = kept["content"]["row"]
    assert (row["type"], row["subject"], row["code"], row["ended"]) == ("sluice.alert.failing", "hubspot/people", "GUARD", None)


def test_who_is_told_may_be_narrowed_down(watched: Watched) -> None:
    watched.channels(
        {"destination": "wecom_robot", "about": ["hubspot"]},
        {"destination": "slack", "about": ["partner/people"]},
        {"destination": "feishu_robot", "about": ["hubspot/others"]},
    )
    watched.shop.sync("partner/people")
    watched.shop.sync("hubspot/others")
    watched.fails("hubspot/people")
    assert [len(watched.told(vendor)) for vendor in ("wecom_robot", "slack", "feishu_robot")] == [1, 0, 0]


# -- alerts that cannot be delivered --------------------------------------------------------------------------------------


def test_an_alert_that_cannot_be_delivered_is_said_and_told_after_the_next_run_of_anything(watched: Watched) -> None:
    watched.sandbox.fault(ROOM, "server_error")
    stopped = watched.fails("hubspot/people")
    assert stopped.startswith("hubspot/people: stopped before the first call.")
    assert watched.said == [
        "`hubspot/people is failing` could not be told to wecom_robot: WeCom answered 500: it is not known whether the request was carried "
        "out. It is tried again after the next run."
    ]
    watched.works("partner/people")
    assert [text.split(" since ")[0] for text in watched.told()] == ["✗ hubspot/people is failing"]


def test_nobody_there_is_no_reason_to_fail(watched: Watched) -> None:
    watched.shop.write("activation/destinations.yml", DESTINATIONS + "room: {connector: slack, base_url: http://127.0.0.1:1}\n")
    watched.channels({"destination": "room"})
    watched.fails("hubspot/people")
    assert watched.said == [
        "`hubspot/people is failing` could not be told to room: it cannot be reached (ConnectError). It is tried again after the next run."
    ]


def test_who_never_heard_of_a_failure_does_not_hear_that_it_is_over(watched: Watched) -> None:
    watched.channels({"destination": "wecom_robot"}, {"destination": "slack"})
    watched.sandbox.fault("slack", "server_error")
    watched.fails("hubspot/people")
    watched.works("hubspot/people")
    assert (len(watched.told("wecom_robot")), watched.told("slack")) == (2, [])


def test_a_failure_that_comes_back_before_its_end_was_told_is_no_news(watched: Watched) -> None:
    watched.fails("hubspot/people")
    watched.sandbox.fault(ROOM, "server_error")
    watched.works("hubspot/people")
    watched.shop.sql("update sync_people set first_name = 'x'")
    watched.fails("hubspot/people")
    assert len(watched.told()) == 1


def test_a_broken_ledger_stops_nobody_from_hearing_why(watched: Watched, tmp_path: Path) -> None:
    declarations = watched.shop.declarations
    watched.shop.project.ledger.write_bytes(b"no ledger at all, " * 100)
    alerts.send(watched.shop.project, declarations.alerts, declarations.destinations, [], watched.said.append)
    assert watched.said[0].startswith("Nobody could be alerted: ledger.db cannot be used as the ledger")
