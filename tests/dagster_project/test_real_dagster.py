"""Dagster as it is deployed: its web server and its daemon as processes, asked over GraphQL and looked at in a browser."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import asset_graph
import pytest
from running_dagster import RunningDagster, running
from running_sandbox import RunningSandbox, in_a_thread

from activation.engine.project import REPOSITORY, Project
from activation.engine.warehouse import opened
from activation.sample import write_sample
from dagster_project import inbox

AS_OF = "2026-10-05T02:00:00+00:00"  # ten in the morning in Shanghai: nobody has quiet hours
DEADLINE = 900.0
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class House:
    """A project with files in its inbox, the sandbox its destinations lead to, and Dagster over it."""

    project: Project
    sandbox: RunningSandbox
    dagster: RunningDagster

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with opened(self.project) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def house(parsed: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    project = Project(Path(shutil.copytree(parsed.root, tmp_path_factory.mktemp("house") / "project")))
    write_sample(100, 4, 1, inbox.folder(project), date(2026, 10, 1))
    with in_a_thread() as sandbox, running(project, SLUICE_AS_OF=AS_OF, **sandbox.environment) as dagster:
        yield House(project, sandbox, dagster)


@pytest.fixture(scope="module")
def looped(house: House) -> House:
    """The house after one run of everything, launched over the API while the sensor may land files, too."""
    run_id = house.dagster.launch("everything")
    assert house.dagster.wait(run_id, DEADLINE) == "SUCCESS", house.dagster.story(run_id)
    return house


def test_the_whole_loop_runs_and_what_is_in_the_books_has_arrived(looped: House) -> None:
    sent = dict(looped.rows("select ref, sent from activation.sync_runs"))
    assert set(looped.rows("select distinct status from activation.sync_runs")) <= {("succeeded",), ("failed_rows",)}
    assert sent["mail/monthly_letter"] == len(looped.sandbox.taken("smtp")) > 0
    assert sent["hubspot/contacts"] == len(looped.sandbox.contacts()) > 0
    assert set(looped.sandbox.message_ids("smtp").values()) == {1}


def test_files_in_the_inbox_land_by_themselves(looped: House) -> None:
    deadline = time.monotonic() + DEADLINE
    while "SUCCESS" not in [run["status"] for run in looped.dagster.runs() if run["pipelineName"] == "land"]:
        assert time.monotonic() < deadline, looped.dagster.runs()
        time.sleep(0.5)
    landed = [run for run in looped.dagster.runs() if run["pipelineName"] == "land"]
    assert all({"key": "dagster/sensor_name", "value": "newly_landed"} in run["tags"] for run in landed)


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of a real browser, with the graph top-down so that all of it fits. Scripts of the page must not fail."""
    if CHROMIUM is None:
        pytest.skip("There is no Chromium on this machine; install the package `chromium` to look at pages.")
    from playwright.sync_api import sync_playwright

    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 750})
        page.set_default_timeout(300_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(
            "localStorage.setItem('asset-graph-direction', '\"vertical\"'); localStorage.setItem('dagster-nav-collapsed', 'true')"
        )
        yield page
        browser.close()
    assert errors == []


def test_the_asset_graph_is_seen_in_a_browser(looped: House, page: Any, tmp_path: Path) -> None:
    groups = [line for line in asset_graph.FILE.read_text().splitlines() if line.startswith("[")]
    page.goto(f"{looped.dagster.url}/asset-groups")
    page.get_by_label("panel_show_right").last.click()  # the list of groups beside the graph
    page.wait_for_timeout(1500)  # its animation
    page.mouse.dblclick(150, 700)  # fits the graph to the window
    deadline = time.monotonic() + 300
    while (boxes := page.get_by_label("unfold_more").count()) != len(groups):
        assert time.monotonic() < deadline, f"{boxes} of {len(groups)} groups are shown"
        page.wait_for_timeout(500)
    picture = tmp_path / "dagster.png"
    page.screenshot(path=picture)
    if os.environ.get("SLUICE_SCREENSHOTS") == "1":
        shutil.copy(picture, REPOSITORY / "docs" / "dagster.png")


def test_a_sync_shows_its_counts_and_checks_in_a_browser(looped: House, page: Any) -> None:
    ((planned,),) = looped.rows("select planned from activation.sync_runs where ref = 'hubspot/contacts'")
    page.goto(f"{looped.dagster.url}/assets/hubspot/contacts")
    row = page.get_by_role("row").filter(has=page.get_by_text("planned", exact=True))
    row.get_by_text(str(planned), exact=True).wait_for()
    page.goto(f"{looped.dagster.url}/assets/hubspot/contacts?view=checks")
    for check in ("ledger_balances", "rejections", "volume"):
        page.get_by_text(check, exact=True).first.wait_for()
