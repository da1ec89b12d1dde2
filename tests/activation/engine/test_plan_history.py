"""Any history of the source, with any rows acknowledged on the way, against a model of a few lines: the plan is always the difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_project import NOON, SmallProject, plan_rows

from activation.engine.ledger import Intent, Ledger, Recorded
from activation.engine.models import Models
from activation.engine.plan import Plan, make_plan
from activation.engine.settle import settle
from activation.engine.warehouse import opened

REF = "files/people"
OUTCOMES = ("sent", "rejected", "unknown", "skipped", "withheld")

Row = tuple[str | None, str | None, str | None, int | None]  # key, mail address, name, visits
State = dict[str, tuple[str, dict[str, Any]]]  # match value and payload by key
UNCONFIRMED: Any = ("?", {})  # an addition that may have arrived
UNCERTAIN: Any = ("?", {"acknowledged": True})  # a change or removal of something acknowledged that may have arrived

row = st.tuples(
    st.sampled_from(["a", "b", "c", "d", None]),
    st.sampled_from(["x@mail.example", "y@mail.example", None]),
    # Long ones that differ in one digit, and an empty one beside none.
    st.sampled_from(["李", "", None, "customer-000000000000000000000000017", "customer-000000000000000000000000018"]),
    st.sampled_from([None, 0, 1]),
)
source = st.lists(row, max_size=6)
acknowledgements = st.lists(st.sampled_from(OUTCOMES), min_size=12, max_size=12)


class World:
    """One sync with its warehouse and ledger, opened once; every history starts from nothing."""

    def __init__(self, shop: SmallProject, connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> None:
        self.shop, self.connection, self.ledger = shop, connection, ledger
        self.activation = shop.find(REF)
        self.runs = 0

    def source(self, rows: list[Row]) -> None:
        self.connection.execute("delete from sync_people")
        if rows:
            table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(("profile_id", "email", "first_name", "visits"))})
            self.connection.register("given", table)
            types = {"profile_id": "varchar", "email": "varchar", "first_name": "varchar", "visits": "integer"}
            columns = ", ".join(f"{name}::{kind}" for name, kind in types.items())
            self.connection.execute(f"insert into sync_people (profile_id, email, first_name, visits) select {columns} from given")
            self.connection.unregister("given")

    def plan(self) -> Plan:
        return make_plan(self.connection, self.shop.project, Models(self.shop.project), self.activation)

    def apply(self, plan: Plan, fates: list[str]) -> dict[int, str]:
        """Deliver with these fates, as rows of the ledger and verdicts of the gate; then settle. Returns the outcome by row number."""
        fate = dict(zip((row["row_number"] for row in plan_rows(plan) if row["invalid_code"] is None), fates, strict=False))
        withheld = [number for number, outcome in fate.items() if outcome == "withheld"]
        verdicts = self.shop.project.plans / "verdicts.parquet"
        schema = pa.schema({"row_number": pa.int64(), "code": pa.string(), "reason": pa.string()})
        pq.write_table(pa.table([withheld, ["NO"] * len(withheld), ["No."] * len(withheld)], schema=schema), verdicts)
        self.runs += 1
        moment = NOON.isoformat()
        run = {"run_id": f"run-{self.runs}", "ref": REF, "kind": "sync", "destination": "files", "channel": "files", "as_of": moment}
        run |= {"started_at": moment, "plan_hash": plan.plan_hash, "overridden_by": None, "override_reason": None}
        lease = self.ledger.acquire(REF, "test")
        self.ledger.begin_run(lease, run)
        tried = {number: outcome for number, outcome in fate.items() if outcome != "withheld"}
        self.ledger.intend(lease, run, [Intent(number, 0) for number in tried])
        self.ledger.record(lease, run["run_id"], [Recorded(number, outcome, "", "") for number, outcome in tried.items()])
        settled = settle(self.connection, self.ledger, self.activation, run, plan.file, verdicts, "complete", ("", ""), NOON)
        assert settled.planned == sum(settled.outcomes.values()) == plan.planned
        assert sum(counts["planned"] for counts in settled.operations.values()) == plan.planned
        self.ledger.end_run(lease, run["run_id"])
        self.ledger.release(lease)
        return fate

    def state(self) -> State:
        rows = self.connection.execute("select key, match_value, payload::varchar, hash, state from activation.sync_snapshot").fetchall()
        return {
            key: UNCONFIRMED if state == "unconfirmed" else UNCERTAIN if hash is None else (match, orjson.loads(payload))
            for key, match, payload, hash, state in rows
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    shop = SmallProject(tmp_path_factory.mktemp("history") / "shop")
    fields = {"email": "email", "name": "first_name", "visits": "visits"}
    shop.sync(REF, mode="mirror", on_removed="delete", fields=fields)
    with opened(shop.project) as connection, shop.ledger() as ledger:
        yield World(shop, connection, ledger)


def usable(rows: list[Row]) -> State:
    """The rows that can be planned."""
    copies = Counter(key for key, *_ in rows)
    return {
        key: (match, {"email": match, "name": name, "visits": visits})
        for key, match, name, visits in rows
        if key is not None and copies[key] == 1 and match is not None
    }


def difference(rows: list[Row], state: State) -> Counter[tuple[str, str | None]]:
    """What the plan has to say: (operation, or `invalid`, and key) of each row."""
    good = usable(rows)
    expected = Counter(("invalid", key) for key, *_ in rows if key not in good)
    expected += Counter(("add", key) for key in good if state.get(key, UNCONFIRMED) is UNCONFIRMED)
    expected += Counter(("change", key) for key in good if state.get(key, UNCONFIRMED) not in (UNCONFIRMED, good[key]))
    there = {key for key, *_ in rows}
    return expected + Counter(("remove", key) for key in state if key not in there)


ONE: Row = ("a", "x@mail.example", "李", 0)
OTHER: Row = ("a", "x@mail.example", "", 0)


@settings(max_examples=12, deadline=None)
@example(history=[([ONE], ["sent"]), ([OTHER], ["unknown"]), ([ONE], ["rejected"])])  # there and back, and nobody knows how far
@example(history=[([ONE], ["unknown"]), ([], ["rejected"])])  # it may be there, and has to go
@example(history=[([ONE], ["sent"]), ([], ["unknown"]), ([ONE], ["withheld"])])  # it may have gone, and has to be there
@example(history=[([ONE], ["sent"]), ([ONE, OTHER], ["sent"]), ([ONE], ["sent"])])  # twice for a while
@given(history=st.lists(st.tuples(source, acknowledgements), min_size=1, max_size=4))
def test_whatever_happened_the_plan_is_the_difference_and_applying_it_makes_the_state_equal_the_source(
    world: World, history: list[tuple[list[Row], list[str]]]
) -> None:
    world.connection.execute("delete from activation.sync_snapshot")
    model: State = {}
    for rows, fates in [*history, (history[-1][0], ["sent"] * 12)]:
        world.source(rows)
        plan = world.plan()
        planned = plan_rows(plan)
        assert Counter(("invalid" if r["invalid_code"] else r["operation"], r["key"]) for r in planned) == difference(rows, model)
        fate = world.apply(plan, fates)
        for r in planned:
            outcome, key = fate.get(r["row_number"]), r["key"]
            if outcome == "sent" and r["operation"] == "remove":
                del model[key]
            elif outcome == "sent":
                model[key] = usable(rows)[key]
            elif outcome == "unknown":
                model[key] = UNCONFIRMED if model.get(key, UNCONFIRMED) is UNCONFIRMED else UNCERTAIN
        assert world.state() == model
    # Everything was acknowledged in the end: nothing valid differs, and what is left over is what cannot be planned.
    final = history[-1][0]
    good, there = usable(final), {key for key, *_ in final}
    assert {key: value for key, value in model.items() if key in good} == good
    assert all(key in there for key in model)
    assert world.plan().counts == {"add": 0, "change": 0, "remove": 0, "invalid": sum(key not in good for key, *_ in final)}


@settings(max_examples=8, deadline=None)
@given(rows=source, data=st.data())
def test_the_same_rows_in_any_order_make_the_same_plan(world: World, rows: list[Row], data: st.DataObject) -> None:
    world.connection.execute("delete from activation.sync_snapshot")
    world.source(rows)
    first = world.plan()
    world.source(data.draw(st.permutations(rows)))
    second = world.plan()
    assert second.plan_hash == first.plan_hash
    assert plan_rows(second) == plan_rows(first)


@settings(max_examples=12, deadline=None)
@given(one=source, other=source)
def test_plans_with_the_same_hash_do_the_same(world: World, one: list[Row], other: list[Row]) -> None:
    world.connection.execute("delete from activation.sync_snapshot")
    plans = []
    for rows in (one, other):
        world.source(rows)
        plan = world.plan()
        plans.append((plan.plan_hash, plan_rows(plan)))
    (one_hash, one_rows), (other_hash, other_rows) = plans
    assert (one_hash == other_hash) == (one_rows == other_rows)
