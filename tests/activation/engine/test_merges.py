"""Two profiles turn out to be one person: what was sent to either follows, for sends and for syncs."""

from __future__ import annotations

from typing import Any

import pytest
from small_project import NOON, SmallProject

from activation.engine import merges
from activation.engine.errors import PlanRefused
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
