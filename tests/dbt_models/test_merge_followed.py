"""Two known people turn out to be one, and later not: identifiers, tags, scores, consent and messages go where the person goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sent_records import at, consent, form, identify, track
from warehouse_house import House

NOW = at("2026-06-30 00:00")
SELECT = ["+tag_assignments", "+score_components", "+consent_state", "+explain_identifiers", "+explain_messages"]
ANN, BEN = "ann@mail.example", "+8613911110001"


def _viewed(times: int, category: str, **who: str) -> list[Any]:
    return [track("Product Viewed", f"2026-06-2{n} 10:00", category=category, **who) for n in range(times)]


def _seen(house: House, identifier: str) -> dict[str, Any]:
    profile = house.profile(identifier)
    return {
        "profile": profile,
        "views": house.column(
            "select sum(occurrences) from scores.score_components where profile_id = ? and model = 'engagement' and rule = 'product_viewed'",
            profile,
        )[0],
        "tags": set(house.column("select tag from tags.tag_assignments where profile_id = ?", profile)),
        "consent": house.rows("select purpose, status from marts.consent_state where profile_id = ? and channel = 'email'", profile),
        "messages": house.rows("select ref, outcome from explain.explain_messages where profile_id = ? order by all", profile),
    }


@pytest.fixture(scope="module")
def seen(new_house: Callable[[], House]) -> dict[str, dict[str, dict[str, Any]]]:
    """What is known of each of the two: apart, joined by a form, and parted by somebody's word."""
    house, found = new_house(), {}
    house.land(
        at("2026-06-27 00:00"),
        [
            identify(user="u-ann", email=ANN),
            *_viewed(3, "dresses", user="u-ann"),
            consent("email", ANN, "email", "newsletter", "granted", "2026-06-01 10:00"),
            identify("2026-06-02 10:00", anonymous="ben-device", phone=BEN),
            *_viewed(4, "coffee", anonymous="ben-device"),
            consent("phone", BEN, "email", "newsletter", "withdrawn", "2026-06-05 10:00"),
        ],
    )
    house.build(NOW, select=SELECT)
    for who, outcome in ((ANN, "withheld"), (BEN, "sent")):
        house.execute(
            "insert into activation.sync_changelog (run_id, row_number, ref, kind, profile_id, outcome) values ('r1', ?, 'mail/hello', 'send', ?, ?)",
            [[1 if who == ANN else 2, house.profile(who), outcome]],
        )
    found["apart"] = {who: _seen(house, who) for who in (ANN, BEN)}
    house.land(at("2026-06-28 00:00"), [form("2026-06-27 10:00", email=ANN, phone=BEN)])
    house.build(NOW, select=SELECT)
    found["joined"] = {who: _seen(house, who) for who in (ANN, BEN)}
    house.execute(
        "insert into seeds.identity_manual_pairs by name select 'email' as left_type, ? as left_identifier, 'phone' as right_type, ? as right_identifier, "
        "'never' as verdict, 'two people' as reason",
        [[ANN, BEN]],
    )
    house.profiles = {}
    house.dbt.run(["run"], house.project.warehouse, NOW, SELECT)
    found["parted"] = {who: _seen(house, who) for who in (ANN, BEN)}
    found["why"] = {
        "why": dict(
            house.rows(
                "select other_identifier, reason from explain.explain_identifiers where identifier = ? and verdict = 'not joined'", ANN
            )
        )
    }
    return found


def test_before_they_are_two_with_what_each_did(seen: dict[str, Any]) -> None:
    ann, ben = seen["apart"][ANN], seen["apart"][BEN]
    assert ann["profile"] != ben["profile"]
    assert (ann["views"], ben["views"]) == (3, 4)
    assert ann["tags"]
    assert ben["tags"]
    assert ann["tags"] != ben["tags"]
    assert (ann["consent"], ben["consent"]) == ([("newsletter", "granted")], [("newsletter", "withdrawn")])


def test_joined_they_have_the_first_ones_id_and_what_both_did(seen: dict[str, Any]) -> None:
    one, apart = seen["joined"][ANN], seen["apart"]
    assert one == seen["joined"][BEN]
    assert one["profile"] == apart[ANN]["profile"]
    assert one["views"] == 7
    assert one["tags"] >= apart[ANN]["tags"] | apart[BEN]["tags"]


def test_joined_the_latest_word_about_consent_holds(seen: dict[str, Any]) -> None:
    assert seen["joined"][ANN]["consent"] == [("newsletter", "withdrawn")]


def test_joined_the_messages_of_both_are_the_persons(seen: dict[str, Any]) -> None:
    assert seen["joined"][ANN]["messages"] == [("mail/hello", "sent"), ("mail/hello", "withheld")]


def test_parted_each_has_the_id_the_tags_the_consent_and_the_messages_of_before(seen: dict[str, Any]) -> None:
    for who in (ANN, BEN):
        for fact in ("profile", "views", "consent", "messages"):
            assert seen["parted"][who][fact] == seen["apart"][who][fact], (who, fact)
        assert seen["parted"][who]["tags"] >= seen["apart"][who]["tags"]
    assert seen["parted"][BEN]["tags"] == seen["apart"][BEN]["tags"]
    assert seen["why"]["why"] == {BEN: "between two that are never the same"}
