"""What was tried and what came of it: a message is claimed once, an intent without an outcome is unknown, nothing is written without the lease."""

from __future__ import annotations

import sqlite3

import pytest

from activation.engine.errors import LedgerBroken
from activation.engine.ledger import Intent, Lease, Ledger, LotIntent, LotRecorded, Recorded

REF = "mail/hello"
MOMENT = "2026-11-20T04:00:00+00:00"


def begin(ledger: Ledger, run_id: str = "run-1", ref: str = REF) -> tuple[Lease, dict[str, str]]:
    lease = ledger.acquire(ref, run_id)
    run = {"run_id": run_id, "ref": ref, "kind": "send", "destination": "mail", "channel": "email", "plan_hash": "h"}
    ledger.begin_run(lease, run | {"as_of": MOMENT, "started_at": MOMENT})
    return lease, run | {"purpose": "newsletter", "as_of": MOMENT}


def again(ledger: Ledger, lease: Lease, run_id: str) -> tuple[Lease, dict[str, str]]:
    """The next run, as a run begins: what the one before left open is closed."""
    ledger.release(lease)
    lease = ledger.acquire(REF, run_id)
    for row in ledger.unsettled(REF):
        ledger.close_interrupted(lease, row["run_id"])
        ledger.end_run(lease, row["run_id"])
    ledger.release(lease)
    return begin(ledger, run_id)


def outcomes(ledger: Ledger, run_id: str = "run-1") -> dict[int, tuple[str | None, str | None]]:
    rows = ledger.rows("select row_number, outcome, code from deliveries where run_id = ?", (run_id,))
    return {row["row_number"]: (row["outcome"], row["code"]) for row in rows}


def state(ledger: Ledger, message_id: str = "m_1") -> str:
    return str(ledger.rows("select state from messages where message_id = ?", (message_id,))[0]["state"])


def record(outcome: str, code: str = "", message_id: str | None = "m_1", row: int = 0) -> Recorded:
    return Recorded(row, outcome, code, "", None, message_id)


# -- messages are claimed once --------------------------------------------------------------------------------------------


