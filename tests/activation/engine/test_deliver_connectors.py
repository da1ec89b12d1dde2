"""A connector's word is checked: too few outcomes, waits without end and crashes cost no row its one outcome."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar

import orjson
import pytest
from scripted_server import OK, serving
from small_project import SmallProject

from activation.engine.run import Runner
from activation.engine.settle import Settled
from connectors.base import Batch, Connector, Fatal, Interrupted, Object, Outcome, Refused, Unanswered

CRM, MAIL, SMS = "hubspot/people", "mail/hello", "sms/short"

pytestmark = pytest.mark.usefixtures("quick")


class Odd(Connector):
    """A connector written by somebody in a hurry. What it does is in the rows' names."""

    channel = "web"
    objects: ClassVar = {"rows": Object(batch_size=8, concurrency=2, per_second=1000)}
    calls: ClassVar[list[list[str]]] = []

    async def deliver(self, batch: Batch) -> list[Outcome]:
        names = [row.fields["firstname"] for row in batch.rows]
        self.calls.append(names)
        if "slow" in names:
            await asyncio.sleep(0.3)
        if "crash" in names:
            await asyncio.sleep(0.1)
            raise ZeroDivisionError
        if "short" in names:
            return []
        if "later" in names and len(self.calls) == 1:
            raise Unanswered("UNDERWAY", "What became of it is known later.", 0.0 if "soon" in names else 3600.0)
        if "nothing" in names:
            raise Interrupted("BROKEN_OFF", "It broke off before it began.", [])
        if "refused" in names:
            raise Refused("BAD", "Something in it is bad.")
        if "fatal" in names:
            raise Fatal("UNAUTHORIZED", "The key is gone.")
        return [Outcome("sent")] * len(names)


def odd_run(shop: SmallProject, names: list[str], batch_size: int | None, target: Object = Odd.objects["rows"]) -> Settled:
    shop.people(len(names))
    shop.sql(*(f"update sync_people set first_name = '{name}' where profile_id = 'p_{i}'" for i, name in enumerate(names)))
    shop.sync("partner/people")
    runner = Runner(shop.project, shop.declarations, shop.runner().now)
    activation = runner.declarations.find("partner/people")
    limits = activation.destination.limits.model_copy(update={"batch_size": batch_size})
    destination = replace(activation.destination, connector=Odd, written={}, limits=limits)
    Odd.calls.clear()
    return runner.run(replace(activation, destination=destination, object=target))


@pytest.mark.parametrize(("limit", "people", "calls"), [(None, 12, [12]), (None, 10, [8, 2]), (5, 12, [5, 5, 2])])
def test_many_rows_leave_in_larger_batches_where_the_vendor_takes_them_in_bulk(
    shop: SmallProject, limit: int | None, people: int, calls: list[int]
) -> None:
    result = odd_run(shop, [f"n{i}" for i in range(people)], limit, Object(batch_size=8, per_second=1000, bulk_above=10, bulk_size=20))
    assert result.outcomes["sent"] == people
    assert sorted(map(len, Odd.calls), reverse=True) == calls


def test_a_connector_that_gives_too_few_outcomes_is_not_believed(shop: SmallProject) -> None:
    result = odd_run(shop, ["short", "a", "b", "c", "d", "e"], 2)
    assert result.status == "stopped"
    assert result.outcomes["unknown"] >= 2
    assert shop.outcomes(result.run_id)["p_0"] == ("unknown", "BROKEN_CONNECTOR")
    shop.books(result.run_id)


@pytest.mark.parametrize(("names", "calls", "outcome"), [(["later", "soon"], 2, "sent"), (["later", "b"], 1, "unknown")])
def test_what_may_be_asked_for_again_waits_as_long_as_it_is_told_and_not_for_an_hour(
    shop: SmallProject, names: list[str], calls: int, outcome: str
) -> None:
    result = odd_run(shop, names, 2, replace(Odd.objects["rows"], idempotent=True))
    assert (len(Odd.calls), result.outcomes[outcome]) == (calls, 2)


def test_a_batch_that_broke_off_before_its_first_row_is_not_called_for_for_ever(shop: SmallProject) -> None:
    result = odd_run(shop, ["nothing", "a"], 2)
    assert len(Odd.calls) == 1
    assert shop.outcomes(result.run_id)["p_0"] == ("unknown", "BROKEN_CONNECTOR")


def test_when_a_connector_crashes_what_was_in_flight_beside_it_is_finished_and_written_down(shop: SmallProject) -> None:
    with pytest.raises(ZeroDivisionError):
        odd_run(shop, ["crash", "slow", "c", "d"], 1)
    with shop.ledger() as ledger:
        rows = ledger.rows("select outcome from lots order by batch")
    assert [row["outcome"] for row in rows][:2] == [None, "sent"]
    runner = shop.runner()
    (closed,) = runner.recover(runner.declarations.find("partner/people"))
    assert (closed.status, closed.outcomes["sent"], closed.outcomes["unknown"]) == ("interrupted", len(rows) - 1, 1)
    shop.books(closed.run_id)


def test_once_a_run_must_stop_a_batch_that_was_split_is_not_called_for_again(shop: SmallProject) -> None:
    result = odd_run(shop, ["fatal", "a", "b", "c", "d", "e", "f", "refused"], 8)
    assert [len(names) for names in Odd.calls] == [8, 4]
    assert (result.status, result.outcomes["skipped"]) == ("stopped", 8)


async def test_rows_that_did_not_leave_yet_do_not_leave_after_somebody_asks_to_stop(
    shop: SmallProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.people(40)
    ref = shop.sync()
    async with serving((200, {}, orjson.dumps({"results": []})), OK) as script:
        monkeypatch.setenv("SLUICE_SANDBOX_URL", script.address)
        runner = shop.runner()
        runner.stop.ask("STOPPED", "Somebody asked.")
        result = await asyncio.to_thread(runner.run, runner.declarations.find(ref))
    assert (result.status, result.outcomes["skipped"], script.times) == ("stopped", 40, [])
