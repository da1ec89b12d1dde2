"""Two profiles turn out to be one person: what was sent to either follows, for sends and for syncs."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

from activation.engine import merges
from activation.engine.errors import GuardStop, PlanRefused
from activation.engine.models import Models
from activation.engine.warehouse import opened

Row = tuple[str, str, str, str | None, int | None]  # key, state, match value, provider id, hash


def remember(shop: SmallProject, ref: str, *rows: Row) -> None:
    """The state of `ref` holds exactly these rows, acknowledged one after the other."""
    shop.sql("delete from activation.sync_snapshot")
    with opened(shop.project) as connection:
        for number, (key, state, match, provider, hashed) in enumerate(rows):
            connection.execute(
                "insert into activation.sync_snapshot (ref, key, hash, hash_version, payload, match_value, profile_id, provider_id, acknowledged_at, "
                "run_id, state) values (?, ?, ?, 'v', '{}', ?, ?, ?, ?::timestamp + to_seconds(?), ?, ?)",
                [ref, key, hashed, match, key, provider, NOON.replace(tzinfo=None), number, f"r{number}", state],
            )


def follow(shop: SmallProject, ref: str) -> list[tuple[Any, ...]]:
    """(key, state, match value, profile) after following; following again changes nothing."""
    found = []
    for _ in range(2):
        with opened(shop.project) as connection:
            merges.follow(connection, Models(shop.project), shop.find(ref))
        found.append(shop.rows("select key, state, match_value, profile_id from activation.sync_snapshot order by key, match_value"))
    assert found[0] == found[1]
    return found[0]


def source(shop: SmallProject, *people: tuple[str, str]) -> None:
    """The sync's model holds exactly these profiles with these addresses."""
    shop.fill("sync_people", [(profile, address, "Name", "Wuhan", 1) for profile, address in people])


# -- syncs ----------------------------------------------------------------------------------------------------------------


def test_the_record_of_an_id_of_before_goes_on_under_the_id_of_today(shop: SmallProject) -> None:
    ref = shop.sync()
    source(shop, ("p_1", "one@mail.example"))
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_2", "acknowledged", "One@mail.example", "51", 7))
    assert follow(shop, ref) == [("p_1", "acknowledged", "One@mail.example", "p_1")]
    assert shop.rows("select provider_id, hash, hash_version from activation.sync_snapshot") == [("51", None, "rekeyed")]


def test_what_may_differ_over_there_is_not_compared_by_what_it_holds(shop: SmallProject) -> None:
    ref = shop.sync()
    source(shop, ("p_1", "one@mail.example"))
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_2", "acknowledged", "one@mail.example", "51", None))
    shop.sql("update activation.sync_snapshot set hash_version = 'uncertain'")
    follow(shop, ref)
    assert shop.rows("select hash, hash_version from activation.sync_snapshot") == [(None, "uncertain")]


def test_of_two_records_the_one_that_is_addressed_today_stays_and_the_other_is_to_be_removed(shop: SmallProject) -> None:
    ref = shop.sync(on_merged="archive")
    source(shop, ("p_1", "one@mail.example"))
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_1", "acknowledged", "one@mail.example", "51", 7), ("p_2", "acknowledged", "two@mail.example", "52", 7))
    assert follow(shop, ref) == [
        ("p_1", "acknowledged", "one@mail.example", "p_1"),
        ("p_2", "merged", "two@mail.example", "p_1"),
    ]
    assert shop.rows("select hash from activation.sync_snapshot where key = 'p_1'") == [(7,)]


def test_when_today_addresses_the_record_of_before_today_s_own_is_the_one_to_be_removed(shop: SmallProject) -> None:
    ref = shop.sync(on_merged="archive")
    source(shop, ("p_1", "two@mail.example"))
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_1", "acknowledged", "one@mail.example", "51", 7), ("p_2", "acknowledged", "two@mail.example", "52", 7))
    assert follow(shop, ref) == [
        ("p_1", "acknowledged", "two@mail.example", "p_1"),
        ("p_2", "merged", "one@mail.example", "p_1"),
    ]
    assert shop.rows("select provider_id from activation.sync_snapshot order by key") == [("52",), ("51",)]


