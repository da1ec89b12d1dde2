"""What tells a row from another: equal for equal rows, and different as soon as a value, its place or its being there is."""

from __future__ import annotations

import itertools

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from activation.engine.payload import fingerprint

COLUMNS = {"a": "VARCHAR", "b": "VARCHAR", "n": "BIGINT", "l": "VARCHAR[]"}
WORDS = st.none() | st.text(alphabet="ab|,\0", max_size=3)
ROWS = st.tuples(WORDS, WORDS, st.none() | st.integers(0, 2), st.none() | st.lists(st.sampled_from(["a", "b", ""]), max_size=2))
FINGERPRINT = fingerprint([(exp.column(name), kind) for name, kind in COLUMNS.items()]).sql("duckdb")


def fingerprints(rows: list[tuple[object, ...]]) -> list[int]:
    with duckdb.connect() as connection:
        connection.execute("create table given (place bigint, a varchar, b varchar, n bigint, l varchar[])")
        connection.executemany("insert into given values (?, ?, ?, ?, ?)", [(at, *row) for at, row in enumerate(rows)])
        return [one for (one,) in connection.execute(f"select {FINGERPRINT} from given order by place").fetchall()]


@settings(deadline=None)
@given(st.lists(ROWS, min_size=2, max_size=30))
def test_fingerprints_are_equal_where_rows_are(rows: list[tuple[object, ...]]) -> None:
    for (row, made), (other, made_of_it) in itertools.combinations(zip(rows, fingerprints(rows), strict=True), 2):
        assert (made == made_of_it) == (row == other)


def test_what_moves_from_one_column_to_the_next_is_a_change() -> None:
    rows = [("ab", "c", 1, []), ("a", "bc", 1, []), ("abc", "", 1, []), ("abc", None, 1, []), (None, "abc", 1, []), ("", "abc", 1, [])]
    assert len(set(fingerprints(rows))) == len(rows)


def test_edits_of_two_digits_of_a_long_string_are_seen() -> None:
    # DuckDB's own hash of a string takes some of these for the same: those that stand eight apart.
    with duckdb.connect() as connection:
        rows = (
            "select 'user' || lpad((i * 7919 % 100000007)::varchar, 9, '0') || '-' || lpad(i::varchar, 9, '0') || '@mail.example' as a, "
            "'in column b, ' || i % 10 || '-------' || (i // 10) % 10 as b, 1 as n, null as l from range(1000000) t(i)"
        )
        plain, made, all_rows = connection.execute(
            f"select count(distinct hash(a)), count(distinct {FINGERPRINT}), count(distinct (a, b)) from ({rows})"
        ).fetchall()[0]
        edits = "select 'edited ' || i % 10 || '-------' || i // 10 || ' and a tail of it' as a, null as b, null as n, null as l from range(100) t(i)"
        weak, ours = connection.execute(f"select count(distinct hash(a)), count(distinct {FINGERPRINT}) from ({edits})").fetchall()[0]
    assert (made, ours) == (all_rows, 100)
    assert weak < 100 or plain < all_rows, "DuckDB's hash of long strings has been mended: the second string may go"
