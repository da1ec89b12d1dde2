"""A person decides about what is held or dead, and the next plan obeys; who and why is written down."""

from __future__ import annotations

import pytest
from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

from activation.engine.dead_letters import letters
from activation.engine.decisions import Decision, decide
from activation.engine.errors import Held, UsageError
from activation.engine.warehouse import opened

CRM, SMS = "hubspot/people", "sms/short"


@pytest.fixture
def one_dead(shop: SmallProject, sandbox: RunningSandbox) -> SmallProject:
    """Two records, of which p_1's was refused once too often."""
    shop.people(2)
    shop.sync(CRM, retry={"max_attempts": 1})
    sandbox.fault("hubspot", "partial", match="u1@mail.example")
    shop.run(CRM)
    return shop


def say(shop: SmallProject, ref: str, decision: Decision, *keys: str, why: str = "asked them") -> list[str]:
    done = decide(shop.project, ref, keys or None, decision, "An Operator", why, NOON)
    return [letter.key for letter in done]


def left(shop: SmallProject, *states: str) -> list[tuple[str, str]]:
    with opened(shop.project) as connection:
        return [(letter.key, letter.state) for letter in letters(connection, None, states or ("held", "dead"))]


def message_state(shop: SmallProject) -> str:
    with shop.ledger() as ledger:
        return str(ledger.rows("select state from messages where profile_id = 'p_1'")[0]["state"])


def test_a_held_message_leaves_again_once_a_person_says_so(one_held: SmallProject, sandbox: RunningSandbox) -> None:
    assert say(one_held, SMS, "resend", "p_1") == ["p_1"]
    assert left(one_held) == []
    result = one_held.run(SMS)
    assert one_held.outcomes(result.run_id) == {"p_1": ("sent", "")}
    assert len(sandbox.taken("aliyun_sms")) == 2


def test_a_held_message_that_arrived_is_acknowledged(one_held: SmallProject) -> None:
    say(one_held, SMS, "sent", "p_1")
    assert one_held.state(SMS)["p_1"][0] == "acknowledged"
    assert message_state(one_held) == "sent"
    assert one_held.plan(SMS).planned == 0


def test_a_held_message_that_is_discarded_never_leaves_until_that_is_taken_back(one_held: SmallProject, sandbox: RunningSandbox) -> None:
    say(one_held, SMS, "discard", "p_1")
    assert (left(one_held), left(one_held, "discarded")) == ([], [("p_1", "discarded")])
    assert one_held.run(SMS).planned == 0
    say(one_held, SMS, "resend", "p_1")
    assert one_held.run(SMS).outcomes["sent"] == 1


def test_a_dead_row_is_planned_again_with_a_fresh_set_of_attempts(one_dead: SmallProject, sandbox: RunningSandbox) -> None:
    assert one_dead.plan(CRM).planned == 0
    say(one_dead, CRM, "resend", "p_1")
    assert one_dead.rows("select * from activation.sync_failures") == []
    result = one_dead.run(CRM)
    assert one_dead.outcomes(result.run_id) == {"p_1": ("sent", "CREATED")}


def test_a_dead_row_that_arrived_is_in_the_state_until_it_changes(one_dead: SmallProject) -> None:
    say(one_dead, CRM, "sent", "p_1")
    assert one_dead.state(CRM)["p_1"] == ("acknowledged", {"email": "u1@mail.example", "firstname": "Name1"})
    assert (one_dead.plan(CRM).planned, left(one_dead)) == (0, [])
    one_dead.sql("update sync_people set first_name = 'Other' where profile_id = 'p_1'")
    assert one_dead.planned(CRM) == [("change", "p_1", None)]


def test_a_removal_that_was_done_is_forgotten(shop: SmallProject, sandbox: RunningSandbox, quick: None) -> None:
    shop.people(2)
    shop.sync(CRM, mode="mirror", on_removed="archive", guards={"max_removed_pct": 100}, retry={"max_attempts": 1})
    shop.run(CRM)
    shop.sql("delete from sync_people where profile_id = 'p_1'")
    sandbox.fault("hubspot", "reset", times=4, match="archive", when="before")
    shop.run(CRM)
    assert left(shop) == [("p_1", "dead")]
    say(shop, CRM, "sent", "p_1")
    assert list(shop.state(CRM)) == ["p_0"]
    assert shop.plan(CRM).planned == 0


def test_a_dead_row_that_is_discarded_stays_away_even_when_it_changes(one_dead: SmallProject) -> None:
    say(one_dead, CRM, "discard", "p_1")
    one_dead.sql("update sync_people set first_name = 'Other' where profile_id = 'p_1'")
    assert (one_dead.plan(CRM).planned, one_dead.plan(CRM).dead, left(one_dead, "discarded")) == (0, 1, [("p_1", "discarded")])
    say(one_dead, CRM, "resend", "p_1")
    assert one_dead.plan(CRM).planned == 1


def test_everything_that_waits_is_decided_at_once(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(5)
    shop.sync(CRM, retry={"max_attempts": 1})
    for number in (1, 2, 3):
        sandbox.fault("hubspot", "partial", match=f"u{number}@mail.example")
    shop.run(CRM)
    say(shop, CRM, "discard", "p_3")
    assert sorted(say(shop, CRM, "resend")) == ["p_1", "p_2"]
    assert (shop.plan(CRM).planned, left(shop, "discarded")) == (2, [("p_3", "discarded")])


def test_who_decided_what_and_why_is_kept(one_held: SmallProject) -> None:
    say(one_held, SMS, "sent", "p_1", why="the person wrote back")
    columns = "ref, key, state, decision, decided_by, why, message_id like 'm_%'"
    assert one_held.rows(f"select {columns} from activation.sync_decisions") == [
        (SMS, "p_1", "held", "sent", "An Operator", "the person wrote back", True)
    ]


@pytest.mark.parametrize("key", ["p_0", "p_9"])
def test_a_key_that_does_not_wait_is_wrong_use_and_nothing_is_done(one_held: SmallProject, key: str) -> None:
    with pytest.raises(UsageError, match=f"holds no message with the key {key}, and no dead row"):
        say(one_held, SMS, "resend", "p_1", key)
    assert left(one_held) == [("p_1", "held")]
    assert one_held.rows("select * from activation.sync_decisions") == []


def test_no_decision_without_a_reason(one_held: SmallProject) -> None:
    with pytest.raises(UsageError, match="Say why"):
        say(one_held, SMS, "sent", "p_1", why=" ")


def test_nothing_is_decided_while_the_sync_runs(one_held: SmallProject) -> None:
    with one_held.ledger() as ledger:
        lease = ledger.acquire(SMS, "a run")
        with pytest.raises(Held):
            say(one_held, SMS, "resend", "p_1")
        ledger.release(lease)
    assert left(one_held) == [("p_1", "held")]
