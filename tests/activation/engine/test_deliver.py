"""Every row that is tried ends with one true outcome, whatever the destination does: it refuses, is silent, breaks, or goes away."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any, ClassVar

import orjson
import pytest
from running_sandbox import RunningSandbox
from scripted_server import CLOSE, OK, RESET, serving
from small_project import SmallProject

from activation.engine.history import status
from activation.engine.run import Runner
from activation.engine.settle import Settled
from connectors.base import Batch, Connector, Fatal, Interrupted, Object, Outcome, Refused, Unanswered

CRM, MAIL, SMS = "hubspot/people", "mail/hello", "sms/short"

pytestmark = pytest.mark.usefixtures("quick")


def held(shop: SmallProject) -> list[str]:
    return [row["key"] for row in status(shop.project, shop.declarations).held]


def end_pauses(shop: SmallProject) -> None:
    """As if every pause had run its time."""
    with shop.ledger() as ledger:
        for row in ledger.rows("select destination from circuits"):
            ledger.close_circuit(row["destination"])


# -- a batch breaks off -------------------------------------------------------------------------------------------------


def test_mails_that_a_broken_connection_left_behind_leave_in_the_same_run_each_once(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(6)
    ref = shop.send(MAIL)
    sandbox.fault("smtp", "rate_limit", match="u3@", times=2)  # on the kept connection, and on a new one
    assert shop.run(ref).outcomes["sent"] == 6
    assert len({kept["to"] for kept in sandbox.taken("smtp")}) == len(sandbox.taken("smtp")) == 6


def test_mails_behind_a_connection_that_stays_broken_are_skipped_and_leave_later(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(6)
    ref = shop.send(MAIL)
    sandbox.fault("smtp", "rate_limit", match="u3@", times=8)
    result = shop.run(ref)
    assert (result.status, result.outcomes["sent"], result.outcomes["skipped"], result.outcomes["rejected"]) == ("incomplete", 3, 3, 0)
    end_pauses(shop)
    assert shop.run(ref).outcomes["sent"] == 3
    assert len({kept["to"] for kept in sandbox.taken("smtp")}) == len(sandbox.taken("smtp")) == 6


# -- one row is bad -------------------------------------------------------------------------------------------------------


def test_a_batch_with_one_bad_row_is_split_until_the_row_stands_alone(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(16)
    ref = shop.send(SMS, object="batch_messages")
    sandbox.fault("aliyun_sms", "partial", match="13800000011", times=20)
    result = shop.run(ref)
    assert (result.outcomes["sent"], result.outcomes["rejected"]) == (15, 1)
    assert shop.outcomes(result.run_id)["p_11"] == ("rejected", "isv.MOBILE_NUMBER_ILLEGAL")
    assert len({kept["to"] for kept in sandbox.taken("aliyun_sms")}) == len(sandbox.taken("aliyun_sms")) == 15


def test_every_row_may_be_bad(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(5)
    ref = shop.send(SMS, object="batch_messages")
    sandbox.fault("aliyun_sms", "partial", times=50)
    assert shop.run(ref).outcomes["rejected"] == 5


def test_rows_that_the_answer_refuses_are_rejected_one_by_one(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(10)
    ref = shop.sync()
    sandbox.fault("hubspot", "partial", match="u3@mail.example", code="INVALID_EMAIL")
    result = shop.run(ref)
    assert shop.outcomes(result.run_id)["p_3"] == ("rejected", "INVALID_EMAIL")
    assert (result.status, result.outcomes["sent"]) == ("failed_rows", 9)


def test_a_refused_message_may_leave_in_a_later_run(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    ref = shop.send(SMS)
    sandbox.fault("aliyun_sms", "partial", match="13800000001")
    assert shop.run(ref).outcomes["rejected"] == 1
    assert shop.run(ref).outcomes["sent"] == 1
    assert set(sandbox.message_ids("aliyun_sms").values()) == {1}


# -- a template is bad ----------------------------------------------------------------------------------------------------


def test_a_message_that_cannot_be_made_makes_only_its_own_row_invalid(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(4)
    shop.sql("update dim_profiles set first_name = null where profile_id = 'p_2'")
    ref = shop.send(MAIL)
    result = shop.run(ref)
    assert shop.outcomes(result.run_id) == {
        "p_0": ("sent", ""),
        "p_1": ("sent", ""),
        "p_2": ("invalid", "TEMPLATE_ERROR"),
        "p_3": ("sent", ""),
    }
    assert result.operations["add"] == {"planned": 4, "attempted": 3, "succeeded": 3, "failed": 1}
    shop.sql("update dim_profiles set first_name = 'Mei'")
    assert shop.outcomes(shop.run(ref).run_id) == {"p_2": ("sent", "")}


def test_a_template_that_reaches_for_python_sends_nothing(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    shop.content("email: {subject: \"{{ ''.__class__ }}\", html: hello.html}\n")
    result = shop.run(shop.send(MAIL))
    assert (result.outcomes["invalid"], sandbox.taken("smtp")) == (3, [])
    assert held(shop) == []


# -- the destination is busy or broken ------------------------------------------------------------------------------------


def test_too_many_requests_waits_as_told_and_then_sends(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.sync()
    sandbox.fault("hubspot", "rate_limit", retry_after=1)
    before = time.monotonic()
    assert shop.run(ref).status == "succeeded"
    assert time.monotonic() - before >= 1.0
    assert len(sandbox.taken("hubspot")) == 3


@pytest.mark.parametrize("kind", ["server_error", "broken_json", "timeout", "reset"])
def test_a_record_is_sent_again_until_the_answer_comes(shop: SmallProject, sandbox: RunningSandbox, kind: str) -> None:
    shop.people(3)
    ref = shop.sync()
    sandbox.fault("hubspot", kind, times=2)
    assert shop.run(ref).status == "succeeded"
    assert sandbox.faults_left() == 0
    assert sorted(sandbox.contacts()) == ["u0@mail.example", "u1@mail.example", "u2@mail.example"]


@pytest.mark.parametrize("kind", ["timeout", "reset", "broken_json"])
def test_a_record_without_an_answer_is_unknown_and_leaves_again_with_the_next_run(
    shop: SmallProject, sandbox: RunningSandbox, kind: str
) -> None:
    shop.people(3)
    ref = shop.sync()
    sandbox.fault("hubspot", kind, times=4)
    first = shop.run(ref)
    assert (first.status, first.outcomes["unknown"]) == ("failed_rows", 3)
    assert {key: state for key, (state, _) in shop.state(ref).items()} == dict.fromkeys(("p_0", "p_1", "p_2"), "unconfirmed")
    second = shop.run(ref)
    assert (second.status, second.outcomes["sent"], held(shop)) == ("succeeded", 3, [])


@pytest.mark.parametrize(("kind", "arrives"), [("timeout", 1), ("broken_json", 1), ("reset", 1), ("reset before", 0)])
def test_a_text_message_without_an_answer_is_held_and_never_repeated(
    shop: SmallProject, sandbox: RunningSandbox, kind: str, arrives: int
) -> None:
    shop.people(1)
    ref = shop.send(SMS)
    sandbox.fault("aliyun_sms", kind.split()[0], **({"when": "before"} if "before" in kind else {}))
    assert shop.run(ref).outcomes["unknown"] == 1
    assert held(shop) == ["p_0"]
    for _ in range(2):
        assert shop.run(ref).planned == 0
    assert len(sandbox.taken("aliyun_sms")) == arrives


@pytest.mark.parametrize("kind", ["timeout", "reset"])
def test_a_mail_without_an_answer_is_held_and_never_repeated(shop: SmallProject, sandbox: RunningSandbox, kind: str) -> None:
    shop.people(1)
    shop.write(
        "activation/destinations.yml",
        'mail: {connector: smtp, base_url: "${SLUICE_SANDBOX_SMTP}", sender: a@b.example, timeout_seconds: 0.5}',
    )
    ref = shop.send(MAIL)
    sandbox.fault("smtp", kind)
    assert shop.run(ref).outcomes["unknown"] == 1
    assert shop.run(ref).planned == 0
    assert (held(shop), len(sandbox.taken("smtp"))) == (["p_0"], 1)


@pytest.mark.parametrize("kind", ["timeout", "reset", "broken_json"])
def test_a_message_that_its_vendor_drops_when_repeated_is_sent_again(shop: SmallProject, sandbox: RunningSandbox, kind: str) -> None:
    shop.people(1)
    ref = shop.send("wechat/hello")
    sandbox.fault("wechat_official", kind, match="touser")
    assert shop.run(ref).outcomes["unknown"] == 1
    assert held(shop) == []
    assert shop.run(ref).outcomes["sent"] == 1
    assert list(sandbox.message_ids("wechat_official").values()) == [1]


def test_a_message_whose_vendor_has_forgotten_it_by_now_is_held(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(1)
    ref = shop.send("wechat/hello")
    sandbox.fault("wechat_official", "timeout", match="touser")
    shop.run(ref)
    with shop.ledger() as ledger:
        ledger.execute("update messages set intended_at = intended_at - 600")
    result = shop.run(ref)
    assert shop.outcomes(result.run_id) == {"p_0": ("unknown", "HELD")}
    assert held(shop) == ["p_0"]
    assert shop.run(ref).planned == 0
    assert list(sandbox.message_ids("wechat_official").values()) == [1]


async def test_a_server_error_leaves_a_text_message_held_and_is_not_repeated(shop: SmallProject, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.people(1)
    ref = shop.send(SMS)
    async with serving((500, {}, b"")) as script:
        monkeypatch.setenv("SLUICE_SANDBOX_URL", script.address)
        result = await asyncio.to_thread(shop.run, ref)
    assert (result.outcomes["unknown"], len(script.times)) == (1, 1)


@pytest.mark.parametrize(
    "answer", [RESET, CLOSE, (200, {"content-encoding": "gzip"}, b"not gzip"), (200, {}, b""), (200, {}, b"[]"), (200, {}, b"\xff")]
)
async def test_an_answer_that_cannot_be_read_is_unknown(shop: SmallProject, monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    shop.people(1)
    ref = shop.send(SMS)
    async with serving(answer) as script:
        monkeypatch.setenv("SLUICE_SANDBOX_URL", script.address)
        result = await asyncio.to_thread(shop.run, ref)
    assert (result.outcomes["unknown"], len(script.times)) == (1, 1)
    shop.books(result.run_id)


# -- the destination is gone ----------------------------------------------------------------------------------------------


def test_a_destination_that_stays_away_is_paused_and_its_run_is_incomplete(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(30)
    ref = shop.sync()
    sandbox.fault("hubspot", "server_error", times=1000)
    result = shop.run(ref)
    assert (result.status, result.failed, result.outcomes["skipped"]) == ("incomplete", True, 30)
    shop.books(result.run_id)
    (circuit,) = status(shop.project, shop.declarations).circuits
    assert (circuit["destination"], circuit["code"]) == ("hubspot", "UNAVAILABLE")


def test_while_a_destination_is_paused_nobody_calls_it(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.sync()
    sandbox.fault("hubspot", "server_error", times=1000)
    shop.run(ref)
    sandbox.no_faults()
    result = shop.run(ref)
    assert (result.status, result.failed) == ("incomplete", True)
    assert set(shop.outcomes(result.run_id).values()) == {("skipped", "CIRCUIT_OPEN")}
    assert sandbox.taken("hubspot") == []


def test_after_the_pause_everything_that_was_skipped_leaves(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.send(SMS)
    sandbox.fault("aliyun_sms", "server_error", times=1000)  # a gateway's 503: surely not taken
    assert shop.run(ref).status == "incomplete"
    sandbox.no_faults()
    end_pauses(shop)
    assert shop.run(ref).outcomes["sent"] == 3
    assert set(sandbox.message_ids("aliyun_sms").values()) == {1}
    assert status(shop.project, shop.declarations).circuits == []


def test_one_destination_that_is_away_does_not_hold_up_another(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    refs = [shop.sync(CRM), shop.sync("partner/people"), shop.send(SMS)]
    sandbox.fault("hubspot", "server_error", times=1000)
    runner = shop.runner()
    results = [runner.run(runner.declarations.find(ref)) for ref in refs]
    assert [result.status for result in results] == ["incomplete", "succeeded", "succeeded"]


def test_wrong_credentials_of_one_destination_do_not_stop_another(
    shop: SmallProject, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.people(3)
    with_token(shop, monkeypatch, "wrong")
    refs = [shop.sync(CRM), shop.sync("partner/people")]
    runner = shop.runner()
    assert [runner.run(runner.declarations.find(ref)).status for ref in refs] == ["stopped", "succeeded"]


def test_a_pause_lasts_as_long_as_the_destination_asked_for(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(1)
    ref = shop.sync()
    sandbox.fault("hubspot", "rate_limit", retry_after=3600, times=1000)
    assert shop.run(ref).status == "incomplete"
    with shop.ledger() as ledger:
        circuit = ledger.circuit("hubspot")
    assert circuit is not None
    assert 3500 < circuit["open_until"] - time.time() < 3601


def test_a_destination_nobody_listens_at_is_paused(shop: SmallProject) -> None:
    shop.people(2)
    refs = [shop.sync(), shop.send(SMS), shop.send(MAIL)]
    for ref in refs:  # the declared addresses are of a port where nobody is
        result = shop.run(ref)
        assert (result.status, result.outcomes["skipped"]) == ("incomplete", 2)
        assert {code for _, code in shop.outcomes(result.run_id).values()} == {"UNREACHABLE"}
    assert held(shop) == []


def test_a_destination_that_answers_nothing_for_many_calls_is_paused(shop: SmallProject, sandbox: RunningSandbox) -> None:
    """Else every message of a long run would end up held."""
    shop.people(200)
    ref = shop.send(SMS)
    sandbox.fault("aliyun_sms", "reset", times=1000, when="before")
    result = shop.run(ref)
    assert result.status == "incomplete"
    assert 5 <= result.outcomes["unknown"] <= 5 + 16  # what was in flight
    assert result.outcomes["skipped"] == 200 - result.outcomes["unknown"]
    assert sandbox.taken("aliyun_sms") == []


# -- a person has to act --------------------------------------------------------------------------------------------------


def with_token(shop: SmallProject, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", token)
    shop.write(
        "activation/destinations.yml",
        'hubspot: {connector: hubspot, base_url: "${SLUICE_SANDBOX_URL}", token: "${HUBSPOT_TOKEN}", limits: {batch_size: 10, per_second: 1000}}\n'
        'partner: {connector: webhook, base_url: "${SLUICE_SANDBOX_URL}"}\n',
    )


def test_wrong_credentials_stop_the_run_and_the_rest_leaves_when_they_are_right(
    shop: SmallProject, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.people(100)
    with_token(shop, monkeypatch, "wrong")
    ref = shop.sync()
    result = shop.run(ref)
    assert (result.status, result.failed, result.outcomes["skipped"]) == ("stopped", True, 100)
    assert result.reasons == [("skipped", "UNAUTHORIZED", "HubSpot answered 401: check the credentials of this destination.", 100)]
    monkeypatch.delenv("HUBSPOT_TOKEN")
    assert shop.run(ref).outcomes["sent"] == 100


# -- the connector is broken ----------------------------------------------------------------------------------------------


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
