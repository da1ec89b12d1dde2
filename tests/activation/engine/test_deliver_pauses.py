"""A destination that is gone, or refuses us, is left in peace for a while, alone; when it is back everything that waited leaves."""

from __future__ import annotations

import time

import pytest
from running_sandbox import RunningSandbox
from small_project import SmallProject

from activation.engine.history import status

CRM, MAIL, SMS = "hubspot/people", "mail/hello", "sms/short"

pytestmark = pytest.mark.usefixtures("quick")


def test_a_destination_that_stays_away_is_paused_and_its_run_is_incomplete(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(30)
    ref = shop.sync()
    sandbox.fault("hubspot", "server_error", times=1000)
    result = shop.run(ref)
    assert (result.status, result.failed, result.outcomes["skipped"]) == ("incomplete", True, 30)
    shop.books(result.run_id)
    (circuit,) = status(shop.project, shop.declarations).circuits
    assert (circuit["destination"], circuit["code"]) == ("hubspot", "UNAVAILABLE")


def test_while_a_destination_is_paused_nobody_calls_it(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.sync()
    sandbox.fault("hubspot", "server_error", times=1000)
    shop.run(ref)
    sandbox.no_faults()
    result = shop.run(ref)
    assert (result.status, result.failed) == ("incomplete", True)
    assert set(shop.outcomes(result.run_id).values()) == {("skipped", "CIRCUIT_OPEN")}
    assert sandbox.taken("hubspot") == []


def test_after_the_pause_everything_that_was_skipped_leaves(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.send(SMS)
    sandbox.fault("aliyun_sms", "server_error", times=1000)  # a gateway's 503: surely not taken
    assert shop.run(ref).status == "incomplete"
    sandbox.no_faults()
    shop.end_pauses()
    assert shop.run(ref).outcomes["sent"] == 3
    assert set(sandbox.message_ids("aliyun_sms").values()) == {1}
    assert status(shop.project, shop.declarations).circuits == []


def test_one_destination_that_is_away_does_not_hold_up_another(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    refs = [shop.sync(CRM), shop.sync("partner/people"), shop.send(SMS)]
    sandbox.fault("hubspot", "server_error", times=1000)
    runner = shop.runner()
    results = [runner.run(runner.declarations.find(ref)) for ref in refs]
    assert [result.status for result in results] == ["incomplete", "succeeded", "succeeded"]


def test_wrong_credentials_of_one_destination_do_not_stop_another(
    shop: SmallProject, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.people(3)
    with_token(shop, monkeypatch, "wrong")
    refs = [shop.sync(CRM), shop.sync("partner/people")]
    runner = shop.runner()
    assert [runner.run(runner.declarations.find(ref)).status for ref in refs] == ["stopped", "succeeded"]


def test_a_pause_lasts_as_long_as_the_destination_asked_for(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(1)
    ref = shop.sync()
    sandbox.fault("hubspot", "rate_limit", retry_after=3600, times=1000)
    assert shop.run(ref).status == "incomplete"
    with shop.ledger() as ledger:
        circuit = ledger.circuit("hubspot")
    assert circuit is not None
    assert 3500 < circuit["open_until"] - time.time() < 3601


def test_a_destination_nobody_listens_at_is_paused(shop: SmallProject) -> None:
    shop.people(2)
    refs = [shop.sync(), shop.send(SMS), shop.send(MAIL)]
    for ref in refs:  # the declared addresses are of a port where nobody is
        result = shop.run(ref)
        assert (result.status, result.outcomes["skipped"]) == ("incomplete", 2)
        assert {code for _, code in shop.outcomes(result.run_id).values()} == {"UNREACHABLE"}
    assert shop.held() == []


def test_a_destination_that_answers_nothing_for_many_calls_is_paused(shop: SmallProject, sandbox: RunningSandbox) -> None:
    """Else every message of a long run would end up held."""
    shop.people(200)
    ref = shop.send(SMS)
    sandbox.fault("aliyun_sms", "reset", times=1000, when="before")
    result = shop.run(ref)
    assert result.status == "incomplete"
    assert 5 <= result.outcomes["unknown"] <= 5 + 16  # what was in flight
    assert result.outcomes["skipped"] == 200 - result.outcomes["unknown"]
    assert sandbox.taken("aliyun_sms") == []


# -- a person has to act --------------------------------------------------------------------------------------------------


def with_token(shop: SmallProject, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", token)
    shop.write(
        "activation/destinations.yml",
        'hubspot: {connector: hubspot, base_url: "${SLUICE_SANDBOX_URL}", token: "${HUBSPOT_TOKEN}", limits: {batch_size: 10, per_second: 1000}}\n'
        'partner: {connector: webhook, base_url: "${SLUICE_SANDBOX_URL}"}\n',
    )


def test_wrong_credentials_stop_the_run_and_the_rest_leaves_when_they_are_right(
    shop: SmallProject, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.people(100)
    with_token(shop, monkeypatch, "wrong")
    ref = shop.sync()
    result = shop.run(ref)
    assert (result.status, result.failed, result.outcomes["skipped"]) == ("stopped", True, 100)
    assert result.reasons == [("skipped", "UNAUTHORIZED", "HubSpot answered 401: check the credentials of this destination.", 100)]
    monkeypatch.delenv("HUBSPOT_TOKEN")
    assert shop.run(ref).outcomes["sent"] == 100
