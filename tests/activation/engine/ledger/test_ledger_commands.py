"""`sluice ledger` shows what waits for a person with personal data masked, and carries out what the person decides."""

from __future__ import annotations

import json
import re

import pytest
from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject
from typer.testing import CliRunner

from activation.cli import app
from activation.engine.errors import UsageError

CRM, SMS = "hubspot/people", "sms/short"


def sluice(shop: SmallProject, *arguments: str, fails: type[Exception] | None = None) -> str:
    result = CliRunner().invoke(app, ["--project", str(shop.project.root), "--as-of", NOON.isoformat(), *arguments])
    if fails is None:
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    else:
        assert isinstance(result.exception, fails)
        return str(result.exception)
    return result.output


@pytest.fixture
def waiting(shop: SmallProject, sandbox: RunningSandbox, quick: None) -> SmallProject:
    """One message held, and one record dead whose key is a mail address."""
    shop.people(3)
    shop.send(SMS)
    shop.sync(CRM, key="email", retry={"max_attempts": 1})
    sandbox.fault("aliyun_sms", "reset", match="13800000001", when="before")
    sandbox.fault("hubspot", "partial", match="u2@mail.example")
    shop.run(SMS)
    shop.run(CRM)
    return shop


def test_held_and_dead_rows_are_listed_with_personal_data_masked(waiting: SmallProject) -> None:
    for command in (["ledger"], ["ledger", "list"]):
        said = sluice(waiting, *command)
        assert re.search(r"sms/short +p_1 +held +0 h +1 +NO_ANSWER", said)
        assert re.search(r"hubspot/people +u\*\*\*@mail.example +dead +0 h +1 ", said)
        assert "u2@mail.example" not in said


def test_programs_get_the_keys_whole(waiting: SmallProject) -> None:
    found = json.loads(sluice(waiting, "ledger", "list", "--json"))
    assert {(letter["ref"], letter["key"], letter["state"]) for letter in found} == {(SMS, "p_1", "held"), (CRM, "u2@mail.example", "dead")}
    assert json.loads(sluice(waiting, "ledger", "list", CRM, "--state", "held", "--json")) == []


def test_a_decision_is_carried_out_and_said(waiting: SmallProject, sandbox: RunningSandbox) -> None:
    said = sluice(waiting, "ledger", "sent", SMS, "p_1", "--why", "they answered", "--by", "An Operator")
    assert said == "sms/short: 1 row taken as delivered.\n"
    assert waiting.rows("select key, decision, decided_by, why from activation.sync_decisions") == [
        ("p_1", "sent", "An Operator", "they answered")
    ]
    assert sluice(waiting, "ledger", "discard", CRM, "--all", "--why", "left us") == "hubspot/people: 1 row will not leave.\n"
    assert sluice(waiting, "ledger") == "Nothing is held, and nothing is dead.\n"
    assert "u***@mail.example" in sluice(waiting, "ledger", "list", "--state", "discarded")


def test_wrong_use_is_said(waiting: SmallProject) -> None:
    assert sluice(waiting, "ledger", "resend", SMS, "--why", "x", fails=UsageError) == "Name keys, or say --all."
    assert sluice(waiting, "ledger", "resend", SMS, "p_1", "--all", "--why", "x", fails=UsageError) == "Name keys, or say --all."
    assert sluice(waiting, "ledger", "list", "--state", "lost", fails=UsageError) == "--state is one of held, dead, discarded."
    assert "Missing option '--why'" in sluice(waiting, "ledger", "resend", SMS, "p_1")


def test_a_retry_sends_what_is_dead_too(waiting: SmallProject, sandbox: RunningSandbox) -> None:
    assert "rows are dead" not in sluice(waiting, "status")
    assert "hubspot/people: 1 row is dead" in sluice(waiting, "status")
    assert "1 row is left out" in sluice(waiting, "plan", CRM)
    waiting.run(CRM)  # nothing of it is planned, so it is not among what failed in the last run
    (result,) = json.loads(sluice(waiting, "retry", CRM, "--json"))
    assert waiting.outcomes(result["run_id"]) == {"u2@mail.example": ("sent", "CREATED")}


def test_a_held_message_is_released_by_retry(waiting: SmallProject) -> None:
    (result,) = json.loads(sluice(waiting, "retry", SMS, "--release-held", "p_1", "--json"))
    assert result["outcomes"]["sent"] == 1


def test_what_is_too_old_is_let_go_by_command(waiting: SmallProject) -> None:
    assert sluice(waiting, "ledger", "prune") == "Let go: 0 rows of the changelog, 0 files of plans, 0 runs in the ledger.\n"
    assert json.loads(sluice(waiting, "ledger", "prune", "--json")) == {"changelog": 0, "files": 0, "runs": 0}
