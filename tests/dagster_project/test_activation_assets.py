from __future__ import annotations

import dagster as dg
import pytest
from delivered import deliver
from running_sandbox import RunningSandbox
from small_project import SmallProject

from dagster_project import books, failures
from dagster_project.failures import RETRIES


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("activation.engine.deliver.backoff", lambda attempt: 0.01 * attempt)
    monkeypatch.setattr("activation.engine.transport.backoff", lambda attempt: 0.01 * attempt)


def test_a_run_shows_every_count_the_plan_and_why_rows_did_not_leave(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync()
    shop.people(5)
    shop.sql(
        "update consent_state set status = 'withdrawn' where profile_id = 'p_0'",
        "update sync_people set email = null where profile_id = 'p_1'",
    )
    found = deliver(shop, ref)
    assert found.success
    shown = found.metadata
    counts = ("planned", "sent", "rejected", "withheld", "unknown", "skipped", "invalid", "add", "change", "remove")
    assert [shown[name] for name in counts] == [5, 3, 0, 1, 0, 0, 1, 5, 0, 0]
    ((run_id, plan_hash),) = shop.rows("select run_id, plan_hash from activation.sync_runs")
    assert (shown["run"], shown["plan"], shown["status"]) == (run_id, plan_hash, "failed_rows")
    assert shown["seconds"] > 0
    assert "| withheld | OBJECTED | 1 | The person objected to sales_contact by crm. |" in shown["reasons"]
    assert "| invalid | NULL_MATCH | 1 |" in shown["reasons"]
    assert "@mail.example" not in shown["reasons"]


def test_a_send_is_an_asset_whose_run_reaches_each_person_once(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.send()
    shop.people(3)
    assert deliver(shop, ref).metadata["sent"] == 3
    assert deliver(shop, ref).metadata["planned"] == 0
    assert sorted(sandbox.message_ids("smtp").values()) == [1, 1, 1]


def test_the_three_checks_of_a_good_run_pass(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    checks = deliver(shop, shop.sync()).checks
    assert {name: check.passed for name, check in checks.items()} == {"ledger_balances": True, "rejections": True, "volume": True}
    assert {check.blocking for check in checks.values()} == {True}


def test_more_rejections_than_the_guards_allow_block_what_comes_after(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync(guards={"max_rejected_pct": 30})
    shop.people(4)
    for person in ("u0@", "u1@"):
        sandbox.fault("hubspot", "partial", times=100, match=person)

    @dg.asset(deps=[dg.AssetKey(ref.split("/"))])
    def afterwards() -> None:
        raise AssertionError("it must not run")

    found = deliver(shop, ref, afterwards)
    assert not found.success
    assert found.sentence == f"{ref}: 2 of 4 rows were rejected (50.0%); at most 30% may (max_rejected_pct)."
    assert (found.checks["rejections"].passed, found.checks["ledger_balances"].passed) == (False, True)
    assert (found.materialized, found.retries) == ([ref], 0)
    assert found.metadata["rejected"] == 2


def test_fewer_rejections_than_that_are_shown_and_let_go(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync(guards={"max_rejected_pct": 30})
    shop.people(4)
    sandbox.fault("hubspot", "partial", times=100, match="u0@")
    found = deliver(shop, ref)
    assert found.success
    assert (found.metadata["rejected"], found.checks["rejections"].metadata["percent"].value) == (1, 25.0)


def test_books_that_do_not_balance_do_not_pass(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync()
    shop.people(3)
    settled = shop.run(ref)
    assert books.ledger_balances(shop.project, settled).passed
    shop.sql("delete from activation.sync_changelog where key = 'p_0'")
    missing = books.ledger_balances(shop.project, settled)
    assert not missing.passed
    assert "planned 3" in str(missing.description)
    shop.sql("delete from activation.sync_runs")
    assert not books.ledger_balances(shop.project, settled).passed


def test_a_guard_ends_the_step_with_its_sentence_and_no_second_try(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync(guards={"max_added": 2})
    shop.people(3)
    found = deliver(shop, ref)
    assert (found.success, found.retries) == (False, 0)
    assert found.sentence == f"{ref}: stopped before the first call. 3 rows would be added; at most 2 may (max_added)."
    assert sandbox.taken("hubspot") == []


def test_a_reason_given_at_launch_passes_the_guards_and_is_recorded(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync(guards={"max_added": 2})
    shop.people(3)
    assert deliver(shop, ref, override="the first load").success
    ((who, why),) = shop.rows("select overridden_by, override_reason from activation.sync_runs")
    assert who.startswith("dagster run ")
    assert why.startswith("the first load; 3 rows would be added")


def test_a_destination_that_stays_away_is_tried_again_and_then_told(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync()
    shop.people(3)
    sandbox.fault("hubspot", "server_error", times=1000)
    found = deliver(shop, ref)
    assert (found.success, found.retries) == (False, RETRIES)
    assert found.sentence.startswith(f"{ref}: hubspot is paused for ")
    assert (found.metadata["planned"], found.metadata["skipped"], found.materialized) == (3, 3, [])
    assert found.checks["ledger_balances"].passed


def test_a_sync_that_another_process_runs_is_tried_again(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync()
    shop.people(3)
    with shop.ledger() as ledger:
        lease = ledger.acquire(ref, "somebody else")
        found = deliver(shop, ref)
        ledger.release(lease)
    assert (found.success, found.retries) == (False, RETRIES)
    assert "somebody else" in found.sentence
    assert sum("It is tried again in" in text for text in found.said) == RETRIES
    assert deliver(shop, ref).success


def test_a_wrong_password_stops_the_step_at_once(shop: SmallProject, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write(
        "activation/destinations.yml",
        'hubspot: {connector: hubspot, base_url: "${SLUICE_SANDBOX_URL}", token: "${HUBSPOT_TOKEN}"}\n',
    )
    monkeypatch.setenv("HUBSPOT_TOKEN", "not-the-token-of-the-sandbox")
    ref = shop.sync()
    shop.people(3)
    found = deliver(shop, ref)
    assert (found.success, found.retries) == (False, 0)
    assert "not-the-token" not in found.sentence + str(found.metadata) + str(found.said)
    assert found.metadata["status"] == "stopped"


def test_a_replay_never_reaches_a_destination_elsewhere(shop: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_AS_OF", "2026-10-31T10:00:00")
    monkeypatch.setenv("SLUICE_SANDBOX_URL", "https://api.vendor.example")
    shop.people(3)
    found = deliver(shop, shop.sync("partner/people"))
    assert not found.success
    assert "SLUICE_AS_OF is for replays" in found.sentence
