"""What a run would do: the difference between the source of today and what the destination last acknowledged."""

from __future__ import annotations

import pytest
from running_sandbox import RunningSandbox
from small_project import SmallProject, plan_rows

from activation.engine.errors import PlanRefused

MIRROR = {"mode": "mirror", "on_removed": "delete", "guards": {"max_removed_pct": 100}}
FILES = "files/people"  # a folder: whatever leaves is acknowledged


def test_rows_never_acknowledged_are_added(shop: SmallProject) -> None:
    shop.people(2)
    assert shop.planned(shop.sync(FILES)) == [("add", "p_0", None), ("add", "p_1", None)]


def test_a_source_that_did_not_change_plans_nothing(shop: SmallProject) -> None:
    shop.people(3)
    ref = shop.sync(FILES)
    shop.run(ref)
    assert shop.planned(ref) == []


def test_a_changed_value_is_a_change_with_what_it_was_before(shop: SmallProject) -> None:
    shop.people(2)
    ref = shop.sync(FILES)
    shop.run(ref)
    shop.change("p_1", "first_name", "Mei")
    (row,) = plan_rows(shop.plan(ref))
    assert (row["operation"], row["key"]) == ("change", "p_1")
    assert row["before"] == '{"email":"u1@mail.example","firstname":"Name1"}'
    assert row["payload"] == '{"email":"u1@mail.example","firstname":"Mei"}'


def test_a_value_that_goes_and_comes_back_is_sent_both_times(shop: SmallProject) -> None:
    shop.people(1)
    ref = shop.sync(FILES)
    shop.run(ref)
    for value in ("B", "Name0"):
        shop.change("p_0", "first_name", value)
        assert shop.planned(ref) == [("change", "p_0", None)]
        shop.run(ref)
    assert shop.planned(ref) == []


def test_a_value_that_goes_and_comes_back_between_two_runs_is_not_sent(shop: SmallProject) -> None:
    shop.people(1)
    ref = shop.sync(FILES)
    shop.run(ref)
    shop.change("p_0", "first_name", "B")
    shop.change("p_0", "first_name", "Name0")
    assert shop.planned(ref) == []


