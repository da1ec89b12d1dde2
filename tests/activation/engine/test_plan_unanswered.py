"""What a destination never answered may be there or not: the next plan makes it so either way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from running_sandbox import RunningSandbox
from small_project import SmallProject


@pytest.fixture
def unanswered(shop: SmallProject, sandbox: RunningSandbox, quick: None) -> Callable[[str], int]:
    """Runs `hubspot/people`, a mirror, with every request taken and none answered. Returns how many rows are unknown."""
    shop.people(2)
    shop.sync(mode="mirror", on_removed="archive", guards={"max_removed_pct": 100})

    def run(match: str = "") -> int:
        sandbox.fault("hubspot", "reset", times=4, match=match)
        return shop.run("hubspot/people").outcomes["unknown"]

    return run


def there(sandbox: RunningSandbox) -> dict[str, str]:
    return {email: contact["firstname"] for email, contact in sandbox.contacts().items()}


def test_an_addition_that_may_have_arrived_is_planned_again(shop: SmallProject, unanswered: Callable[[str], int]) -> None:
    assert unanswered("") == 2
    assert shop.planned("hubspot/people") == [("add", "p_0", None), ("add", "p_1", None)]
    assert shop.plan("hubspot/people").acknowledged == 0


def test_an_addition_that_may_have_arrived_is_removed_when_its_row_is_gone(
    shop: SmallProject, sandbox: RunningSandbox, unanswered: Callable[[str], int]
) -> None:
    unanswered("")
    shop.sql("delete from sync_people where profile_id = 'p_0'")
    assert shop.planned("hubspot/people") == [("add", "p_1", None), ("remove", "p_0", None)]
    shop.run("hubspot/people")
    assert there(sandbox) == {"u1@mail.example": "Name1"}
    assert shop.planned("hubspot/people") == []


def test_a_change_that_may_have_arrived_is_taken_back_when_the_source_is(
    shop: SmallProject, sandbox: RunningSandbox, unanswered: Callable[[str], int]
) -> None:
    shop.run("hubspot/people")
    shop.change("p_0", "first_name", "Mei")
    assert unanswered("") == 1
    shop.change("p_0", "first_name", "Name0")
    assert shop.planned("hubspot/people") == [("change", "p_0", None)]
    shop.run("hubspot/people")
    assert there(sandbox)["u0@mail.example"] == "Name0"
    assert shop.planned("hubspot/people") == []


def test_a_removal_that_may_have_arrived_is_undone_when_the_row_is_back(
    shop: SmallProject, sandbox: RunningSandbox, unanswered: Callable[[str], int]
) -> None:
    shop.run("hubspot/people")
    shop.sql("create table gone as select * from sync_people where profile_id = 'p_0'", "delete from sync_people where profile_id = 'p_0'")
    assert unanswered("archive") == 1
    assert list(there(sandbox)) == ["u1@mail.example"]
    shop.sql("insert into sync_people select * from gone")
    shop.run("hubspot/people")
    assert sorted(there(sandbox)) == ["u0@mail.example", "u1@mail.example"]
    assert shop.planned("hubspot/people") == []
