"""Alerts on the command line: what could not be told is said beside the result, never in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import ended

from tests.activation.engine.small_project import DESTINATIONS, NOON, SmallProject


@pytest.fixture
def shop(tmp_path: Path) -> SmallProject:
    shop = SmallProject(tmp_path / "shop")
    shop.people(3)
    shop.write("activation/destinations.yml", DESTINATIONS + "room: {connector: slack, base_url: http://127.0.0.1:1}\n")
    shop.write("activation/alerts.yml", "channels: [{destination: room}]\n")
    return shop


def test_a_run_that_fails_ends_as_it_would_and_says_who_could_not_be_told(shop: SmallProject) -> None:
    ref = shop.sync("files/people", guards={"max_total": 1})
    code, out, err = ended(shop.start("run", ref, "--json", now=NOON))
    assert (code, json.loads(out)) == (1, [])
    assert "`files/people is failing` could not be told to room: it cannot be reached (ConnectError)." in err
    assert "files/people: stopped before the first call." in err


def test_the_next_run_of_anything_tries_the_alert_again(shop: SmallProject) -> None:
    ended(shop.start("run", shop.sync("files/people", guards={"max_total": 1}), now=NOON))
    code, _, err = ended(shop.start("run", shop.sync("files/others"), now=NOON))
    assert code == 0
    assert "`files/people is failing` could not be told to room" in err
