"""Any order of changes, failures, merges, guards and runs: the books balance after every run, and in the end the destination is the source.

Held against a model of a few lines: what the source says, and who was merged into whom.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from running_sandbox import RunningSandbox, in_a_thread
from small_project import SmallProject

from activation.engine import deliver
from activation.engine.errors import GuardStop
from activation.engine.run import Override

REF = "hubspot/people"
PEOPLE = 8
NAMES = ("Ada", "Bo", "Cy")
people = st.integers(0, PEOPLE - 1)
KINDS = ("rate_limit", "server_error", "partial", "timeout", "reset", "broken_json")


class Engine(RuleBasedStateMachine):
    """People p_0 … p_7 with an address each. `source` is what the sync's model holds, row by row: (key, address number, name)."""

    vendors: RunningSandbox
    runs = examples = 0

    @initialize()
    def begin(self) -> None:
        type(self).examples += 1
        self.town = f"@town{self.examples}.example"  # each time other contacts: the vendors stay
        self.folder = tempfile.TemporaryDirectory(prefix="engine-model-")
        self.shop = SmallProject(Path(self.folder.name) / "shop")
        self.shop.people(PEOPLE)
        self.shop.merges()
        self.shop.sync(
            REF,
            mode="mirror",
            on_removed="archive",
            on_merged="archive",
            retry={"max_attempts": 1000},
            guards={"max_removed_pct": 50, "max_merged_pct": 100},
        )
        self.source: list[tuple[str | None, int, str]] = []
        self.merged: dict[str, str] = {}

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            try:
                self.in_the_end_the_destination_is_the_source()
            finally:
                self.calm()
                self.folder.cleanup()

    # -- the source ---------------------------------------------------------------------------------------------------

    def key(self, number: int) -> str:
        key = f"p_{number}"
        return self.merged.get(key, key)

    @rule(number=people, name=st.sampled_from(NAMES))
    def somebody_comes_or_changes(self, number: int, name: str) -> None:
        key = self.key(number)
        self.source = [row for row in self.source if row[0] != key] + [(key, int(key[2:]), name)]

    @rule(number=people)
    def somebody_goes(self, number: int) -> None:
        self.source = [row for row in self.source if row[0] != self.key(number)]

    @rule(number=people, name=st.sampled_from(NAMES))
    def a_key_stands_twice(self, number: int, name: str) -> None:
        key = self.key(number)
        self.source.append((key, int(key[2:]), name))

    @rule(name=st.sampled_from(NAMES))
    def a_key_is_missing(self, name: str) -> None:
        self.source.append((None, PEOPLE, name))

    @rule(one=people, other=people)
    def two_turn_out_to_be_one(self, one: int, other: int) -> None:
        """The one that came first stays; both were somebody of today."""
        gone, stays = self.key(one), self.key(other)
        if gone == stays:
            return
        self.merged = {before: stays if today == gone else today for before, today in self.merged.items()} | {gone: stays}
        self.source = [row for row in self.source if row[0] != gone]
        self.shop.merges(*sorted(self.merged.items()))

    # -- the destination ----------------------------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(KINDS),
        times=st.integers(1, 8),
        match=st.one_of(st.just(""), people.map(lambda number: f"u{number}@town")),
        when=st.sampled_from(["before", "after"]),
    )
    def something_is_to_fail(self, kind: str, times: int, match: str, when: str) -> None:
        deliver.TIMEOUT_SECONDS = 0.1
        self.vendors.fault("hubspot", kind, times=times, match=match, when=when, retry_after=0)

    def calm(self) -> None:
        deliver.TIMEOUT_SECONDS = 60.0  # nobody was told to be silent: a slow answer is only slow
        self.vendors.no_faults()
        self.shop.end_pauses()

    @rule(calm=st.booleans())
    def a_run(self, calm: bool) -> None:
        if calm:
            self.calm()
        before = len(self.vendors.taken("hubspot"))
        try:
            self.run()
        except GuardStop:
            assert len(self.vendors.taken("hubspot")) == before, "stopped before the first call"

    @rule()
    def a_run_that_a_person_lets_pass(self) -> None:
        self.run(Override("Mei", "They did go."))

    def run(self, override: Override | None = None) -> None:
        rows = [(key, f"u{number}{self.town}", name, "Wuhan", 1) for key, number, name in self.source]
        self.shop.fill("sync_people", rows)
        settled = self.shop.run(REF, override=override)
        type(self).runs += 1
        books = self.shop.books(settled.run_id)
        assert {name: count for name, count in settled.outcomes.items() if count != books[name]} == {}
        with self.shop.ledger() as ledger:
            assert ledger.rows("select * from runs where status <> 'settled'") == []

    # -- what must be so ----------------------------------------------------------------------------------------------

    @invariant()
    def nobody_is_there_who_never_was_in_the_source(self) -> None:
        if hasattr(self, "shop"):
            assert set(self.there()) <= {f"u{number}{self.town}" for number in range(PEOPLE)}

    def there(self) -> dict[str, str]:
        """What the destination holds: names by address."""
        contacts = self.vendors.contacts().items()
        return {address: contact["firstname"] for address, contact in contacts if address.endswith(self.town)}

    def in_the_end_the_destination_is_the_source(self) -> None:
        """Once the rows are whole and nothing fails: two runs, for the first may find out what an earlier one left unknown."""
        whole = {key: (key, number, name) for key, number, name in self.source if key is not None}
        self.source = list(whole.values())
        self.calm()
        for _ in range(2):
            self.run(Override("Mei", "The end."))
        assert self.there() == {f"u{number}{self.town}": name for _, number, name in self.source}
        assert self.shop.planned(REF) == []


@pytest.fixture
def vendors(monkeypatch: pytest.MonkeyPatch, quick: None) -> Iterator[RunningSandbox]:
    monkeypatch.setattr("activation.engine.deliver.TIMEOUT_SECONDS", 0.1)
    with in_a_thread() as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox


def test_whatever_happens_in_whatever_order_the_books_balance_and_the_destination_becomes_the_source(vendors: RunningSandbox) -> None:
    machine = type("EngineHere", (Engine,), {"vendors": vendors})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=4, stateful_step_count=8, deadline=None, derandomize=True, database=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    assert machine.runs > 10, "hardly anything was tried"
