"""Audiences of advertisers, whole: members of a model are added, leave when they leave the model, and the bad one is found in a batch."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from running_sandbox import RunningSandbox
from small_project import SmallProject

DESTINATIONS = """
meta: {connector: meta_audiences, base_url: "${SLUICE_SANDBOX_URL}"}
google: {connector: google_data_manager, base_url: "${SLUICE_SANDBOX_URL}", account_id: "1234567890"}
"""
SETTINGS = {"meta": {"audience_id": "6001"}, "google": {"audience_id": "8888"}}
VENDORS = {"meta": "meta_audiences", "google": "google_data_manager"}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def sync(shop: SmallProject, destination: str) -> str:
    shop.write("activation/destinations.yml", DESTINATIONS)
    given: dict[str, Any] = {"object": "members", "mode": "mirror", "on_removed": "remove_from_list", "settings": SETTINGS[destination]}
    return shop.sync(f"{destination}/people", fields={"email": "email"}, guards={"max_removed_pct": 100}, **given)


def members(sandbox: RunningSandbox, destination: str) -> set[str]:
    now: set[str] = set()
    for kept in sandbox.taken(VENDORS[destination]):
        (now.discard if kept["kind"] == "removed" else now.add)(kept["to"])
    return now


@pytest.mark.parametrize("destination", VENDORS)
def test_who_leaves_the_model_leaves_the_audience(shop: SmallProject, sandbox: RunningSandbox, destination: str) -> None:
    shop.people(3)
    ref = sync(shop, destination)
    emails = shop.rows("select email from sync_people order by profile_id")
    shop.run(ref)
    assert members(sandbox, destination) == {sha256(email) for (email,) in emails}
    shop.run(ref)
    assert len(sandbox.taken(VENDORS[destination])) == 3  # nothing changed, nothing left
    shop.sql("delete from sync_people where profile_id = 'p_1'")
    shop.run(ref)
    assert members(sandbox, destination) == {sha256(emails[0][0]), sha256(emails[2][0])}


def test_a_member_that_the_vendor_cannot_use_costs_the_others_nothing(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(5)
    ref = sync(shop, "google")
    bad = shop.rows("select email from sync_people where profile_id = 'p_3'")[0][0]
    # The request is refused, then its half, and so on until the row stands alone.
    sandbox.fault("google_data_manager", "partial", match=sha256(bad), times=4)
    settled = shop.run(ref)
    assert (settled.outcomes["sent"], settled.outcomes["rejected"]) == (4, 1)
    assert sha256(bad) not in members(sandbox, "google")
    assert len(members(sandbox, "google")) == 4
