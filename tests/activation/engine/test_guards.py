"""Guards stop a run before its first call; a person may pass them, and that is written down."""

from __future__ import annotations

from typing import Any

import pytest
from small_project import SmallProject

from activation.engine.errors import GuardStop
from activation.engine.run import Override

FILES = "files/people"


@pytest.fixture
def mirrored(shop: SmallProject) -> SmallProject:
    """Ten people, all acknowledged."""
    shop.people(10)
    shop.run(guarded(shop))
    return shop


def guarded(shop: SmallProject, **guards: Any) -> str:
    return shop.sync(FILES, mode="mirror", on_removed="delete", guards=guards)


def remove(shop: SmallProject, count: int) -> None:
    shop.sql(f"delete from sync_people where profile_id in (select profile_id from sync_people order by profile_id limit {count})")


def stopped(shop: SmallProject) -> list[str]:
    """The reasons for which a run does not begin."""
    with pytest.raises(GuardStop) as stop:
        shop.run(FILES)
    return stop.value.reasons


def files(shop: SmallProject) -> int:
    return len(list((shop.project.root / ".sluice/files").glob("*.csv")))


def test_removing_more_than_the_declared_part_stops(mirrored: SmallProject) -> None:
    guarded(mirrored, max_removed_pct=10)
    remove(mirrored, 2)
    assert stopped(mirrored) == ["2 of 10 rows (20.0%) would be removed; at most 10% may (max_removed_pct)."]


def test_removing_exactly_the_declared_part_goes_on(mirrored: SmallProject) -> None:
    guarded(mirrored, max_removed_pct=20)
    remove(mirrored, 2)
    assert mirrored.run(FILES).operations["remove"]["succeeded"] == 2


def test_a_fifth_of_the_rows_may_go_where_nothing_is_declared(mirrored: SmallProject) -> None:
    guarded(mirrored)
    remove(mirrored, 3)
    assert len(stopped(mirrored)) == 1


def test_removing_more_rows_than_declared_stops(mirrored: SmallProject) -> None:
    guarded(mirrored, max_removed=1)
    remove(mirrored, 2)
    assert stopped(mirrored) == ["2 rows would be removed; at most 1 may (max_removed)."]


def test_changing_more_than_the_declared_part_stops(mirrored: SmallProject) -> None:
    guarded(mirrored, max_changed_pct=50)
    mirrored.sql("update sync_people set first_name = 'x' where profile_id >= 'p_4'")
    assert stopped(mirrored) == ["6 of 10 rows (60.0%) would be changed; at most 50% may (max_changed_pct)."]


def test_adding_more_rows_than_declared_stops_even_the_first_run(shop: SmallProject) -> None:
    shop.people(3)
    guarded(shop, max_added=2)
    assert stopped(shop) == ["3 rows would be added; at most 2 may (max_added)."]


def test_a_plan_larger_than_declared_stops(mirrored: SmallProject) -> None:
    guarded(mirrored, max_total=2, max_removed_pct=100)
    remove(mirrored, 1)
    mirrored.sql("update sync_people set first_name = 'x' where profile_id >= 'p_8'")
    assert stopped(mirrored) == ["3 rows in all; at most 2 may (max_total)."]


def test_every_broken_guard_is_named(mirrored: SmallProject) -> None:
    guarded(mirrored, max_total=1, max_removed=1, max_removed_pct=10)
    remove(mirrored, 2)
    assert len(stopped(mirrored)) == 3


def test_an_empty_source_never_deletes_whatever_is_declared(mirrored: SmallProject) -> None:
    guarded(mirrored, max_removed_pct=100)
    mirrored.sql("delete from sync_people")
    assert stopped(mirrored) == ["The source is empty and all 10 rows would be removed: an empty source never deletes."]


def test_a_source_without_one_usable_row_is_as_good_as_empty(mirrored: SmallProject) -> None:
    guarded(mirrored, max_removed_pct=100)
    mirrored.sql("update sync_people set profile_id = null")
    assert stopped(mirrored) == ["The source has no usable row and all 10 rows would be removed: an empty source never deletes."]


def test_a_first_run_never_deletes(shop: SmallProject) -> None:
    guarded(shop, max_removed_pct=100)
    assert shop.run(FILES).planned == 0
    shop.people(2)
    assert shop.plan(FILES).counts["remove"] == 0


def test_a_lost_state_never_deletes(mirrored: SmallProject) -> None:
    guarded(mirrored, max_removed_pct=100)
    mirrored.sql("delete from activation.sync_snapshot")
    remove(mirrored, 5)
    assert mirrored.plan(FILES).counts == {"add": 5, "change": 0, "remove": 0, "invalid": 0}


def test_a_stopped_run_calls_nobody_and_leaves_no_trace(mirrored: SmallProject) -> None:
    before, sent = mirrored.dump(), files(mirrored)
    guarded(mirrored, max_removed=0)
    remove(mirrored, 1)
    stopped(mirrored)
    assert files(mirrored) == sent
    assert mirrored.dump() == before
    with mirrored.ledger() as ledger:
        assert [row["status"] for row in ledger.rows("select status from runs")] == ["settled"]


def test_a_guard_that_stopped_lets_go_of_the_sync(mirrored: SmallProject) -> None:
    guarded(mirrored, max_removed=0)
    remove(mirrored, 1)
    stopped(mirrored)
    assert mirrored.run(FILES, override=Override("mei", "agreed")).status == "succeeded"


def test_who_passed_a_guard_and_why_stands_in_the_run(mirrored: SmallProject) -> None:
    guarded(mirrored, max_removed=1)
    remove(mirrored, 2)
    result = mirrored.run(FILES, override=Override("mei", "The spring campaign has ended"))
    assert mirrored.rows("select overridden_by, override_reason from activation.sync_runs where run_id = ?", result.run_id) == [
        ("mei", "The spring campaign has ended; 2 rows would be removed; at most 1 may (max_removed).")
    ]


def test_an_override_that_was_not_needed_is_not_written_down(mirrored: SmallProject) -> None:
    result = mirrored.run(FILES, override=Override("mei", "to be sure"))
    assert mirrored.rows("select overridden_by, override_reason from activation.sync_runs where run_id = ?", result.run_id) == [
        (None, None)
    ]


def test_a_retry_of_single_rows_is_not_taken_for_an_empty_source(mirrored: SmallProject) -> None:
    """Retried alone, a removal that failed is all of the plan, and still the source is not empty."""
    guarded(mirrored, max_removed_pct=20)
    remove(mirrored, 1)
    result = mirrored.run(FILES, only_keys=["p_0"])
    assert result.operations["remove"]["succeeded"] == 1
