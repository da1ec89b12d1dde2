"""Every row that is tried ends with one true outcome, whatever the destination does: it refuses, is silent, breaks, or goes away."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from running_sandbox import RunningSandbox
from scripted_server import CLOSE, RESET, serving
from small_project import SmallProject

CRM, MAIL, SMS = "hubspot/people", "mail/hello", "sms/short"

pytestmark = pytest.mark.usefixtures("quick")


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
    shop.end_pauses()
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
    assert shop.held() == []


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
    assert (second.status, second.outcomes["sent"], shop.held()) == ("succeeded", 3, [])


@pytest.mark.parametrize(("kind", "arrives"), [("timeout", 1), ("broken_json", 1), ("reset", 1), ("reset before", 0)])
def test_a_text_message_without_an_answer_is_held_and_never_repeated(
    shop: SmallProject, sandbox: RunningSandbox, kind: str, arrives: int
) -> None:
    shop.people(1)
    ref = shop.send(SMS)
    sandbox.fault("aliyun_sms", kind.split()[0], **({"when": "before"} if "before" in kind else {}))
    assert shop.run(ref).outcomes["unknown"] == 1
    assert shop.held() == ["p_0"]
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
    assert (shop.held(), len(sandbox.taken("smtp"))) == (["p_0"], 1)


@pytest.mark.parametrize("kind", ["timeout", "reset", "broken_json"])
def test_a_message_that_its_vendor_drops_when_repeated_is_sent_again(shop: SmallProject, sandbox: RunningSandbox, kind: str) -> None:
    shop.people(1)
    ref = shop.send("wechat/hello")
    sandbox.fault("wechat_official", kind, match="touser")
    assert shop.run(ref).outcomes["unknown"] == 1
    assert shop.held() == []
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
    assert shop.held() == ["p_0"]
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
