"""A run launched in Dagster alerts as one on the command line does."""

from __future__ import annotations

from delivered import deliver
from running_sandbox import RunningSandbox
from small_project import DESTINATIONS, SmallProject

ROOM = 'room: {connector: slack, base_url: "${SLUICE_SANDBOX_URL:-http://127.0.0.1:1}"}\n'


def test_a_guard_that_stops_an_asset_is_told_and_so_is_its_recovery(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.write("activation/destinations.yml", DESTINATIONS + ROOM)
    shop.write("activation/alerts.yml", "channels: [{destination: room}]\n")
    shop.people(3)
    assert not deliver(shop, shop.sync(guards={"max_total": 1})).success
    assert not deliver(shop, shop.sync(guards={"max_total": 1})).success
    assert deliver(shop, shop.sync()).success
    told = [kept["content"]["text"].split(" since ")[0].splitlines()[0] for kept in sandbox.taken("slack")]
    assert told == ["✗ hubspot/people is failing", "✓ hubspot/people works again."]


def test_an_alert_that_cannot_be_delivered_stands_in_the_step_s_log(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.write("activation/destinations.yml", DESTINATIONS + "room: {connector: slack, base_url: http://127.0.0.1:1}\n")
    shop.write("activation/alerts.yml", "channels: [{destination: room}]\n")
    shop.people(3)
    found = deliver(shop, shop.sync(guards={"max_total": 1}))
    assert not found.success
    assert any("could not be told to room" in line for line in found.said)
