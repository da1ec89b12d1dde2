from __future__ import annotations

import polars as pl
import pytest
from delivered import deliver
from running_sandbox import RunningSandbox
from small_project import SmallProject

from dagster_project.expectations import failed
from dagster_project.volume import Range, examine, usual


def past_runs(shop: SmallProject, ref: str, *counts: int, status: str = "succeeded") -> None:
    """As if these runs had been, with so many rows sent in each."""
    for number, count in enumerate(counts):
        shop.sql(
            "insert into activation.sync_runs (run_id, ref, kind, status, started_at, planned, sent, rejected, withheld, unknown, skipped, invalid) "
            f"values ('past-{status}-{number}', '{ref}', 'sync', '{status}', timestamp '2026-11-01' + interval {number} hour, {count}, {count}, 0, 0, 0, 0, 0)"
        )


def test_nothing_is_usual_before_five_runs(shop: SmallProject) -> None:
    past_runs(shop, "hubspot/people", 10, 20, 30, 40)
    assert usual(shop.project, "hubspot/people") == Range()


def test_usual_is_a_third_of_the_fewest_to_three_times_the_most(shop: SmallProject) -> None:
    past_runs(shop, "hubspot/people", 90, 120, 0, 300, 210, 150)
    assert usual(shop.project, "hubspot/people") == Range(30, 900)


def test_runs_that_did_not_get_through_and_other_syncs_tell_nothing(shop: SmallProject) -> None:
    past_runs(shop, "hubspot/people", 90, 90, 90, 90)
    past_runs(shop, "hubspot/people", 90000, status="incomplete")
    past_runs(shop, "partner/people", 5, 5, 5, 5, 5, status="failed_rows")
    assert usual(shop.project, "hubspot/people") == Range()


def test_a_batch_far_above_the_usual_is_stopped_before_the_first_call(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync()
    past_runs(shop, ref, 10, 20, 30, 20, 10)
    shop.people(101)
    found = deliver(shop, ref)
    assert (found.success, found.retries, found.materialized) == (False, 0, [])
    assert found.sentence.startswith(
        f"{ref}: stopped before the first call. 101 rows would leave, and by the runs so far at most 100 are usual."
    )
    check = found.checks["volume"]
    assert (check.passed, check.severity.value, check.metadata["rows"].value) == (False, "ERROR", 101)
    assert sandbox.taken("hubspot") == []
    with shop.ledger() as ledger:
        assert list(ledger.rows("select * from runs")) == []


def test_a_reason_given_at_launch_lets_a_large_batch_go(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync()
    past_runs(shop, ref, 10, 20, 30, 20, 10)
    shop.people(101)
    found = deliver(shop, ref, override="a new country")
    assert found.metadata["sent"] == 101
    assert not found.checks["volume"].passed


def test_a_batch_far_below_the_usual_is_told_and_sent(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync()
    past_runs(shop, ref, 90, 90, 90, 90, 90)
    shop.people(3)
    found = deliver(shop, ref)
    assert found.success
    check = found.checks["volume"]
    assert (check.passed, check.severity.value) == (False, "WARN")
    assert check.description == "Only 3 rows leave, and by the runs so far at least 30 are usual."


def test_an_empty_batch_is_nothing_to_wonder_about(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync()
    past_runs(shop, ref, 90, 90, 90, 90, 90)
    assert deliver(shop, ref).checks["volume"].passed


def test_only_rows_that_would_leave_are_counted(shop: SmallProject, sandbox: RunningSandbox) -> None:
    ref = shop.sync()
    past_runs(shop, ref, 10, 20, 30, 20, 10)
    shop.people(101)
    shop.sql("update consent_state set status = 'withdrawn' where profile_id = 'p_0'")
    assert deliver(shop, ref).metadata["sent"] == 100


@pytest.mark.parametrize(
    ("keys", "matches", "sentence"),
    [
        (["a", None], ["x", "y"], "There are rows without a key."),
        (["a", "a"], ["x", "y"], "There are keys on more than one row."),
        (["a", "b"], ["x", None], "There are rows without a match value."),
    ],
)
def test_rows_that_cannot_be_told_apart_stop_a_run(shop: SmallProject, keys: list[str], matches: list[str], sentence: str) -> None:
    shop.people(2)
    plan = shop.plan(shop.sync())
    rows = {"row_number": [0, 1], "key": keys, "match_value": matches, "invalid_code": [None, None]}
    pl.DataFrame(rows, schema_overrides={"invalid_code": pl.String}).write_parquet(plan.file)
    verdicts = shop.project.plans / "none.parquet"
    pl.DataFrame(schema={"row_number": pl.Int64}).write_parquet(verdicts)
    assert examine(plan, verdicts, Range()).broken == [sentence]


def test_expectations_are_told_apart_by_place() -> None:
    frame = pl.DataFrame({"key": ["a", "a"]})
    expectations = [("ExpectTableRowCountToBeBetween", {"max_value": 5}), ("ExpectColumnValuesToBeUnique", {"column": "key"})]
    assert failed(frame, expectations) == {1}
