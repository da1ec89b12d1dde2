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


def test_a_part_is_one_of_all_rows_that_may_be_over_there(shop: SmallProject) -> None:
    shop.people(5)
    ref = shop.sync(FILES, mode="mirror", on_removed="delete", guards={"max_removed_pct": 80})
    shop.run(ref)
    # As after calls that nobody answered.
    shop.sql("update activation.sync_snapshot set state = 'unconfirmed', hash = null, hash_version = 'uncertain' where key > 'p_1'")
    shop.sql("delete from sync_people where profile_id > 'p_0'")
    assert shop.run(ref).operations["remove"]["succeeded"] == 4


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


def test_parts_and_numbers_hold_for_what_is_added_changed_and_planned_in_all(mirrored: SmallProject) -> None:
    mirrored.sql(
        "update sync_people set first_name = 'x' where profile_id >= 'p_6'",
        "insert into sync_people (profile_id, email) select 'n_' || i, 'n@mail.example' from range(3) t(i)",
    )
    exactly = {"max_changed": 4, "max_changed_pct": 40, "max_added": 3, "max_added_pct": 30, "max_total": 7, "max_total_pct": 70}
    sentences = {
        "max_changed": "4 rows would be changed; at most 3 may (max_changed).",
        "max_changed_pct": "4 of 10 rows (40.0%) would be changed; at most 39% may (max_changed_pct).",
        "max_added": "3 rows would be added; at most 2 may (max_added).",
        "max_added_pct": "3 of 10 rows (30.0%) would be added; at most 29% may (max_added_pct).",
        "max_total": "7 rows in all; at most 6 may (max_total).",
        "max_total_pct": "7 rows in all are 70.0% of the 10 over there; at most 69% may be planned (max_total_pct).",
    }
    for name, sentence in sentences.items():
        guarded(mirrored, **exactly | {name: exactly[name] - 1})
        assert stopped(mirrored) == [sentence]
    guarded(mirrored, **exactly)
    assert mirrored.run(FILES).status == "succeeded"


def test_parts_of_nothing_stop_no_first_run(shop: SmallProject) -> None:
    shop.people(3)
    guarded(shop, max_added_pct=1, max_total_pct=1, max_changed_pct=0)
    assert shop.run(FILES).status == "succeeded"


def test_a_lost_state_is_told_and_everything_is_planned_as_new(mirrored: SmallProject) -> None:
    assert mirrored.runner().preview(mirrored.find(FILES)).plan.warnings == []
    mirrored.sql("delete from activation.sync_snapshot")
    remove(mirrored, 5)
    preview = mirrored.runner().preview(mirrored.find(FILES))
    assert preview.plan.counts == {"add": 5, "change": 0, "remove": 0, "invalid": 0}
    assert preview.plan.warnings == [
        "The state of files/people is empty, and the ledger knows of rows that were delivered: it was lost. "
        "All rows are planned as new, and nothing over there is removed."
    ]
    result = mirrored.run(FILES)
    assert list(result.warnings) == preview.plan.warnings
    assert mirrored.run(FILES).warnings == []


def test_a_run_of_which_nothing_was_delivered_leaves_no_state_to_lose(shop: SmallProject) -> None:
    shop.people(2)
    shop.fill("consent_state", [(f"p_{i}", "all", "all", "withdrawn", None) for i in range(2)])
    guarded(shop)
    assert shop.run(FILES).outcomes["withheld"] == 2
    assert shop.run(FILES).warnings == []


def test_an_empty_source_is_told_once(mirrored: SmallProject) -> None:
    guarded(mirrored)
    mirrored.sql("delete from sync_people")
    assert stopped(mirrored) == ["The source is empty and all 10 rows would be removed: an empty source never deletes."]


@pytest.mark.parametrize(("ref", "table"), [("hubspot/people", "lots"), ("mail/hello", "deliveries")])
def test_rows_that_were_tried_and_did_not_arrive_leave_no_state_to_lose(shop: SmallProject, quick: None, ref: str, table: str) -> None:
    shop.people(2)
    shop.sync("hubspot/people")
    shop.send("mail/hello")
    assert shop.run(ref).outcomes["sent"] == 0  # nobody listens there
    with shop.ledger() as ledger:
        assert ledger.rows(f"select run_id from {table}")
    assert shop.run(ref).warnings == []


def test_a_mapped_column_of_another_type_stops_by_its_name_until_somebody_lets_it_pass(shop: SmallProject) -> None:
    shop.people(3)
    ref = shop.sync(FILES, fields={"email": "email", "name": "first_name", "visits": "visits"})
    shop.run(ref)
    shop.sql("alter table sync_people alter visits type varchar", "update sync_people set visits = visits || '.0'")
    (reason,) = stopped(shop)
    assert reason.startswith("The column `visits` was INTEGER when this sync last ran, and is VARCHAR")
    assert len(stopped(shop)) == 1, "what was stopped is not remembered"
    assert shop.run(ref, override=Override("Mei", "The shop counts by the half now.")).operations["change"]["succeeded"] == 3
    assert shop.run(ref).planned == 0


@pytest.mark.parametrize(("was", "becomes"), [("integer", "hugeint"), ("decimal(9, 2)", "decimal(18, 2)"), ("float", "double")])
def test_a_number_that_only_has_more_room_stops_nothing(shop: SmallProject, was: str, becomes: str) -> None:
    shop.people(2)
    shop.sql(f"alter table sync_people alter visits type {was}")
    ref = shop.sync(FILES, fields={"email": "email", "visits": "visits"})
    shop.run(ref)
    shop.sql(f"alter table sync_people alter visits type {becomes}")
    assert shop.run(ref).status == "succeeded"
