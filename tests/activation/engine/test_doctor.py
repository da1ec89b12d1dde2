"""Everything that has to be right before a run is looked at, and nothing that is wrong ends the looking."""

from __future__ import annotations

import sqlite3

import pytest
from running_sandbox import RunningSandbox
from small_project import SmallProject

from activation.engine.doctor import Finding, examine
from activation.engine.ledger import Ledger
from activation.engine.ledger.store import VERSION

VARIABLES = ("SLUICE_SANDBOX_URL", "SLUICE_SANDBOX_SMTP", "CRM_TOKEN")


def findings(shop: SmallProject) -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine(shop.project)}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_with_the_sandbox_running_everything_is_right(shop: SmallProject, sandbox: RunningSandbox) -> None:
    found = findings(shop)
    assert {subject: finding.sentence for subject, finding in found.items() if not finding.ok} == {}
    assert found["Warehouse"].sentence.startswith(".sluice/warehouse.duckdb, ")
    assert found["Destination hubspot"].sentence.endswith("(the sandbox, or another service on this machine)")


def test_without_it_every_destination_on_this_machine_says_how_to_start_it(shop: SmallProject) -> None:
    found = findings(shop)
    wrong = {subject for subject, finding in found.items() if not finding.ok}
    assert wrong == {f"Destination {name}" for name in ("mail", "sms", "wechat", "hubspot", "partner")}
    for subject in wrong:
        assert found[subject].sentence.endswith("Start the sandbox with `sluice sandbox`.")


def test_a_missing_variable_is_named(shop: SmallProject) -> None:
    shop.write("activation/destinations.yml", "crm: {connector: hubspot, token: '${CRM_TOKEN}'}\n")
    finding = findings(shop)["Destination crm"]
    assert not finding.ok
    assert "needs the environment variable CRM_TOKEN (for `token`)" in finding.sentence


def test_faults_in_declarations_are_findings_and_the_destinations_are_looked_at_all_the_same(shop: SmallProject) -> None:
    shop.write("activation/sends/hello.yml", "destination: mial\n")
    found = examine(shop.project)
    wrong = [finding.sentence for finding in found if finding.subject == "Declarations"]
    assert len(wrong) == 4
    assert all(sentence.startswith("activation/sends/hello.yml:1: ") for sentence in wrong)
    assert "Destination files" in {finding.subject for finding in found}


@pytest.mark.parametrize("address", ["http://[::1", "nonsense", "http://127.0.0.1:1 /x", "http://exa mple", "http://:80"])
def test_an_address_from_a_variable_that_is_none_is_a_finding(shop: SmallProject, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SLUICE_SANDBOX_URL", address)
    finding = findings(shop)["Destination hubspot"]
    assert not finding.ok
    assert "destination `hubspot`: `base_url` " in finding.sentence


@pytest.mark.parametrize(
    ("file", "content", "subject", "sentence"),
    [
        ("warehouse.duckdb", b"not a warehouse" * 1000, "Warehouse", ".sluice/warehouse.duckdb is not a DuckDB file. Move it away, then land and build again."),
        ("ledger.db", b"not a ledger" * 1000, "Ledger", "ledger.db cannot be used as the ledger: file is not a database."),
        ("target/manifest.json", b"{", "Models", "manifest.json, which dbt writes, is damaged. Run `sluice build`, which writes it anew."),
    ],
)  # fmt: skip
def test_a_file_that_is_something_else_is_a_finding(shop: SmallProject, file: str, content: bytes, subject: str, sentence: str) -> None:
    for path in shop.project.state.glob(f"{file}*"):
        path.unlink()
    (shop.project.state / file).write_bytes(content)
    finding = findings(shop)[subject]
    assert not finding.ok
    assert finding.sentence.startswith(sentence)


def test_a_truncated_warehouse_is_a_finding(shop: SmallProject) -> None:
    data = shop.project.warehouse.read_bytes()
    shop.project.warehouse.write_bytes(data[: len(data) // 2])
    finding = findings(shop)["Warehouse"]
    assert not finding.ok
    assert finding.sentence.startswith(".sluice/warehouse.duckdb is damaged (")


def test_an_interrupted_run_and_a_newer_ledger_are_findings(shop: SmallProject) -> None:
    Ledger(shop.project.ledger).close()
    with sqlite3.connect(shop.project.ledger) as ledger:
        ledger.execute(
            "insert into runs (run_id, ref, kind, destination, channel, plan_hash, status, as_of, started_at) values "
            "('r', 'a/b', 'sync', 'a', 'crm', 'h', 'delivering', '', '')"
        )
    ledger.close()
    assert findings(shop)["Ledger"].sentence == "1 interrupted runs; the next run of each closes them"
    with sqlite3.connect(shop.project.ledger) as ledger:
        ledger.execute("pragma user_version = 99")
    ledger.close()
    finding = findings(shop)["Ledger"]
    assert (finding.ok, finding.sentence) == (
        False,
        f"ledger.db was written by a newer Sluice (ledger version 99, this one knows {VERSION}). Upgrade Sluice.",
    )
