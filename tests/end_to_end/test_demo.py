"""The whole loop, run as a person runs it: in a project of its own, as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from activation.engine.project import Project
from activation.engine.warehouse import opened


def sluice(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "activation.cli", "--project", str(project.root), *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """The demo, small, run twice: what is looked at is the second."""
    project = Project.create(tmp_path_factory.mktemp("demo") / "project")
    first = sluice(project, "demo", "--people", "300", "--days", "4")
    assert first.returncode == 0, first.stdout + first.stderr
    second = sluice(project, "demo", "--people", "300", "--days", "4")
    assert second.returncode == 0, second.stdout + second.stderr
    return project, second.stdout


def test_the_demo_runs_twice_and_says_what_happened_and_where_to_look_next(shown: tuple[Project, str]) -> None:
    _, text = shown
    for words in (
        "Landed in the warehouse",
        "Built ",
        "profiles, unified from",
        "segment_hot_leads",
        "Round 2",
        "Receipts come back",
        "sluice explain ",
        "make dev",
    ):
        assert words in text


def test_the_books_of_every_run_of_the_demo_balance(shown: tuple[Project, str]) -> None:
    project, _ = shown
    with opened(project, read_only=True) as connection:
        runs = connection.execute(
            "select ref, planned, sent + rejected + withheld + unknown + skipped + invalid from activation.sync_runs"
        ).fetchall()
        planned, recorded = connection.execute(
            "select (select sum(planned) from activation.sync_runs), (select count(*) from activation.sync_changelog)"
        ).fetchone() or (0, 1)
    assert len(runs) == 18
    assert all(planned == total for _, planned, total in runs)
    assert planned == recorded > 0


def test_nobody_got_a_message_twice_over_both_rounds(shown: tuple[Project, str]) -> None:
    project, _ = shown
    kept = [json.loads(line) for line in (project.sandbox / "received.jsonl").read_text().splitlines()]
    messages = Counter((k["vendor"], k["to"]) for k in kept if k["vendor"] in {"smtp", "aliyun_sms"})
    assert messages
    assert max(messages.values()) == 1


def test_receipts_land_and_reach_the_report_a_bi_tool_reads(shown: tuple[Project, str]) -> None:
    project, _ = shown
    with opened(project, read_only=True) as connection:
        delivered = connection.execute("select sum(delivered) from reports.rpt_send_tasks").fetchone() or (0,)
    assert delivered[0] > 0


def test_the_second_round_sends_only_what_changed(shown: tuple[Project, str]) -> None:
    project, _ = shown
    with opened(project, read_only=True) as connection:
        rows = connection.execute(
            "select ref, list(sent order by as_of), list(add_planned order by as_of) from activation.sync_runs group by ref order by ref"
        ).fetchall()
    contacts = {ref: sent for ref, sent, _ in rows}["hubspot/contacts"]
    assert 0 < contacts[1] < contacts[0] / 2


def test_the_person_the_demo_names_can_be_explained(shown: tuple[Project, str]) -> None:
    project, text = shown
    identifier = text.split("sluice explain ", 1)[1].split()[0]
    told = sluice(project, "explain", identifier, "--json")
    assert told.returncode == 0, told.stderr
    sections = json.loads(told.stdout)["sections"]
    assert sections["identifiers"]
    assert sections["sent and withheld"]
    assert any(segment["reason"] for segment in sections["segments"])


def test_the_demo_does_not_replace_a_warehouse_it_did_not_make(project: Project, tmp_path: Path) -> None:
    (project.state / "warehouse.duckdb").write_bytes(b"somebody's work")
    refused = sluice(project, "demo")
    assert refused.returncode == 2
    assert "will not replace it" in refused.stderr
    assert (project.state / "warehouse.duckdb").read_bytes() == b"somebody's work"