@pytest.mark.parametrize(("address", "record"), [("ONE@mail.example", "52"), ("two@mail.example", "51"), ("third@mail.example", "52")])
def test_a_record_that_is_also_somebody_s_of_today_is_never_removed(shop: SmallProject, address: str, record: str) -> None:
    ref = shop.sync(on_merged="archive")
    source(shop, ("p_1", "one@mail.example"), ("p_3", "third@mail.example"))
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_1", "acknowledged", "one@mail.example", "51", 7), ("p_2", "acknowledged", address, record, 7))
    assert follow(shop, ref) == [("p_1", "acknowledged", "one@mail.example", "p_1")]


def test_without_on_merged_the_other_record_is_left_alone_and_forgotten(shop: SmallProject) -> None:
    ref = shop.sync()
    source(shop, ("p_1", "one@mail.example"))
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_1", "acknowledged", "one@mail.example", "51", 7), ("p_2", "acknowledged", "two@mail.example", "52", 7))
    assert follow(shop, ref) == [("p_1", "acknowledged", "one@mail.example", "p_1")]


def test_a_mirror_removes_the_record_that_bears_the_name_of_an_id_of_before(shop: SmallProject) -> None:
    ref = shop.sync("partner/people", match_on="profile_id", mode="mirror", on_removed="delete")
    source(shop, ("p_1", "one@mail.example"))
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_2", "acknowledged", "p_2", None, 7))
    assert follow(shop, ref) == [("p_2", "merged", "p_2", "p_1")]


def test_several_ids_of_before_leave_one_record_and_each_other_one_is_removed_once(shop: SmallProject) -> None:
    ref = shop.sync(on_merged="archive")
    source(shop, ("p_1", "one@mail.example"))
    shop.merges(("p_2", "p_1"), ("p_3", "p_1"), ("p_4", "p_1"), ("p_5", "p_1"))
    remember(
        shop,
        ref,
        ("p_2", "acknowledged", "two@mail.example", "52", 7),
        ("p_3", "acknowledged", "one@mail.example", "51", 7),
        ("p_4", "unconfirmed", "TWO@mail.example", None, None),
        ("p_5", "unconfirmed", "five@mail.example", None, None),
    )
    assert follow(shop, ref) == [
        ("p_1", "acknowledged", "one@mail.example", "p_1"),
        ("p_2", "merged", "two@mail.example", "p_1"),
        ("p_5", "merged", "five@mail.example", "p_1"),
    ]


def test_who_is_parted_before_the_removal_is_there_again_as_may_be(shop: SmallProject) -> None:
    ref = shop.sync(on_merged="archive")
    source(shop, ("p_1", "one@mail.example"), ("p_2", "two@mail.example"))
    shop.merges()
    remember(shop, ref, ("p_1", "acknowledged", "one@mail.example", "51", 7), ("p_2", "merged", "two@mail.example", "52", None))
    assert follow(shop, ref) == [
        ("p_1", "acknowledged", "one@mail.example", "p_1"),
        ("p_2", "unconfirmed", "two@mail.example", "p_2"),
    ]


def test_rows_that_are_keyed_by_something_else_only_say_whose_they_are(shop: SmallProject) -> None:
    ref = shop.sync(key="email")
    source(shop, ("p_1", "one@mail.example"))
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_2", "acknowledged", "one@mail.example", "51", 7))
    assert follow(shop, ref) == [("p_2", "acknowledged", "one@mail.example", "p_1")]
    assert shop.rows("select hash from activation.sync_snapshot") == [(7,)]


def test_other_syncs_states_are_left_alone(shop: SmallProject) -> None:
    ref, other = shop.sync(), shop.sync("partner/people")
    source(shop, ("p_1", "one@mail.example"))
    shop.merges(("p_2", "p_1"))
    remember(shop, other, ("p_2", "acknowledged", "one@mail.example", "51", 7))
    assert follow(shop, ref) == [("p_2", "acknowledged", "one@mail.example", "p_2")]