def test_only_the_rows_that_failed_are_planned_again(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(4)
    ref = shop.sync()
    sandbox.fault("hubspot", "partial", match="u2@mail.example")
    assert shop.run(ref).outcomes["rejected"] == 1
    assert shop.planned(ref) == [("add", "p_2", None)]


def test_a_row_that_failed_is_sent_as_it_is_now_not_as_it_was(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(1)
    ref = shop.sync()
    sandbox.fault("hubspot", "partial", match="u0@mail.example")
    shop.run(ref)
    shop.change("p_0", "first_name", "Mei")
    assert shop.run(ref).status == "succeeded"
    assert sandbox.contacts()["u0@mail.example"]["firstname"] == "Mei"


def test_a_change_that_failed_and_was_taken_back_is_not_sent(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(1)
    ref = shop.sync()
    shop.run(ref)
    shop.change("p_0", "first_name", "Mei")
    sandbox.fault("hubspot", "partial", match="Mei")
    assert shop.run(ref).outcomes["rejected"] == 1
    shop.change("p_0", "first_name", "Name0")
    assert shop.planned(ref) == []


def test_rows_without_a_key_are_invalid_and_the_others_are_planned(shop: SmallProject) -> None:
    shop.people(1)
    shop.sql("insert into sync_people values (null, 'a@mail.example', 'A', '', 1), (null, 'b@mail.example', 'B', '', 1)")
    planned = shop.planned(shop.sync(FILES))
    assert sorted(planned, key=str) == [("add", "p_0", None), ("add", None, "NULL_KEY"), ("add", None, "NULL_KEY")]


def test_every_row_of_a_key_that_stands_twice_is_invalid(shop: SmallProject) -> None:
    shop.people(2)
    shop.sql("insert into sync_people values ('p_0', 'other@mail.example', 'Other', '', 1)")
    planned = shop.planned(shop.sync(FILES))
    assert planned == [("add", "p_0", "DUPLICATE_KEY"), ("add", "p_0", "DUPLICATE_KEY"), ("add", "p_1", None)]


def test_a_key_that_is_there_twice_is_not_gone(shop: SmallProject) -> None:
    shop.people(2)
    ref = shop.sync(FILES, **MIRROR)
    shop.run(ref)
    shop.sql("insert into sync_people select * from sync_people where profile_id = 'p_0'")
    assert shop.planned(ref) == [("change", "p_0", "DUPLICATE_KEY")] * 2


def test_a_row_with_nothing_to_match_on_is_invalid(shop: SmallProject) -> None:
    shop.people(2)
    shop.change("p_1", "email", None)
    assert shop.planned(shop.sync(FILES)) == [("add", "p_0", None), ("add", "p_1", "NULL_MATCH")]


def test_invalid_rows_leave_the_acknowledged_state_as_it_is(shop: SmallProject) -> None:
    shop.people(2)
    ref = shop.sync(FILES)
    shop.run(ref)
    before = shop.state(ref)
    shop.change("p_1", "email", None)
    result = shop.run(ref)
    assert (result.status, result.outcomes["invalid"]) == ("failed_rows", 1)
    assert shop.state(ref) == before


def test_a_column_that_nobody_sends_changes_nothing(shop: SmallProject) -> None:
    shop.people(2)
    ref = shop.sync(FILES)
    shop.run(ref)
    shop.sql("update sync_people set city = 'Beijing', visits = 99", "alter table sync_people add column brand_new varchar default 'x'")
    assert shop.planned(ref) == []


def test_a_field_added_to_the_mapping_sends_every_row(shop: SmallProject) -> None:
    shop.people(2)
    ref = shop.sync(FILES)
    shop.run(ref)
    shop.sync(FILES, fields={"email": "email", "firstname": "first_name", "city": "city"})
    assert shop.planned(ref) == [("change", "p_0", None), ("change", "p_1", None)]


def test_a_field_that_gets_another_name_over_there_sends_every_row(shop: SmallProject) -> None:
    shop.people(1)
    ref = shop.sync(FILES)
    shop.run(ref)
    shop.sync(FILES, fields={"email": "email", "given_name": "first_name"})
    assert shop.planned(ref) == [("change", "p_0", None)]


def test_a_match_value_that_changes_is_a_change_even_if_it_is_no_field(shop: SmallProject) -> None:
    shop.people(2)
    ref = shop.sync(FILES, fields={"firstname": "first_name"})
    shop.run(ref)
    shop.change("p_1", "email", "new@mail.example")
    assert shop.planned(ref) == [("change", "p_1", None)]
    shop.run(ref)
    assert shop.planned(ref) == []


def test_null_and_the_empty_text_are_not_the_same(shop: SmallProject) -> None:
    shop.people(1)
    shop.change("p_0", "first_name", None)
    ref = shop.sync(FILES)
    shop.run(ref)
    shop.change("p_0", "first_name", "")
    assert shop.planned(ref) == [("change", "p_0", None)]


def test_values_that_shift_between_fields_are_a_change(shop: SmallProject) -> None:
    shop.people(1)
    shop.sql("update sync_people set first_name = 'ab', city = 'c'")
    ref = shop.sync(FILES, fields={"a": "first_name", "b": "city"})
    shop.run(ref)
    shop.sql("update sync_people set first_name = 'a', city = 'bc'")
    assert shop.planned(ref) == [("change", "p_0", None)]


def test_a_number_that_is_none_leaves_as_null(shop: SmallProject) -> None:
    shop.people(2)
    shop.sql("alter table sync_people alter visits type double", "update sync_people set visits = 'nan' where profile_id = 'p_0'")
    shop.sql("update sync_people set visits = 'infinity' where profile_id = 'p_1'")
    ref = shop.sync(FILES, fields={"visits": "visits"})
    assert [row["payload"] for row in plan_rows(shop.plan(ref))] == ['{"visits":null}'] * 2
    assert shop.run(ref).status == "succeeded"


def test_a_column_that_is_gone_refuses_the_plan_and_names_the_nearest(shop: SmallProject) -> None:
    shop.people(1)
    ref = shop.sync(FILES)
    shop.sql("alter table sync_people rename first_name to firstname")
    with pytest.raises(PlanRefused) as refused:
        shop.plan(ref)
    assert str(refused.value) == (
        "activation/syncs/files/people.yml: model `sync_people` has no column `first_name` (fields.firstname) Did you mean `firstname`?"
    )


def test_every_missing_column_is_named_at_once(shop: SmallProject) -> None:
    ref = shop.sync(FILES, key="profil_id", match_on="mail", fields={"town": "town"})
    with pytest.raises(PlanRefused) as refused:
        shop.plan(ref)
    for part in ("`profil_id` (key) Did you mean `profile_id`?", "`mail` (match_on)", "`town` (fields.town)"):
        assert part in str(refused.value)


def test_a_model_that_was_never_built_refuses_the_plan(shop: SmallProject) -> None:
    ref = shop.sync(FILES)
    shop.sql("drop table sync_people")
    with pytest.raises(PlanRefused, match=r"`sync_people` is not in the warehouse. Run `sluice build`."):
        shop.plan(ref)


def test_the_order_of_the_rows_does_not_matter_to_the_hash(shop: SmallProject) -> None:
    shop.people(50)
    ref = shop.sync(FILES)
    first = shop.plan(ref)
    shop.sql("create table shuffled as select * from sync_people order by random()", "delete from sync_people")
    shop.sql("insert into sync_people select * from shuffled")
    second = shop.plan(ref)
    assert second.plan_hash == first.plan_hash
    assert plan_rows(second) == plan_rows(first)


def test_the_same_rows_make_the_same_plan_and_other_rows_another(shop: SmallProject) -> None:
    shop.people(3)
    ref = shop.sync(FILES)
    first = shop.plan(ref).plan_hash
    assert shop.plan(ref).plan_hash == first
    shop.change("p_2", "first_name", "Mei")
    assert shop.plan(ref).plan_hash != first
    shop.change("p_2", "first_name", "Name2")
    assert shop.plan(ref).plan_hash == first


def test_the_hash_tells_the_same_rows_for_two_syncs_apart(shop: SmallProject) -> None:
    shop.people(3)
    assert shop.plan(shop.sync("files/one")).plan_hash != shop.plan(shop.sync("files/two")).plan_hash


def test_what_would_happen_to_the_rows_is_part_of_the_hash(shop: SmallProject) -> None:
    shop.people(3)
    ref = shop.sync(FILES, mode="mirror", on_removed="delete")
    first = shop.plan(ref).plan_hash
    shop.sync(FILES, purpose="newsletter", mode="mirror", on_removed="delete")
    assert shop.plan(ref).plan_hash != first


def test_who_is_gone_from_the_source_is_removed_in_a_mirror(shop: SmallProject) -> None:
    shop.people(3)
    ref = shop.sync(FILES, **MIRROR)
    shop.run(ref)
    shop.sql("delete from sync_people where profile_id = 'p_1'")
    (row,) = plan_rows(shop.plan(ref))
    assert (row["operation"], row["key"], row["match_value"]) == ("remove", "p_1", "u1@mail.example")
    shop.run(ref)
    assert shop.planned(ref) == []


def test_what_was_acknowledged_of_who_is_gone_stands_in_the_plan_where_it_is_needed(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(9)
    row_wise, by_key = shop.sync(FILES, **MIRROR), shop.sync(mode="mirror", on_removed="archive", guards={"max_removed_pct": 100})
    for ref in (row_wise, by_key):
        shop.run(ref)
    shop.sql("delete from sync_people where profile_id < 'p_8'")
    held = {ref: [(row["payload"], row["before"]) for row in plan_rows(shop.plan(ref))] for ref in (row_wise, by_key)}
    was = [f'{{"email":"u{number}@mail.example","firstname":"Name{number}"}}' for number in range(8)]
    assert held[row_wise] == [(one, one) for one in was]  # a file gets the whole row
    assert (
        held[by_key] == [("{}", one) for one in was[:5]] + [("{}", None)] * 3
    )  # HubSpot the record's name; five are there to be looked at
    shop.run(by_key)
    assert shop.planned(by_key) == []


def test_who_is_gone_from_the_source_stays_over_there_with_upsert(shop: SmallProject) -> None:
    shop.people(3)
    ref = shop.sync(FILES)
    shop.run(ref)
    shop.sql("delete from sync_people where profile_id = 'p_1'")
    assert shop.planned(ref) == []


def test_only_what_was_acknowledged_can_be_removed(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.sync(mode="mirror", on_removed="archive", guards={"max_removed_pct": 100})
    sandbox.fault("hubspot", "partial", match="u1@mail.example")
    shop.run(ref)
    shop.sql("delete from sync_people where profile_id in ('p_0', 'p_1')")
    assert shop.planned(ref) == [("remove", "p_0", None)]


def test_a_person_comes_back_as_an_addition(shop: SmallProject) -> None:
    shop.people(2)
    ref = shop.sync(FILES, **MIRROR)
    shop.run(ref)
    shop.sql("create table gone as select * from sync_people where profile_id = 'p_1'", "delete from sync_people where profile_id = 'p_1'")
    shop.run(ref)
    shop.sql("insert into sync_people select * from gone")
    assert shop.planned(ref) == [("add", "p_1", None)]


def test_a_removal_the_destination_knows_nothing_of_is_done(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    ref = shop.sync(mode="mirror", on_removed="archive", guards={"max_removed_pct": 100})
    shop.run(ref)
    # The record has gone over there, and we no longer know what it was called.
    shop.sql("delete from sync_people where profile_id = 'p_1'")
    shop.sql("update activation.sync_snapshot set provider_id = null, match_value = 'never@mail.example' where key = 'p_1'")
    assert shop.outcomes(shop.run(ref).run_id) == {"p_1": ("skipped", "NO_MATCH")}
    assert shop.planned(ref) == []


def test_a_null_is_sent_or_keeps_what_the_destination_has_as_the_field_says(shop: SmallProject) -> None:
    shop.people(1)
    ref = shop.sync(FILES, fields={"email": "email", "firstname": "first_name", "city": "city"}, nulls={"city": "skip_null"})
    shop.run(ref)
    assert shop.state(ref)["p_0"][1] == {"email": "u0@mail.example", "firstname": "Name0", "city": "Wuhan"}
    shop.change("p_0", "city", None)
    assert shop.planned(ref) == []
    shop.change("p_0", "first_name", None)
    (row,) = plan_rows(shop.plan(ref))
    assert row["payload"] == '{"email":"u0@mail.example","firstname":null}'
    shop.run(ref)
    shop.change("p_0", "city", "Beijing")
    assert shop.planned(ref) == [("change", "p_0", None)]


def test_a_value_that_is_set_once_is_not_sent_again(shop: SmallProject) -> None:
    shop.people(1)
    ref = shop.sync(FILES, fields={"email": "email", "firstname": "first_name", "city": "city"}, nulls={"city": "set_if_empty"})
    shop.run(ref)
    shop.change("p_0", "city", "Beijing")
    assert shop.planned(ref) == []
    shop.change("p_0", "first_name", "Mei")
    (row,) = plan_rows(shop.plan(ref))
    assert row["payload"] == '{"email":"u0@mail.example","firstname":"Mei"}'
