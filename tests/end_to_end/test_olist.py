"""Real data: the Olist marketing funnel, where its folder is there (it is not shipped; its licence is CC BY-NC-SA)."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from activation.engine.project import REPOSITORY, Project
from activation.engine.warehouse import opened

FOLDER = Path(os.environ.get("OLIST", REPOSITORY.parent / "shared" / "data" / "olist"))

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the Olist data set is not on this machine")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    project = Project.create(tmp_path_factory.mktemp("olist") / "project")
    done = subprocess.run(
        [sys.executable, "-m", "activation.cli", "--project", str(project.root), "demo", "--olist", str(FOLDER)],
        capture_output=True,
        text=True,
        timeout=600,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return project, done.stdout


@pytest.fixture(scope="module")
def leads() -> list[dict[str, str]]:
    with (FOLDER / "marketing_qualified_leads.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def won() -> set[str]:
    with (FOLDER / "closed_deals.csv").open() as file:
        return {row["mql_id"] for row in csv.DictReader(file)}


def test_eight_thousand_leads_and_842_won_deals_come_through(shown: tuple[Project, str]) -> None:
    project, _ = shown
    with opened(project, read_only=True) as connection:
        funnel = connection.execute("select sum(leads), sum(won) from reports.rpt_funnel where origin_system = 'olist'").fetchone()
        stages = connection.execute("select lifecycle_stage, count(*) from identity.dim_profiles group by 1 order by 1").fetchall()
    assert funnel == (8000, 842)
    assert stages == [("customer", 842), ("lead", 7158)]


def test_the_funnel_counts_each_origin_as_the_files_do(shown: tuple[Project, str], leads: list[dict[str, str]], won: set[str]) -> None:
    project, _ = shown
    by_origin = Counter(lead["origin"] or "unknown" for lead in leads)
    won_by_origin = Counter(lead["origin"] or "unknown" for lead in leads if lead["mql_id"] in won)
    with opened(project, read_only=True) as connection:
        rows = connection.execute("select channel, leads, won from reports.rpt_funnel where origin_system = 'olist'").fetchall()
    assert {channel: (count, deals) for channel, count, deals in rows} == {
        origin: (count, won_by_origin[origin]) for origin, count in by_origin.items()
    }


def test_dates_of_both_kinds_are_read_as_they_were_meant(shown: tuple[Project, str], leads: list[dict[str, str]]) -> None:
    project, _ = shown
    expected = Counter(date(int(day[6:]), int(day[3:5]), int(day[:2])) for day in (lead["first_contact_date"] for lead in leads))
    with opened(project, read_only=True) as connection:
        found = connection.execute("select cast(first_contact_date as date), count(*) from staging.stg_olist__leads group by 1").fetchall()
    assert dict(found) == expected


def test_the_segment_holds_leads_of_paid_search_that_are_not_won(
    shown: tuple[Project, str], leads: list[dict[str, str]], won: set[str]
) -> None:
    project, _ = shown
    last = date(2018, 12, 1) - timedelta(days=90)
    expected = {
        lead["mql_id"]
        for lead in leads
        if lead["origin"] == "paid_search"
        and lead["mql_id"] not in won
        and date(*(int(part) for part in reversed(lead["first_contact_date"].split("-")))) <= last
    }
    with opened(project, read_only=True) as connection:
        found = connection.execute(
            "select p.olist_mql_id from segments.segment_olist_paid_search_not_won_90d join identity.dim_profiles p using (profile_id)"
        ).fetchall()
    assert {row[0] for row in found} == expected


def test_both_syncs_deliver_every_row_once_and_nothing_the_second_time(shown: tuple[Project, str]) -> None:
    project, _ = shown
    with opened(project, read_only=True) as connection:
        runs = connection.execute("select ref, list(sent order by started_at) from activation.sync_runs group by 1 order by 1").fetchall()
        listed = connection.execute("select count(*) from segments.segment_olist_paid_search_not_won_90d").fetchone() or (0,)
    assert runs == [("files/olist_email_list", [listed[0], 0]), ("hubspot/olist_contacts", [8000, 0])]
