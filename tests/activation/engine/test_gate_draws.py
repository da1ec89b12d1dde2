"""Holdouts and experiments: who is drawn depends on the person and the salt alone, is written down, and is never drawn again."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import pytest
from running_sandbox import RunningSandbox
from small_project import NOON, SmallProject

MAIL = "mail/hello"
ARMS = {"a": 50, "b": 50, "control": 100}


def number(salt: str, person: str) -> int:
    """The number of a person, as draws.py documents it."""
    return int(hashlib.md5(f"{salt}:{person}".encode()).hexdigest()[:15], 16)


def arm(person: str) -> str:
    place = number("experiment:subject", person) % 200
    return "a" if place < 50 else "b" if place < 100 else "control"


def out(salt: str, percent: float, people: int) -> set[str]:
    return {f"p_{i}" for i in range(people) if number(salt, f"p_{i}") % 10_000 < percent * 100}


def assignments(shop: SmallProject, name: str) -> dict[str, str]:
    return dict(shop.rows("select profile_id, arm from activation.assignments where name = ?", name))


def experiment(shop: SmallProject, **changes: Any) -> str:
    return shop.send(MAIL, experiment={"name": "subject", "arms": ARMS, **changes})


@pytest.fixture
def forty(shop: SmallProject) -> SmallProject:
    shop.people(40)
    return shop


def test_a_holdout_takes_who_the_hash_says(forty: SmallProject) -> None:
    forty.send(MAIL, holdout={"percent": 30})
    assert forty.withheld(MAIL) == dict.fromkeys(out(f"holdout:{MAIL}", 30, 40), "HOLDOUT")
    forty.send(MAIL, holdout={"percent": 12.34, "salt": "autumn"})
    assert forty.withheld(MAIL) == dict.fromkeys(out("autumn", 12.34, 40), "HOLDOUT")


def test_the_universal_holdout_is_asked_before_that_of_the_send(forty: SmallProject) -> None:
    forty.policy("holdouts", "universal: {percent: 40, salt: '2026'}\n")
    forty.send(MAIL, holdout={"percent": 40})
    universal = out("2026", 40, 40)
    own = out(f"holdout:{MAIL}", 40, 40) - universal
    assert forty.withheld(MAIL) == {**dict.fromkeys(universal, "HOLDOUT_UNIVERSAL"), **dict.fromkeys(own, "HOLDOUT")}


def test_what_is_owed_to_a_person_and_records_know_no_universal_holdout(forty: SmallProject) -> None:
    forty.policy("holdouts", "universal: {percent: 99, salt: '2026'}\n")
    assert forty.withheld(forty.send(MAIL, purpose="order_update")) == {}
    assert forty.withheld(forty.sync("hubspot/people")) == {}


def test_the_control_arm_gets_nothing_and_the_others_their_content(forty: SmallProject, sandbox: RunningSandbox) -> None:
    forty.write("activation/content/other.yml", 'email: {subject: "Arm {{ arm }}", html: hello.html}\n')
    experiment(forty, content={"b": "other"})
    result = forty.run(MAIL)
    expected = {f"p_{i}": arm(f"p_{i}") for i in range(40)}
    assert {
        key for key, (outcome, code) in forty.outcomes(result.run_id).items() if (outcome, code) == ("withheld", "EXPERIMENT_CONTROL")
    } == {who for who, which in expected.items() if which == "control"}
    assert Counter(message["content"]["subject"] for message in sandbox.taken("smtp")) == Counter(
        "Arm b" if which == "b" else f"Hello Name{who[2:]}" for who, which in expected.items() if which != "control"
    )
    assert assignments(forty, "experiment:subject") == expected


def test_a_preview_writes_no_assignment(forty: SmallProject) -> None:
    experiment(forty)
    forty.runner().preview(forty.find(MAIL))
    assert assignments(forty, "experiment:subject") == {}


def test_only_who_comes_as_far_as_being_drawn_is_assigned(forty: SmallProject, sandbox: RunningSandbox) -> None:
    forty.policy("holdouts", "universal: {percent: 40, salt: '2026'}\n")
    forty.sql("delete from consent_state where profile_id < 'p_2'")
    experiment(forty)
    forty.run(MAIL)
    asked = {f"p_{i}" for i in range(40)} - {name for name in (f"p_{i}" for i in range(40)) if name < "p_2"}
    assert assignments(forty, "holdout:universal").keys() == asked
    assert assignments(forty, "experiment:subject").keys() == asked - out("2026", 40, 40)


def test_who_was_drawn_once_keeps_the_arm_whatever_is_declared_by_now(forty: SmallProject, sandbox: RunningSandbox) -> None:
    experiment(forty)
    forty.run(MAIL)
    before = assignments(forty, "experiment:subject")
    forty.send(MAIL, experiment={"name": "subject", "arms": {"a": 1, "control": 1_000_000}})
    forty.sql(f"delete from activation.sync_snapshot where ref = '{MAIL}'")
    withheld = forty.withheld(MAIL)
    assert withheld == {who: "EXPERIMENT_CONTROL" for who, which in before.items() if which == "control"}
    forty.run(MAIL, only_keys=["p_0"])
    assert assignments(forty, "experiment:subject") == before


def test_doing_it_again_after_a_crash_writes_nothing_twice(forty: SmallProject, sandbox: RunningSandbox) -> None:
    experiment(forty)
    runner = forty.runner()

    class Crash(Exception):
        pass

    def crash(*_: Any) -> None:
        raise Crash

    with pytest.raises(Crash):
        runner.run(runner.declarations.find(MAIL), check=crash)
    forty.run(MAIL)
    assert forty.rows("select count(*), count(distinct profile_id) from activation.assignments") == [(40, 40)]


def test_a_merged_person_keeps_the_earliest_arm_of_any_of_its_ids(forty: SmallProject) -> None:
    experiment(forty)
    forty.merges(("old_1", "p_1"), ("old_2", "p_1"))
    for person, which, day in (("old_1", "a", 2), ("old_2", "control", 1), ("p_1", "b", 3)):
        forty.sql(
            f"insert into activation.assignments values ('experiment:subject', '{person}', '{which}', timestamp '2026-01-0{day}', 'r')"
        )
    assert forty.withheld(MAIL)["p_1"] == "EXPERIMENT_CONTROL"


def test_arms_have_about_their_share(forty: SmallProject) -> None:
    people = 4000
    forty.people(people)
    experiment(forty)
    held = forty.withheld(MAIL)
    assert held.keys() == {f"p_{i}" for i in range(people) if arm(f"p_{i}") == "control"}
    assert abs(len(held) - people / 2) < 4 * (people / 4) ** 0.5  # four standard deviations


def test_the_moment_and_the_run_of_a_drawing_are_kept(forty: SmallProject, sandbox: RunningSandbox) -> None:
    forty.send(MAIL, holdout={"percent": 50})
    result = forty.run(MAIL)
    assert forty.rows("select distinct assigned_at, run_id from activation.assignments") == [(NOON.replace(tzinfo=None), result.run_id)]
