"""Messages that wait for their turn: they are claimed when it has come, so that whoever dies or stops before leaves no doubt about them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked_processes import Mother
from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

MAIL, SMS, BATCHED = "mail/hello", "sms/short", "mailgun/hello"
VENDORS = {MAIL: "smtp", SMS: "aliyun_sms", BATCHED: "mailgun"}
DESTINATIONS = """
mail: {connector: smtp, base_url: "${SLUICE_SANDBOX_SMTP}", sender: a@sluice.example, limits: LIMITS}
sms: {connector: aliyun_sms, base_url: "${SLUICE_SANDBOX_URL}", limits: LIMITS}
mailgun: {connector: mailgun, base_url: "${SLUICE_SANDBOX_URL}", domain: sluice.example, sender: a@sluice.example, limits: LIMITS}
"""
PEOPLE = 12


@pytest.fixture(scope="module")
def mother() -> Iterator[Mother]:
    with Mother() as mother:
        yield mother


def limits(shop: SmallProject, per_second: float, batch_size: int = 1, concurrency: int = 4) -> None:
    written = f"{{per_second: {per_second}, concurrency: {concurrency}, batch_size: {batch_size}}}"
    shop.write("activation/destinations.yml", DESTINATIONS.replace("LIMITS", written))


def waits(shop: SmallProject) -> bool:
    """Whether somebody has taken a turn that is still to come."""
    with shop.ledger() as ledger:
        return any(row["tokens"] < 0 for row in ledger.rows("select tokens from buckets"))


@pytest.mark.parametrize(("ref", "batch_size", "leave"), [(MAIL, 1, 1), (MAIL, 3, 0), (SMS, 1, 1), (BATCHED, 3, 3)])
def test_who_dies_waiting_for_a_turn_holds_nobody(
    shop: SmallProject, sandbox: RunningSandbox, mother: Mother, tmp_path: Path, ref: str, batch_size: int, leave: int
) -> None:
    """One call may leave at once, the next in a hundred seconds; a mail by SMTP counts as one call, so that three of them have to wait."""
    limits(shop, 0.01, batch_size)
    if ref == BATCHED:
        shop.content("email: {template: autumn, params: {name: '{{ first_name }}', out: '{{ unsubscribe_url }}'}}\n")
    shop.send(ref, **({"object": "batch_messages"} if ref == BATCHED else {}))
    shop.people(PEOPLE)

    def sluice() -> object:
        arguments = ["--project", str(shop.project.root), "--as-of", NOON.isoformat(), "run", ref]
        return mother.start("activation.cli:main", *arguments, log=tmp_path / "said", **sandbox.environment)

    def answered() -> int:
        with shop.ledger() as ledger:
            return len(ledger.rows("select * from deliveries where outcome = 'sent'"))

    process = sluice()
    while not (waits(shop) and answered() == leave):
        assert process.lives, process.log.read_text()
        time.sleep(0.02)
    process.kill()
    with shop.ledger() as ledger:
        assert [row["state"] for row in ledger.rows("select state from messages")] == ["sent"] * leave

    limits(shop, 1000, batch_size)
    settled = shop.run(ref)
    assert settled.outcomes["sent"] == PEOPLE - leave
    assert shop.held() == []
    assert list(sandbox.message_ids(VENDORS[ref]).values()) == [1] * PEOPLE


def test_who_waits_when_everything_is_to_stop_gets_nothing_and_was_never_tried(shop: SmallProject, sandbox: RunningSandbox) -> None:
    limits(shop, 0.25, concurrency=1)
    shop.send(MAIL)
    shop.people(PEOPLE)
    runner = shop.runner()

    def stop() -> None:
        while not waits(shop):
            time.sleep(0.02)
        runner.stop.ask("STOPPED", "Enough.")

    stopper = threading.Thread(target=stop)
    stopper.start()
    settled = runner.run(runner.declarations.find(MAIL))
    stopper.join()
    assert (settled.status, len(sandbox.taken("smtp"))) == ("stopped", 1)
    assert shop.books(settled.run_id)["skipped"] == PEOPLE - 1
    with shop.ledger() as ledger:
        assert [row["state"] for row in ledger.rows("select state from messages")] == ["sent"]
