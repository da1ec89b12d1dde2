"""Runs after two profiles turned out to be one person: nobody gets a message again, and one record is left over there."""

from __future__ import annotations

import hashlib

import pytest
from running_sandbox import RunningSandbox
from small_project import SmallProject

from activation.engine.errors import GuardStop


def contacts(sandbox: RunningSandbox) -> dict[str, str]:
    """What HubSpot holds: first names by address."""
    return {address: properties["firstname"] for address, properties in sandbox.contacts().items()}


def merge_two(shop: SmallProject, name: str = "Both") -> None:
    """p_1 was p_0 all the time."""
    shop.merges(("p_1", "p_0"))
    shop.sql(*(f"delete from {table} where profile_id = 'p_1'" for table in ("sync_people", "dim_profiles", "segment_everyone")))
    shop.sql(f"update sync_people set first_name = '{name}' where profile_id = 'p_0'")


def test_the_merged_profile_s_record_is_archived_once_and_said_so(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.sync(on_merged="archive", guards={"max_merged_pct": 50})
    shop.run(ref)
    merge_two(shop)
    run = shop.run(ref)
    assert contacts(sandbox) == {"u0@mail.example": "Both", "u2@mail.example": "Name2"}
    assert shop.books(run.run_id)["sent"] == 2
    assert shop.outcomes(run.run_id) == {"p_0": ("sent", ""), "p_1": ("sent", "MERGED")}
    assert shop.rows("select operation, profile_id, reason from activation.sync_changelog where reason_code = 'MERGED'") == [
        ("remove", "p_0", "The profile was found to be another person's, whose own record stays.")
    ]
    assert shop.planned(ref) == []
    assert shop.run(ref).planned == 0


def test_a_record_of_an_id_of_before_is_changed_and_not_added(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    ref = shop.sync(on_merged="archive")
    shop.sql("delete from sync_people where profile_id = 'p_0'")
    shop.run(ref)
    merge_two(shop)
    shop.fill("sync_people", [("p_0", "u1@mail.example", "Both", "Wuhan", 1)])
    run = shop.run(ref)
    assert shop.rows("select operation, key from activation.sync_changelog where run_id = ?", run.run_id) == [("change", "p_0")]
    assert contacts(sandbox) == {"u1@mail.example": "Both"}


def test_a_record_that_holds_the_same_under_the_id_of_today_is_not_sent_again(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    ref = shop.sync()
    shop.sql("delete from sync_people where profile_id = 'p_0'")
    shop.run(ref)
    merge_two(shop)
    shop.fill("sync_people", [("p_0", "u1@mail.example", "Name1", "Wuhan", 1)])
    assert shop.run(ref).planned == 0
    assert list(shop.state(ref)) == ["p_0"]


def test_a_mirror_removes_a_merged_record_though_the_guard_of_removals_forbids_any(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(10)
    ref = shop.sync("hubspot/people", mode="mirror", on_removed="archive", guards={"max_removed": 0})
    shop.run(ref)
    merge_two(shop, name="Name0")
    assert shop.run(ref).operations["remove"]["succeeded"] == 1
    assert len(contacts(sandbox)) == 9


def test_too_many_merges_at_once_are_stopped_by_their_own_guard(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.sync(on_merged="archive")
    shop.run(ref)
    merge_two(shop)
    with pytest.raises(GuardStop, match=r"1 of 3 rows \(33.3%\) would be removed as merged; at most 20% may \(max_merged_pct\)"):
        shop.run(ref)
    assert len(contacts(sandbox)) == 3


def test_an_empty_source_does_not_even_remove_what_was_merged(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(3)
    ref = shop.sync(on_merged="archive", guards={"max_merged_pct": 100})
    shop.run(ref)
    merge_two(shop)
    shop.sql("delete from sync_people")
    with pytest.raises(GuardStop, match="an empty source never deletes"):
        shop.run(ref)
    assert len(contacts(sandbox)) == 3


def test_a_removal_that_failed_is_planned_again(shop: SmallProject, sandbox: RunningSandbox, quick: None) -> None:
    shop.people(10)
    ref = shop.sync(on_merged="archive")
    shop.run(ref)
    merge_two(shop, name="Name0")
    record = next(r[0] for r in shop.rows("select provider_id from activation.sync_snapshot where key = 'p_1'"))
    sandbox.fault("hubspot", "timeout", times=4, match=record)
    first = shop.run(ref)
    assert first.outcomes["unknown"] == 1
    assert shop.outcomes(shop.run(ref).run_id)["p_1"] == ("sent", "MERGED")
    assert len(contacts(sandbox)) == 9


def test_who_is_parted_again_is_added_anew_and_nobody_is_removed(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(10)
    ref = shop.sync(on_merged="archive")
    shop.run(ref)
    merge_two(shop, name="Name0")
    shop.run(ref)
    shop.people(10)
    shop.merges()
    run = shop.run(ref)
    assert shop.rows("select operation, key from activation.sync_changelog where run_id = ?", run.run_id) == [("add", "p_1")]
    assert len(contacts(sandbox)) == 10


def test_a_message_that_reached_an_id_of_before_never_reaches_the_person_again(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    ref = shop.send()
    shop.sql("delete from segment_everyone where profile_id = 'p_0'")
    shop.run(ref)
    merge_two(shop)
    shop.sql("insert into segment_everyone values ('p_0')")
    assert shop.runner().preview(shop.find(ref)).plan.planned == 0
    assert shop.run(ref).planned == 0
    assert [message["to"] for message in sandbox.taken("smtp")] == ["u1@mail.example"]
    shop.people(2)
    shop.merges()
    assert shop.run(ref).planned == 0


def test_a_receipt_for_an_id_of_before_settles_what_was_held(shop: SmallProject, sandbox: RunningSandbox, quick: None) -> None:
    shop.people(2)
    ref = shop.send("sms/hello")
    shop.sql("delete from segment_everyone where profile_id = 'p_0'")
    sandbox.fault("aliyun_sms", "timeout")
    run = shop.run(ref)
    assert run.outcomes["unknown"] == 1
    merge_two(shop)
    shop.sql("insert into segment_everyone values ('p_0')")
    assert shop.run(ref).planned == 0
    shop.sql("insert into fct_message_events select message_id from activation.sync_changelog")
    assert shop.run(ref).planned == 0
    assert {key: state for key, (state, _) in shop.state(ref).items()} == {"p_0": "merged", "p_1": "acknowledged"}
    assert len(sandbox.taken("aliyun_sms")) == 1


def test_a_preview_follows_merges_and_moves_nothing(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(10)
    ref = shop.sync(on_merged="archive")
    shop.run(ref)
    merge_two(shop)
    before = shop.dump()
    plan = shop.runner().preview(shop.find(ref)).plan
    assert (plan.counts["change"], plan.counts["remove"], plan.merged) == (1, 1, 1)
    assert shop.dump() == before
    assert shop.run(ref, plan_hash=plan.plan_hash).outcomes["sent"] == 2


def test_who_was_held_out_under_an_id_of_before_stays_held_out(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    # Of the two, this salt holds out p_1.
    salt = next(f"s{n}" for n in range(100) if number(f"s{n}", "p_1") < 5000 <= number(f"s{n}", "p_0"))
    shop.policy("holdouts", f"universal: {{percent: 50, salt: {salt}}}\n")
    ref, later = shop.send("mail/hello"), shop.send("mail/later")
    shop.sql("delete from segment_everyone where profile_id = 'p_0'")
    assert shop.run(ref).outcomes["withheld"] == 1
    merge_two(shop)
    shop.sql("insert into segment_everyone values ('p_0')")
    run = shop.run(later)
    assert shop.outcomes(run.run_id) == {"p_0": ("withheld", "HOLDOUT_UNIVERSAL")}
    assert sandbox.taken("smtp") == []


def test_what_was_sent_under_an_id_of_before_counts_for_the_caps(shop: SmallProject, sandbox: RunningSandbox) -> None:
    shop.people(2)
    shop.policy("frequency_caps", "caps: [{channel: email, messages: 1, days: 7}]\n")
    ref, later = shop.send("mail/hello"), shop.send("mail/later")
    shop.sql("delete from segment_everyone where profile_id = 'p_0'")
    shop.run(ref)
    merge_two(shop)
    shop.sql("insert into segment_everyone values ('p_0')")
    assert shop.withheld(later) == {"p_0": "CAP_EMAIL"}


def number(salt: str, profile: str) -> int:
    """Where a person stands among 10,000."""
    return int(hashlib.md5(f"{salt}:{profile}".encode()).hexdigest()[:15], 16) % 10_000
