"""Rows on their way out: in the order of the plan, in lots of one operation, without those that are withheld or invalid."""

from __future__ import annotations

from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activation.engine import outgoing


def files(folder: Path, operations: list[str], withheld: set[int], invalid: set[int]) -> tuple[Path, Path]:
    rows = [
        {
            "row_number": number,
            "operation": operation,
            "key": f"k{number}",
            "profile_id": f"p{number}",
            "match_value": f"{number}@mail.example",
            "message_id": None,
            "provider_id": None,
            "payload": '{"名": "李"}',
            "invalid_code": "NULL_KEY" if number in invalid else None,
        }
        for number, operation in enumerate(operations)
    ]
    schema = pa.schema([(name, pa.int64() if name == "row_number" else pa.string()) for name in outgoing.COLUMNS])
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "plan.parquet", row_group_size=7)
    pq.write_table(pa.table({"row_number": pa.array(sorted(withheld), pa.int64())}), folder / "verdicts.parquet")
    return folder / "plan.parquet", folder / "verdicts.parquet"


def test_a_row_carries_what_its_destination_needs(tmp_path: Path) -> None:
    (lot,) = outgoing.lots(*files(tmp_path, ["add"], set(), set()), 10)
    (row,) = lot.rows
    assert (row.index, row.key, row.match, row.fields, lot.rows.profiles) == (0, "k0", "0@mail.example", {"名": "李"}, ["p0"])


def test_lots_have_one_operation_and_at_most_their_size(tmp_path: Path) -> None:
    operations = ["add"] * 5 + ["change"] * 2 + ["remove"]
    found = [
        (lot.number, lot.operation, [row.index for row in lot.rows]) for lot in outgoing.lots(*files(tmp_path, operations, {1}, {6}), 3)
    ]
    assert found == [(0, "add", [0, 2, 3]), (1, "add", [4]), (2, "change", [5]), (3, "remove", [7])]


def test_nothing_leaves_when_everything_is_withheld(tmp_path: Path) -> None:
    assert list(outgoing.lots(*files(tmp_path, ["add"] * 3, {0, 1, 2}, set()), 2)) == []


@settings(max_examples=50, deadline=None)
@given(
    counts=st.tuples(*[st.integers(0, 20)] * 3),
    withheld=st.sets(st.integers(0, 59)),
    invalid=st.sets(st.integers(0, 59)),
    size=st.integers(1, 12),
)
def test_each_row_that_may_leave_leaves_once_in_order(
    tmp_path_factory: object, counts: tuple[int, int, int], withheld: set[int], invalid: set[int], size: int
) -> None:
    folder = tmp_path_factory.mktemp("lots")  # type: ignore[attr-defined]
    operations = [name for name, count in zip(("add", "change", "remove"), counts, strict=True) for _ in range(count)]
    numbers = set(range(len(operations)))
    invalid &= numbers
    withheld = (withheld & numbers) - invalid
    plan, verdicts = files(folder, operations, withheld, invalid)
    lots = list(outgoing.lots(plan, verdicts, size))
    assert [row.index for lot in lots for row in lot.rows] == sorted(numbers - withheld - invalid)
    assert outgoing.leaving(plan, verdicts) == len(numbers - withheld - invalid)
    assert all(0 < len(lot.rows) <= size and {operations[row.index] for row in lot.rows} == {lot.operation} for lot in lots)


@given(
    payloads=st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=9), max_size=2), min_size=1, max_size=12),
    start=st.integers(0, 11),
    never_empty=st.booleans(),
)
def test_rows_handed_on_as_they_are_begin_with_what_is_said_of_all(payloads: list[dict[str, str]], start: int, never_empty: bool) -> None:
    rows = [payload | {"id": "1"} if never_empty else payload for payload in payloads]
    table = {name: pa.nulls(len(rows), pa.string()) for name in outgoing.ROW}
    table |= {"row_number": pa.array(range(len(rows))), "payload": pa.array([orjson.dumps(row) for row in rows], pa.binary())}
    columns = pa.RecordBatch.from_pydict(table).slice(min(start, len(rows) - 1), 5)  # as a lot is cut from a piece
    begun = outgoing.Rows(columns).begun_with(b'"_operation":"add"')
    assert begun == b",".join(orjson.dumps({"_operation": "add"} | row) for row in rows[min(start, len(rows) - 1) :][:5])


def test_a_row_without_a_payload_is_not_left_out_in_silence() -> None:
    table = {name: pa.nulls(2, pa.string()) for name in outgoing.ROW}
    table |= {"row_number": pa.array([0, 1]), "payload": pa.array([b'{"id":1}', None], pa.binary())}
    with pytest.raises(TypeError):
        outgoing.Rows(pa.RecordBatch.from_pydict(table)).begun_with(b'"_operation":"add"')
