"""The ledger in PostgreSQL: by address, in a schema of its own; its troubles are sentences without the password; a whole run goes through it."""

from __future__ import annotations

import socket
from pathlib import Path

import psycopg
import pytest
from running_postgres import PASSWORD
from running_sandbox import RunningSandbox
from small_project import SmallProject

from activation.engine.errors import LedgerBroken, SluiceError, UsageError
from activation.engine.history import status
from activation.engine.ledger import Intent, Ledger, open_ledger
from activation.engine.ledger.store import VERSION, step
from activation.engine.project import Project

CRM, MAIL = "hubspot/people", "mail/hello"


def test_the_address_of_a_database_makes_it_the_ledger(project: Project, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LEDGER_URL", postgres)
    with open_ledger(project) as ledger, ledger.again() as other:
        other.open_circuit("mail", 60, "UNREACHABLE", "It cannot be reached.")
        assert ledger.circuit("mail") is not None
    assert not project.ledger.exists()


def test_every_commit_is_on_the_servers_disk(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("alter role sluice set synchronous_commit = off")
    try:
        with Ledger(postgres) as ledger:
            assert ledger.rows("show synchronous_commit")[0][0] == "on"
    finally:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("alter role sluice reset synchronous_commit")


@pytest.mark.parametrize("address", ["mysql://u:open-sesame@h/d", "open-sesame", "host=h password=open-sesame"])
def test_what_is_no_address_of_postgres_is_wrong_use(project: Project, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SLUICE_LEDGER_URL", address)
    with pytest.raises(UsageError, match=r"SLUICE_LEDGER_URL is no address .* Write it like postgresql://") as refused:
        open_ledger(project)
    assert PASSWORD not in str(refused.value)


def test_trouble_with_the_server_is_a_sentence_without_the_password(postgres: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = taken.getsockname()[1]
        here = postgres.split("@")[1]
        said = {}
        for name, url in {
            "nobody there": f"postgresql://sluice:{PASSWORD}@127.0.0.1:{nobody}/postgres",
            "another password": f"postgresql://sluice:x{PASSWORD}@{here}",
            "no such database": f"postgresql://sluice:{PASSWORD}@{here.replace('/postgres', '/elsewhere')}",
            "a password that breaks the address": f"postgresql://sluice:a/{PASSWORD}@h@{here}",
        }.items():
            with pytest.raises(LedgerBroken) as broken:
                Ledger(url)
            said[name] = str(broken.value)
            assert broken.value.__cause__ is None
            assert PASSWORD not in said[name]
    assert said["nobody there"] == (
        f"The ledger at 127.0.0.1:{nobody}/postgres cannot be opened: nobody answers there. SLUICE_LEDGER_URL says where it is."
    )
    assert 'password authentication failed for user "sluice"' in said["another password"]
    assert 'database "elsewhere" does not exist' in said["no such database"]


def test_a_connection_that_broke_is_told_and_made_again(postgres: str) -> None:
    with Ledger(postgres) as ledger:
        (mine,) = ledger.rows("select pg_backend_pid()")[0]
        with psycopg.connect(postgres, autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", (mine,))
        with pytest.raises(LedgerBroken, match=r"^The ledger at 127.0.0.1:\d+/postgres failed: "):
            ledger.acquire("mail/hello", "r1")
        assert ledger.acquire("mail/hello", "r1").token == 1


def test_a_ledger_of_a_newer_version_is_left_alone_and_an_older_one_carried_over(postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("create schema sluice")
        connection.execute("set search_path = sluice")
        connection.execute("create table version (version bigint not null)")
        connection.execute("insert into version values (1)")
        for statement in step("postgres", 1):
            connection.execute(statement.encode())
        connection.execute("insert into messages values ('m_1', 'mail/hello', 'p_1', 'email', 'newsletter', 'run-1', 'sent', 1.5, '')")
    with Ledger(postgres) as ledger:
        assert [dict(row) for row in ledger.rows("select message_id, state from messages")] == [{"message_id": "m_1", "state": "sent"}]
        assert ledger.lots("run-1") == []
        ledger.execute("update version set version = 99")
        with pytest.raises(SluiceError, match=rf"newer Sluice \(ledger version 99, this one knows {VERSION}\)"):
            ledger.again()


def test_a_sync_and_a_send_go_through_it_and_nobody_gets_a_message_twice(
    shop: SmallProject, sandbox: RunningSandbox, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_LEDGER_URL", postgres)
    shop.people(5)
    shop.sync(CRM)
    shop.send(MAIL)
    sandbox.fault("hubspot", "partial", match="u1@mail.example")
    synced, sent = shop.run(CRM), shop.run(MAIL)
    assert (synced.outcomes["sent"], synced.outcomes["rejected"], sent.outcomes["sent"]) == (4, 1, 5)
    assert shop.books(synced.run_id)["rejected"] == 1
    # As if the warehouse had been lost: the ledger knows who had the message.
    shop.sql("delete from activation.sync_snapshot", "delete from activation.sync_changelog", "delete from activation.sync_runs")
    repeated = shop.run(MAIL)
    assert set(shop.outcomes(repeated.run_id).values()) == {("skipped", "ALREADY_SENT")}
    assert len(sandbox.taken("smtp")) == 5
    assert status(shop.project, shop.declarations).interrupted == []
    assert not shop.project.ledger.exists()


def test_a_run_that_died_is_closed_by_the_next_one(
    shop: SmallProject, sandbox: RunningSandbox, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_LEDGER_URL", postgres)
    shop.people(2)
    shop.send(MAIL)
    first = shop.run(MAIL)
    with open_ledger(shop.project) as ledger:  # as if it had died between the second request and its answer
        ledger.execute("update runs set status = 'delivering', result = 'running', finished_at = null")
        ledger.execute("update deliveries set outcome = null, code = null, reason = null, answered_at = null where row_number = 1")
        ledger.execute("update messages set state = 'intended' where profile_id = 'p_1'")
    for table in ("sync_runs", "sync_changelog", "sync_snapshot"):
        shop.sql(f"delete from activation.{table}")
    assert shop.run(MAIL).planned == 0
    assert shop.outcomes(first.run_id) == {"p_0": ("sent", ""), "p_1": ("unknown", "INTERRUPTED")}


def test_a_file_named_like_an_address_is_still_a_file(tmp_path: Path) -> None:
    with Ledger(tmp_path / "postgresql.db") as ledger:
        lease = ledger.acquire("a/b", "r")
        assert ledger.intend(lease, {"run_id": "r"}, [Intent(0, 0)]) == {}
