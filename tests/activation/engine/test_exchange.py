"""What leaves to a destination that has values of its own, and is edited by people over there."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from small_project import SmallProject, plan_rows

from activation.engine.errors import PlanRefused

FILES = "files/people"
FIELDS = {"email": "email", "firstname": "first_name", "city": "city"}
THEIRS = "contact_id varchar, email varchar, first_name varchar, city varchar, updated_at timestamp"


@pytest.fixture
def crm(shop: SmallProject) -> SmallProject:
    """Two people, and a CRM that holds nobody yet."""
    shop.people(2)
    shop.sql("alter table sync_people add column updated_at timestamp", "alter table sync_people add column qualified boolean")
    shop.sql("update sync_people set updated_at = timestamp '2026-02-01', qualified = true")
    shop.segment("crm_contacts")
    shop.sql(f"create or replace table crm_contacts ({THEIRS})")
    return shop


def hold(crm: SmallProject, *contacts: tuple[Any, ...]) -> None:
    crm.fill("crm_contacts", contacts)


def ours(crm: SmallProject, key: str, **values: Any) -> None:
    crm.sql(
        *(
            f"update sync_people set {name} = {'null' if value is None else repr(value)} where profile_id = '{key}'"
            for name, value in values.items()
        )
    )


def sync(crm: SmallProject, rules: dict[str, Any] | None = None, **more: Any) -> str:
    exchange = {"theirs": "crm_contacts", "match": [{"ours": "email", "theirs": "email"}], "fields": rules or {}, **more}
    return crm.sync(FILES, fields=FIELDS, exchange=exchange)


def leaves(crm: SmallProject, ref: str = FILES) -> dict[str, dict[str, Any]]:
    """What a run would send, by key."""
    return {row["key"]: orjson.loads(row["payload"]) for row in plan_rows(crm.plan(ref))}


MET = ("c1", "U0@mail.example ", "Old", "Beijing", "2026-03-01")


@pytest.mark.parametrize(
    ("rule", "sent"),
    [
        ({}, "Wuhan"),
        ({"direction": "in"}, None),
        ({"direction": "both", "winner": "ours", "theirs": "city"}, "Wuhan"),
        ({"direction": "both", "winner": "theirs", "theirs": "city"}, None),
        ({"direction": "both", "winner": "newest", "theirs": "city"}, None),
        ({"direction": "both", "winner": "most_complete", "theirs": "city"}, None),
        ({"create_only": True}, None),
    ],
)
def test_who_has_the_say_over_a_field_that_both_have(crm: SmallProject, rule: dict[str, Any], sent: str | None) -> None:
    hold(crm, MET)
    sync(crm, {"city": rule}, updated_at={"ours": "updated_at", "theirs": "updated_at"})
    assert leaves(crm)["p_0"].get("city") == sent
    # Of whom they know nothing, everything is ours to say, but what is theirs alone.
    assert leaves(crm)["p_1"].get("city") == (None if rule.get("direction") == "in" else "Wuhan")
    assert ("city" in leaves(crm)["p_0"]) == (sent is not None)


def test_the_newest_value_is_that_of_the_record_changed_last(crm: SmallProject) -> None:
    hold(crm, MET)
    sync(
        crm,
        {"city": {"direction": "both", "winner": "newest", "theirs": "city"}},
        updated_at={"ours": "updated_at", "theirs": "updated_at"},
    )
    ours(crm, "p_0", updated_at="2026-03-02")
    assert leaves(crm)["p_0"]["city"] == "Wuhan"


def test_a_longer_value_is_the_more_complete_one(crm: SmallProject) -> None:
    hold(crm, MET)
    sync(crm, {"city": {"direction": "both", "winner": "most_complete", "theirs": "city"}})
    ours(crm, "p_0", city="Beijing, Haidian")
    assert leaves(crm)["p_0"]["city"] == "Beijing, Haidian"


def test_a_blank_of_theirs_wins_nothing(crm: SmallProject) -> None:
    hold(crm, ("c1", "u0@mail.example", "Old", "", "2026-03-01"))
    sync(crm, {"city": {"direction": "both", "winner": "theirs", "theirs": "city"}})
    assert leaves(crm)["p_0"]["city"] == "Wuhan"


def test_what_is_never_blank_is_not_emptied_and_the_rest_is(crm: SmallProject) -> None:
    ref = sync(crm, {"city": {"never_blank": True}})
    crm.run(ref)
    ours(crm, "p_0", city=None, first_name=None)
    assert leaves(crm) == {"p_0": {"email": "u0@mail.example", "firstname": None}}


def test_a_stage_is_never_set_back(crm: SmallProject) -> None:
    ref = sync(crm, {"city": {"never_back": ["lead", "mql", "customer"], "theirs": "city"}})
    hold(crm, ("c1", "u0@mail.example", "", "mql", None), ("c2", "u1@mail.example", "", "partner", None))
    found = {}
    for stage in ("lead", "mql", "customer", "nonsense"):
        ours(crm, "p_0", city=stage)
        ours(crm, "p_1", city=stage)
        found[stage] = [leaves(crm)[key].get("city") for key in ("p_0", "p_1")]
    # Whoever they gave a stage of their own, keeps it.
    assert found == {"lead": [None, None], "mql": [None, None], "customer": ["customer", None], "nonsense": [None, None]}
    hold(crm)
    ours(crm, "p_0", city="customer")
    crm.run(ref)
    # They do not show it yet, but it was acknowledged.
    ours(crm, "p_0", city="lead")
    assert leaves(crm) == {}
    assert crm.state(ref)["p_0"][1]["city"] == "customer"


def test_an_objection_goes_over_and_is_never_taken_back(crm: SmallProject) -> None:
    ref = sync(crm, {"city": {"never_lifted": True}})
    ours(crm, "p_0", city="true")
    ours(crm, "p_1", city="false")
    assert [leaves(crm)[key].get("city") for key in ("p_0", "p_1")] == ["true", None]
    crm.run(ref)
    ours(crm, "p_0", city="false")
    assert leaves(crm) == {}


def test_values_are_added_to_a_list_and_none_is_taken_away(crm: SmallProject) -> None:
    hold(crm, ("c1", "u0@mail.example", "", "VIP; 邮件", None), ("c2", "u1@mail.example", "", "a;b", None))
    sync(crm, {"city": {"append_only": True, "theirs": "city"}})
    ours(crm, "p_0", city="邮件;new")
    ours(crm, "p_1", city="b")
    assert [leaves(crm)[key].get("city") for key in ("p_0", "p_1")] == ["VIP;邮件;new", None]


def test_what_is_set_when_a_record_is_made_is_not_sent_again(crm: SmallProject) -> None:
    ref = sync(crm, {"city": {"create_only": True}})
    crm.run(ref)
    ours(crm, "p_0", city="Beijing", first_name="Mei")
    ours(crm, "p_1", city="Beijing")
    assert leaves(crm) == {"p_0": {"email": "u0@mail.example", "firstname": "Mei"}}


def test_records_are_looked_for_in_the_order_of_match_and_the_one_changed_last_speaks(crm: SmallProject) -> None:
    hold(
        crm,
        ("p_0", "else@mail.example", "", "by id", "2026-01-01"),
        ("x", "u0@mail.example", "", "by mail", "2026-01-01"),
        ("y", "u1@mail.example", "", "", "2026-01-02"),
        ("z", "u1@mail.example", "", "old", "2026-01-01"),
    )
    match = [{"ours": "profile_id", "theirs": "contact_id"}, {"ours": "email", "theirs": "email"}]
    rules = {"city": {"direction": "both", "winner": "most_complete", "theirs": "city"}}
    sync(crm, rules, match=match, updated_at={"ours": "updated_at", "theirs": "updated_at"})
    ours(crm, "p_0", city="abcdef")  # longer than `by id`, shorter than `by mail`
    assert leaves(crm)["p_0"]["city"] == "abcdef"
    assert leaves(crm)["p_1"]["city"] == "Wuhan"


def test_a_record_that_was_found_is_addressed_by_its_id(crm: SmallProject) -> None:
    hold(crm, ("003A", "u0@mail.example", "", "", None))
    ref = sync(crm, id="contact_id")
    assert {row["key"]: row["provider_id"] for row in plan_rows(crm.plan(ref))} == {"p_0": "003A", "p_1": None}


def test_only_who_may_makes_a_record_and_what_was_made_is_kept_up_to_date(crm: SmallProject) -> None:
    ref = sync(crm, may_create="qualified")
    ours(crm, "p_1", qualified=False)
    assert set(leaves(crm)) == {"p_0"}
    crm.run(ref)
    ours(crm, "p_0", qualified=False, first_name="Mei")
    hold(crm, ("c2", "u1@mail.example", "", "", None))
    assert set(leaves(crm)) == {"p_0", "p_1"}


def test_a_record_is_not_made_without_what_it_must_have(crm: SmallProject) -> None:
    ref = sync(crm, required=["firstname", "city"])
    ours(crm, "p_0", city="")
    assert crm.planned(ref) == [("add", "p_0", "MISSING_FIELD"), ("add", "p_1", None)]
    result = crm.run(ref)
    assert (result.outcomes["invalid"], result.outcomes["sent"]) == (1, 1)
    crm.books(result.run_id)
    hold(crm, ("c1", "u0@mail.example", "", "", None))
    assert crm.planned(ref) == [("add", "p_0", None)]


def test_a_pull_that_shows_what_was_sent_plans_nothing(crm: SmallProject) -> None:
    ref = sync(
        crm,
        {
            "city": {"direction": "both", "winner": "theirs", "theirs": "city"},
            "firstname": {"never_back": ["Name0", "Name1"], "theirs": "first_name"},
        },
    )
    crm.run(ref)
    hold(crm, ("c1", "u0@mail.example", "Name0", "Wuhan", "2026-03-01"), ("c2", "u1@mail.example", "Name1", "Beijing", "2026-03-01"))
    assert crm.planned(ref) == []
    assert crm.run(ref).planned == 0


def test_a_column_that_is_not_there_is_said(crm: SmallProject) -> None:
    ref = sync(crm, {"city": {"direction": "both", "winner": "theirs", "theirs": "citty"}})
    with pytest.raises(PlanRefused, match=r"`citty`, which `crm_contacts` has not\. Did you mean `city`"):
        crm.plan(ref)
