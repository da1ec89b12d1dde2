"""A person leaves the ledger, in a file and in PostgreSQL: claims go, answers stay as outcomes without a name."""

from __future__ import annotations

from activation.engine.ledger import Intent, Ledger, Recorded

RUN = {"run_id": "r1", "ref": "mail/hello", "channel": "email", "purpose": "newsletter", "as_of": "2026-11-20T04:00:00+00:00"}


def test_claims_go_and_answers_lose_what_names_the_person(ledger: Ledger) -> None:
    lease = ledger.acquire("mail/hello", "r1")
    ledger.intend(lease, RUN, [Intent(row, 0, f"m_{row}", f"p_{row}") for row in range(3)])
    ledger.record(lease, "r1", [Recorded(row, "sent", "OK", f"told {row}", f"id {row}", f"m_{row}") for row in range(3)])
    assert ledger.messages_of(["p_1", "p_9"]) == ["m_1"]
    assert ledger.answers([("r1", 1), ("r1", 7), ("r2", 1)]) == 1
    for _ in range(2):  # done again it is the same
        assert ledger.erase(["m_1"], [("r1", 1), ("r1", 7), ("r2", 1)]) == 1
        assert [tuple(row) for row in ledger.outcomes("r1")] == [
            (0, "sent", "OK", "told 0", "id 0"),
            (1, "sent", "OK", None, None),
            (2, "sent", "OK", "told 2", "id 2"),
        ]
        assert [row["message_id"] for row in ledger.rows("select message_id from messages order by 1")] == ["m_0", "m_2"]
    assert ledger.erase([], []) == 0
