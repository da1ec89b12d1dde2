"""Any order of runs, crashes, answers, receipts and releases: no message leaves twice, and none is lost without being held."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from activation.engine.ledger import Intent, Ledger, Recorded

REF = "mail/hello"
MOMENT = "2026-11-20T04:00:00+00:00"
MESSAGES = [f"m_{number}" for number in range(4)]


class Deliveries(RuleBasedStateMachine):
    """The vendor counts what it took. Whether an unanswered request was taken only the vendor knows."""

    where: Path | str

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="ledger")
        self.at = self.where if isinstance(self.where, str) else Path(self.folder.name) / "ledger.db"
        self.ledger = Ledger(self.at)
        for table in ("leases", "runs", "deliveries", "messages"):
            self.ledger.execute(f"delete from {table}")
        self.taken = dict.fromkeys(MESSAGES, 0)
        self.held: set[str] = set()
        self.known_sent: set[str] = set()
        self.flying: dict[str, int] = {}
        self.number = self.row = 0
        self.next_run()

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    def next_run(self) -> None:
        self.number += 1
        self.lease = self.ledger.acquire(REF, f"run-{self.number}")
        for row in self.ledger.unsettled(REF):
            self.ledger.close_interrupted(self.lease, row["run_id"])
            self.ledger.end_run(self.lease, row["run_id"])
        self.run = {"run_id": f"run-{self.number}", "ref": REF, "kind": "send", "destination": "mail", "channel": "email"}
        self.ledger.begin_run(self.lease, self.run | {"plan_hash": "h", "as_of": MOMENT, "started_at": MOMENT})
        self.run |= {"purpose": "newsletter", "as_of": MOMENT}

    @rule(message=st.sampled_from(MESSAGES), taken=st.booleans())
    def a_request_leaves(self, message: str, taken: bool) -> None:
        """The engine tries a message at most once a run; the vendor takes it or does not."""
        if message in self.flying or self.ledger.rows(
            "select 1 from messages where message_id = ? and run_id = ?", (message, self.run["run_id"])
        ):
            return
        self.row += 1
        refused = self.ledger.intend(self.lease, self.run, [Intent(self.row, 0, message)])
        if refused:
            code = refused[self.row].code
            assert code == ("ALREADY_SENT" if message in self.known_sent else "HELD")
            assert message in self.known_sent | self.held
            return
        assert message not in self.known_sent | self.held
        self.flying[message] = self.row
        self.taken[message] += taken

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def an_answer_comes(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(sorted(self.flying)))
        row = self.flying.pop(message)
        if data.draw(st.booleans()):
            self.ledger.record(self.lease, self.run["run_id"], [Recorded(row, "unknown", "NO_ANSWER", "", None, message)])
            self.held.add(message)
        elif self.taken[message]:
            self.ledger.record(self.lease, self.run["run_id"], [Recorded(row, "sent", "", "", None, message)])
            self.known_sent.add(message)
        else:
            outcome = data.draw(st.sampled_from(["rejected", "skipped"]))
            self.ledger.record(self.lease, self.run["run_id"], [Recorded(row, outcome, "NO", "", None, message)])

    @rule()
    def the_process_is_killed_and_the_next_one_begins(self) -> None:
        self.held |= set(self.flying)
        self.flying.clear()
        self.ledger.close()
        self.ledger = Ledger(self.at)
        self.ledger.release(self.lease)  # a dead holder's lease is as good as given back
        self.next_run()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def a_held_message_is_settled(self, data: st.DataObject) -> None:
        """By its receipt if it arrived, by a person if it did not."""
        message = data.draw(st.sampled_from(sorted(self.held)))
        self.held.discard(message)
        if self.taken[message]:
            self.ledger.settle_message(message, "sent")
            self.known_sent.add(message)
        else:
            self.ledger.settle_message(message, "rejected")

    @invariant()
    def nobody_got_a_message_twice(self) -> None:
        assert max(self.taken.values()) <= 1

    @invariant()
    def what_arrived_is_known_or_held_or_on_its_way(self) -> None:
        assert {message for message, count in self.taken.items() if count} <= self.known_sent | self.held | set(self.flying)


def test_any_order_of_events_keeps_every_message_to_one_delivery(where: Path | str) -> None:
    machine = type("DeliveriesHere", (Deliveries,), {"where": where})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=20 if isinstance(where, Path) else 8, stateful_step_count=25, deadline=None)
    )
