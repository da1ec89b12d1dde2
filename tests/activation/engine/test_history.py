"""What runs left behind: the last of each, what is held or paused, what failed; and how a held message is let go."""

from __future__ import annotations

import os
from datetime import timedelta

from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

from activation.engine.history import failed_keys, status

CRM, SMS, MAIL = "hubspot/people", "sms/short", "mail/hello"


def test_the_last_run_of_everything_declared_is_shown_and_none_where_there_was_none(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(1)
    shop.sync(CRM)
    shop.send(MAIL)
    shop.run(CRM)
    last = shop.run(CRM, now=NOON + timedelta(hours=1))
    runs = status(shop.project, shop.declarations).runs
    assert list(runs) == [CRM, MAIL]
    assert runs[MAIL] is None
    assert runs[CRM] is not None
    assert (runs[CRM]["run_id"], runs[CRM]["status"], runs[CRM]["planned"]) == (last.run_id, "succeeded", 0)


def test_a_project_that_never_ran_has_a_status(shop: SmallProject) -> None:
    shop.sync(CRM)
    found = status(shop.project, shop.declarations)
    assert (found.runs, found.held, found.circuits, found.interrupted, found.quarantined) == ({CRM: None}, [], [], [], {})


def test_held_messages_are_listed(one_held: SmallProject) -> None:
    (held,) = status(one_held.project, one_held.declarations).held
    assert (held["ref"], held["key"]) == (SMS, "p_1")


def test_a_run_that_was_interrupted_is_listed_until_it_is_closed(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(1)
    run_id = shop.run(shop.sync()).run_id
    with shop.ledger() as ledger:
        ledger.execute("update runs set status = 'delivering'")
    (interrupted,) = status(shop.project, shop.declarations).interrupted
    assert (interrupted["run_id"], interrupted["status"]) == (run_id, "delivering")
    shop.run(CRM)
    assert status(shop.project, shop.declarations).interrupted == []


def test_failed_rows_are_those_of_the_last_run(shop: SmallProject, sandbox: RunningSandbox, quick: None) -> None:
    shop.people(4)
    shop.sync()
    assert failed_keys(shop.project, CRM) == []
    sandbox.fault("hubspot", "partial", match="u1@mail.example")
    sandbox.fault("hubspot", "partial", match="u2@mail.example")
    shop.fill("suppressions", [("p_3", "crm", "do_not_contact", "all")])
    shop.run(CRM)
    assert failed_keys(shop.project, CRM) == ["p_1", "p_2"]
    shop.run(CRM)
    assert failed_keys(shop.project, CRM) == []


def test_a_retry_sends_what_failed_and_nothing_else(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(4)
    shop.sync()
    sandbox.fault("hubspot", "partial", match="u1@mail.example")
    shop.run(CRM)
    shop.sql("update sync_people set first_name = 'x'")
    result = shop.run(CRM, only_keys=failed_keys(shop.project, CRM))
    assert shop.outcomes(result.run_id) == {"p_1": ("sent", "CREATED")}
    assert sandbox.contacts()["u1@mail.example"]["firstname"] == "x"
    assert shop.plan(CRM).counts["change"] == 3


def test_a_removal_that_failed_can_be_retried(shop: SmallProject, sandbox: RunningSandbox, quick: None) -> None:
    shop.people(10)
    shop.sync(mode="mirror", on_removed="archive")
    shop.run(CRM)
    shop.sql("delete from sync_people where profile_id = 'p_1'")
    sandbox.fault("hubspot", "reset", times=4, match="archive", when="before")
    assert shop.run(CRM).outcomes["unknown"] == 1
    assert failed_keys(shop.project, CRM) == ["p_1"]
    assert shop.run(CRM, only_keys=["p_1"]).operations["remove"]["succeeded"] == 1
    assert "u1@mail.example" not in sandbox.contacts()


def test_a_receipt_settles_a_held_message(one_held: SmallProject) -> None:
    (message_id,) = one_held.rows("select message_id from activation.sync_changelog where key = 'p_1'")[0]
    one_held.fill("fct_message_events", [(message_id,)])
    assert one_held.run(SMS).planned == 0
    assert status(one_held.project, one_held.declarations).held == []
    with one_held.ledger() as ledger:
        assert [row["state"] for row in ledger.rows("select state from messages")] == ["sent", "sent"]


def test_a_receipt_of_another_message_settles_nothing(one_held: SmallProject) -> None:
    one_held.fill("fct_message_events", [("m_another",), (None,)])
    one_held.run(SMS)
    assert len(status(one_held.project, one_held.declarations).held) == 1


def test_paused_destinations_are_listed_with_their_reason(shop: SmallProject) -> None:
    with shop.ledger() as ledger:
        ledger.open_circuit("hubspot", 60, "UNAVAILABLE", "HubSpot answered 503.")
    (circuit,) = status(shop.project, shop.declarations).circuits
    assert (circuit["destination"], circuit["reason"]) == ("hubspot", "HubSpot answered 503.")


def test_who_is_at_work_is_listed(shop: SmallProject) -> None:
    shop.sync(CRM)
    with shop.ledger() as ledger:
        lease = ledger.acquire(CRM, "run")
        (row,) = status(shop.project, shop.declarations).leases
        assert (row["ref"], row["process"].rsplit(":", 1)[1]) == (CRM, str(os.getpid()))
        ledger.release(lease)
    assert status(shop.project, shop.declarations).leases == []


def test_dead_rows_are_counted(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    shop.sync(CRM, retry={"max_attempts": 1})
    sandbox.fault("hubspot", "partial", match="u1@mail.example")
    shop.run(CRM)
    assert status(shop.project, shop.declarations).dead == {CRM: 1}