def test_a_message_that_was_sent_is_not_sent_by_a_later_run(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    assert ledger.intend(lease, run, [Intent(0, 0, "m_1")]) == {}
    ledger.record(lease, "run-1", [record("sent")])
    lease, run = again(ledger, lease, "run-2")
    refused = ledger.intend(lease, run, [Intent(5, 0, "m_1"), Intent(6, 0, "m_2")])
    assert {row: (r.outcome, r.code) for row, r in refused.items()} == {5: ("skipped", "ALREADY_SENT")}
    assert outcomes(ledger, "run-2") == {5: ("skipped", "ALREADY_SENT"), 6: (None, None)}
    assert state(ledger) == "sent"


def test_a_message_without_an_answer_is_held(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1")])
    ledger.record(lease, "run-1", [record("unknown", "NO_ANSWER")])
    lease, run = again(ledger, lease, "run-2")
    assert ledger.intend(lease, run, [Intent(0, 0, "m_1")])[0].code == "HELD"
    assert outcomes(ledger, "run-2") == {0: ("unknown", "HELD")}
    assert state(ledger) == "unknown"


def test_a_message_whose_run_died_is_held(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1")])
    lease, run = again(ledger, lease, "run-2")
    assert outcomes(ledger, "run-1") == {0: ("unknown", "INTERRUPTED")}
    assert ledger.intend(lease, run, [Intent(0, 0, "m_1")])[0].code == "HELD"


@pytest.mark.parametrize(("outcome", "code"), [("rejected", "SMTP_550"), ("skipped", "UNREACHABLE")])
def test_a_message_that_surely_did_not_leave_may_leave_later(ledger: Ledger, outcome: str, code: str) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1")])
    ledger.record(lease, "run-1", [record(outcome, code)])
    lease, run = again(ledger, lease, "run-2")
    assert ledger.intend(lease, run, [Intent(0, 0, "m_1")]) == {}
    assert state(ledger) == "intended"


def test_the_outcome_of_a_held_message_does_not_make_it_free(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1")])
    for number in range(2, 5):
        lease, run = again(ledger, lease, f"run-{number}")
        refused = ledger.intend(lease, run, [Intent(0, 0, "m_1")])
        ledger.record(lease, run["run_id"], refused.values())
        assert state(ledger) == "unknown"


def test_a_vendor_that_drops_repeats_gets_the_message_again_within_its_window(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1", resend_within=600)])
    lease, run = again(ledger, lease, "run-2")
    assert ledger.intend(lease, run, [Intent(0, 0, "m_1", resend_within=600)]) == {}


def pass_time(ledger: Ledger, seconds: int) -> None:
    ledger.execute("update messages set intended_at = intended_at - ?", (seconds,))


def test_the_window_for_repeats_runs_from_the_first_intent(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1", resend_within=600)])
    refused = []
    for number in range(2, 5):
        pass_time(ledger, 200)
        lease, run = again(ledger, lease, f"run-{number}")
        refused += [refusal.code for refusal in ledger.intend(lease, run, [Intent(0, 0, "m_1", resend_within=600)]).values()]
        assert len(refused) == (number == 4)
    assert refused == ["HELD"]


def test_a_rejected_message_begins_a_new_window(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1", resend_within=600)])
    ledger.record(lease, "run-1", [record("rejected")])
    pass_time(ledger, 700)
    for number in (2, 3):
        lease, run = again(ledger, lease, f"run-{number}")
        assert ledger.intend(lease, run, [Intent(0, 0, "m_1", resend_within=600)]) == {}


def test_a_receipt_settles_a_held_message(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1")])
    lease, run = again(ledger, lease, "run-2")
    ledger.settle_message("m_1", "sent")
    assert ledger.intend(lease, run, [Intent(0, 0, "m_1")])[0].code == "ALREADY_SENT"


def test_a_person_who_knows_it_did_not_arrive_frees_a_held_message(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1")])
    lease, run = again(ledger, lease, "run-2")
    ledger.settle_message("m_1", "rejected")
    assert ledger.intend(lease, run, [Intent(0, 0, "m_1")]) == {}


# -- intents and outcomes -------------------------------------------------------------------------------------------------


def test_several_intents_and_outcomes_are_one_commit_answered_in_their_order(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_0"), Intent(9, 0, "m_9")])
    ledger.record(lease, "run-1", [record("sent", message_id="m_9", row=9)])
    parts = [[Intent(1, 1, "m_9"), Intent(2, 1, "m_2")], [record("sent", message_id="m_0")], [Intent(3, 2, "m_3")]]
    answers = ledger.write_together(lease, run, [*parts, [record("sent", row=3, message_id="m_3")]])
    assert [list(answer) for answer in answers] == [[1], [], [], []]
    assert answers[0][1].code == "ALREADY_SENT"
    found = outcomes(ledger)
    assert (found[0], found[2], found[3]) == (("sent", ""), (None, None), ("sent", ""))


def test_an_answer_is_seen_by_a_claim_in_the_same_commit(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1")])
    answers = ledger.write_together(lease, run, [[Intent(1, 1, "m_1")], [record("sent")]])
    assert {row: refusal.code for row, refusal in answers[0].items()} == {1: "ALREADY_SENT"}


def test_a_message_on_two_rows_is_refused_on_both(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1")])
    ledger.record(lease, "run-1", [record("sent")])
    lease, run = again(ledger, lease, "run-2")
    assert set(ledger.intend(lease, run, [Intent(1, 0, "m_1"), Intent(2, 0, "m_1")])) == {1, 2}


def test_an_intent_and_its_outcome_may_stand_in_one_part(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.write_together(lease, run, [[Intent(0, 0), Recorded(0, "invalid", "TEMPLATE_ERROR", "")]])
    assert outcomes(ledger) == {0: ("invalid", "TEMPLATE_ERROR")}


def test_what_is_written_together_is_written_whole_or_not_at_all(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    broken = Recorded("no number", "sent", "", "")  # type: ignore[arg-type]
    with pytest.raises((sqlite3.Error, LedgerBroken)):
        ledger.write_together(lease, run, [[Intent(0, 0, "m_1")], [broken]])
    assert outcomes(ledger) == {}
    assert ledger.rows("select * from messages") == []
    ledger.write_together(lease, run, [[Intent(0, 0, "m_1")]])


def test_what_a_vendor_says_is_kept_whatever_characters_it_has(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0)])
    ledger.record(lease, "run-1", [Recorded(0, "rejected", "BAD", "no \0 good \ud800 号码无效 📵")])
    assert ledger.outcomes("run-1")[0]["reason"] == "no \ufffd good ? 号码无效 📵"


def test_closing_an_interrupted_run_leaves_what_was_answered_alone(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1"), Intent(1, 0, "m_2"), Intent(2, 0)])
    ledger.record(lease, "run-1", [record("sent")])
    assert ledger.close_interrupted(lease, "run-1") == 2
    assert ledger.close_interrupted(lease, "run-1") == 0
    assert outcomes(ledger) == {0: ("sent", ""), 1: ("unknown", "INTERRUPTED"), 2: ("unknown", "INTERRUPTED")}
    assert (state(ledger, "m_1"), state(ledger, "m_2")) == ("sent", "unknown")


def test_what_was_written_is_there_when_the_ledger_is_opened_again(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(0, 0, "m_1")])
    with ledger.again() as other:
        assert outcomes(other) == {0: (None, None)}


# -- lots -----------------------------------------------------------------------------------------------------------------


def lots(ledger: Ledger) -> list[tuple[int, str | None, str | None]]:
    return [(row["batch"], row["outcome"], row["code"]) for row in ledger.lots("run-1")]


def test_a_lot_is_one_line_before_the_call_and_the_same_line_after_it(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.write_together(lease, run, [[LotIntent(0, 0, 1099, 1000)], [LotIntent(1, 1100, 1199, 100)]])
    assert lots(ledger) == [(0, None, None), (1, None, None)]
    ledger.write_together(lease, run, [[LotRecorded(0, "sent", "", "")]])
    assert lots(ledger) == [(0, "sent", ""), (1, None, None)]
    assert ledger.outcomes("run-1") == []


def test_a_row_with_an_answer_of_its_own_stands_beside_its_lot(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [LotIntent(0, 0, 9, 10)])
    ledger.record(lease, "run-1", [record("rejected", "BAD", None, row=4), LotRecorded(0, "sent", "", "")])
    assert lots(ledger) == [(0, "sent", "")]
    assert [(row["row_number"], row["outcome"], row["code"]) for row in ledger.outcomes("run-1")] == [(4, "rejected", "BAD")]


def test_a_lot_whose_process_died_is_unknown_but_for_rows_with_an_answer(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [LotIntent(0, 0, 9, 10), LotIntent(1, 10, 29, 15), LotIntent(2, 30, 30, 1)])
    ledger.record(lease, "run-1", [LotRecorded(0, "sent", "", ""), record("rejected", "BAD", None, row=12)])
    assert ledger.close_interrupted(lease, "run-1") == 15
    assert ledger.close_interrupted(lease, "run-1") == 0
    assert lots(ledger) == [(0, "sent", ""), (1, "unknown", "INTERRUPTED"), (2, "unknown", "INTERRUPTED")]
    assert outcomes(ledger) == {12: ("rejected", "BAD")}


def test_a_run_whose_lot_was_tried_is_not_forgotten(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [LotIntent(0, 0, 9, 10)])
    ledger.abandon_run(lease, "run-1")
    assert len(ledger.unsettled(REF)) == 1


def test_outcomes_can_be_read_piece_by_piece(ledger: Ledger) -> None:
    lease, run = begin(ledger)
    ledger.intend(lease, run, [Intent(number, 0) for number in range(5)])
    assert [row["row_number"] for row in ledger.outcomes("run-1", after=1, limit=2)] == [2, 3]


# -- what destinations share ----------------------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_and_then_its_rate(ledger: Ledger) -> None:
    assert [ledger.take("b", 1, 0.1, 3.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    waits = [ledger.take("b", 1, 0.1, 3.0) for _ in range(5)]
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(50, abs=5)


def test_a_bucket_is_shared_by_all_who_know_its_name(ledger: Ledger) -> None:
    with ledger.again() as other:
        ledger.take("b", 10, 0.1, 10.0)
        assert other.take("b", 1, 0.1, 10.0) == pytest.approx(10, abs=5)
        assert other.take("another", 1, 0.1, 10.0) == 0.0


def test_a_circuit_is_open_for_its_time(ledger: Ledger) -> None:
    ledger.open_circuit("mail", 60, "UNREACHABLE", "It cannot be reached.")
    ledger.open_circuit("sms", -1, "UNREACHABLE", "It could not be reached.")
    found = ledger.circuit("mail")
    assert found is not None
    assert (found["code"], ledger.circuit("sms"), ledger.circuit("crm")) == ("UNREACHABLE", None, None)
    ledger.close_circuit("mail")
    assert ledger.circuit("mail") is None