def test_a_project_without_merges_follows_none(shop: SmallProject) -> None:
    ref = shop.sync()
    remember(shop, ref, ("p_2", "acknowledged", "one@mail.example", "51", 7))
    assert follow(shop, ref) == [("p_2", "acknowledged", "one@mail.example", "p_2")]


def test_merges_that_are_not_built_are_asked_for(shop: SmallProject) -> None:
    ref = shop.send()
    shop.merges()
    shop.sql("drop table profile_merges")
    with pytest.raises(PlanRefused, match=r"Model `profile_merges` is not in the warehouse\. Run `sluice build`\."):
        follow(shop, ref)


# -- sends ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["acknowledged", "held", "dropped"])
def test_a_message_to_an_id_of_before_is_the_person_s_of_today(shop: SmallProject, state: str) -> None:
    ref = shop.send()
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_2", state, "two@mail.example", None, None))
    assert follow(shop, ref) == [("p_1", "merged", "two@mail.example", "p_1"), ("p_2", state, "two@mail.example", "p_1")]


def test_who_had_it_under_both_ids_has_it_under_both(shop: SmallProject) -> None:
    ref = shop.send()
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_1", "dropped", "one@mail.example", None, None), ("p_2", "acknowledged", "two@mail.example", None, None))
    assert follow(shop, ref) == [("p_1", "dropped", "one@mail.example", "p_1"), ("p_2", "acknowledged", "two@mail.example", "p_1")]


def test_of_several_ids_of_before_the_one_that_surely_had_it_counts(shop: SmallProject) -> None:
    ref = shop.send()
    shop.merges(("p_2", "p_1"), ("p_3", "p_1"))
    remember(shop, ref, ("p_2", "held", "two@mail.example", None, None), ("p_3", "acknowledged", "three@mail.example", None, None))
    assert follow(shop, ref)[0] == ("p_1", "merged", "three@mail.example", "p_1")


def test_a_held_message_that_is_released_is_due_to_the_person_of_today(shop: SmallProject) -> None:
    ref = shop.send()
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_2", "held", "two@mail.example", None, None))
    follow(shop, ref)
    shop.sql("delete from activation.sync_snapshot where key = 'p_2'")
    assert follow(shop, ref) == []


def test_of_two_who_are_parted_again_neither_gets_what_either_had(shop: SmallProject) -> None:
    ref = shop.send()
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_2", "acknowledged", "two@mail.example", None, None))
    follow(shop, ref)
    shop.merges()
    assert [row[:2] for row in follow(shop, ref)] == [("p_1", "merged"), ("p_2", "acknowledged")]


def test_a_merge_into_a_merged_person_follows_too(shop: SmallProject) -> None:
    ref = shop.send()
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_2", "acknowledged", "two@mail.example", None, None))
    follow(shop, ref)
    shop.merges(("p_2", "p_0"), ("p_1", "p_0"))
    assert [(row[0], row[3]) for row in follow(shop, ref)] == [("p_0", "p_0"), ("p_1", "p_0"), ("p_2", "p_0")]


# -- a look only ----------------------------------------------------------------------------------------------------------


def test_a_look_moves_nothing(shop: SmallProject) -> None:
    ref = shop.send()
    shop.merges(("p_2", "p_1"))
    remember(shop, ref, ("p_2", "acknowledged", "two@mail.example", None, None))
    with opened(shop.project) as connection:
        with merges.followed(connection, Models(shop.project), shop.find(ref)):
            seen = connection.execute("select count(*) from activation.sync_snapshot").fetchall()
        after = connection.execute("select key from activation.sync_snapshot").fetchall()
    assert (seen, after) == ([(2,)], [("p_2",)])


# -- whole runs -----------------------------------------------------------------------------------------------------------


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
