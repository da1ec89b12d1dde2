"""dim_profiles is made again for those only of whom something was written, whatever breaks off in between."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta

import duckdb
import pytest
from sent_records import at, contact, identify, order, page
from warehouse_house import House

from activation.engine.build import build
from activation.engine.declarations import Declarations
from activation.engine.project import Project

NOON = at("2026-06-20 12:00")
SELECT = ["+dim_profiles"]
PEOPLE = [f"p{n}@mail.example" for n in range(40)]


@pytest.fixture
def house(new_house: Callable[[], House]) -> House:
    """Forty people, in whose rows stands what only a new row of theirs would correct."""
    house = new_house()
    house.land(NOON, [identify("2026-06-01 10:00", anonymous=f"d{n}", user=f"u{n}", email=email) for n, email in enumerate(PEOPLE)])
    house.build(NOON, SELECT)
    house.execute("update identity.dim_profiles set full_name = 'as before'")
    return house


def as_before(house: House) -> set[str]:
    return set(house.column("select email from identity.dim_profiles where full_name = 'as before'"))


def test_nobody_is_made_again_where_nothing_was_written(house: House) -> None:
    house.build(NOON + timedelta(hours=1), SELECT)
    assert as_before(house) == set(PEOPLE)


def test_whoever_has_news_is_made_again_and_nobody_else(house: House) -> None:
    later = NOON + timedelta(hours=1)
    house.land(later, [
        page("2026-06-20 12:30", anonymous="d0", url="https://shop.example/?utm_source=x", context={"campaign": {"source": "baidu", "medium": "cpc"}}),
        order("o1", "2026-06-20 12:10", "paid", updated="2026-06-20 12:10", user_id="u1"),
        contact("c2", "2026-06-20 12:20", email=PEOPLE[2], title="CEO", owner="amy"),
    ])  # fmt: skip
    house.build(later, SELECT)
    # An order moves what is rare among customers, and there is but one: nobody else is one.
    assert as_before(house) == set(PEOPLE[3:])
    assert house.rows("select orders, owner from identity.dim_profiles where email in (?, ?) order by email", *PEOPLE[1:3]) == [
        (1, None),
        (0, "amy"),
    ]


def test_what_a_build_that_broke_off_wrote_is_made_up_for_by_the_next(house: House) -> None:
    later = NOON + timedelta(hours=1)
    house.land(later, [identify("2026-06-20 12:30", anonymous="d4", user="u4", email=PEOPLE[4], city="Shanghai")])
    house.build(later, ["+int_profile_values", "+fct_touches", "+profile_lifecycle"])
    house.land(later, [identify("2026-06-20 12:40", anonymous="d5", user="u5", email=PEOPLE[5], city="Chengdu")])
    house.build(later, SELECT)
    assert as_before(house) == {*PEOPLE[:4], *PEOPLE[6:]}
    assert house.column("select city from identity.dim_profiles where email in (?, ?) order by email", *PEOPLE[4:6]) == [
        "Shanghai",
        "Chengdu",
    ]


def test_two_who_turn_out_to_be_one_are_one_row(house: House) -> None:
    house.land(NOON, [identify("2026-06-02 10:00", anonymous="x", phone="+8613800000098"), identify("2026-06-02 10:00", anonymous="y", email="y@mail.example")])  # fmt: skip
    house.build(NOON, SELECT)
    assert house.column("select count(*) from identity.dim_profiles") == [42]
    later = NOON + timedelta(hours=1)
    house.land(later, [identify("2026-06-20 12:30", anonymous="x", email="y@mail.example")])
    house.build(later, SELECT)
    assert house.rows("select count(*), count(distinct profile_id) from identity.dim_profiles") == [(41, 41)]
    assert house.rows("select phone, full_name from identity.dim_profiles where email = 'y@mail.example'") == [("+8613800000098", None)]
    assert as_before(house) == set(PEOPLE)


@pytest.mark.parametrize("otherwise", [
    "update seeds.country_time_zones set time_zone = 'Asia/Chongqing' where country = 'cn'",
    "drop table identity.int_people_written",
    "alter table identity.dim_profiles add column of_before integer",
    "drop table identity.int_profile_owners",
    "the next day",
])  # fmt: skip
def test_everybody_is_made_again_where_it_cannot_be_told_who(house: House, otherwise: str) -> None:
    if otherwise == "the next day":
        house.dbt.run(["run"], house.project.warehouse, NOON + timedelta(days=1), SELECT)
    else:
        house.execute(otherwise)
        house.dbt.run(["run"], house.project.warehouse, NOON, SELECT)
    assert as_before(house) == set()


PROJECT = """
name: sluice
profile: sluice
on-run-start: ["{{ have_people_written() }}"]
models:
  +schema: identity
  sluice:
    people: {+materialized: table, +unique_key: profile_id, +meta: {whose: profile_id}}
    dim: {+materialized: table, +unique_key: profile_id, +post-hook: "{{ take_people() }}"}
"""
PEOPLE_MODEL = "select i as profile_key, 'p_' || i as profile_id, 'first' as said from range(10) as rows (i)"
DIM = "select *, 'made' as word from {{ ref('people') }} {JOIN} where {{ people_to_make_again(ref('people')) }}"


def test_who_joins_a_table_that_does_not_tell_whose_its_rows_are_gets_everybody_anew(project: Project) -> None:
    for folder in ("models", "seeds", "tests"):
        shutil.rmtree(project.models / folder)
    (project.models / "models").mkdir()

    def built(people: str = PEOPLE_MODEL, join: str = "", titles: str = "CEO") -> tuple[int, list[str]]:
        """How many rows stand as they were, and what is said of whom something is."""
        texts = {"people": people, "dim": DIM.replace("{JOIN}", join), "titles": f"select 'p_3' as profile_id, '{titles}' as title"}
        (project.models / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
        for name, text in texts.items():
            (project.models / "models" / f"{name}.sql").write_text(text, encoding="utf-8")
        assert build(project, Declarations(project), as_of=NOON).ok
        with duckdb.connect(str(project.warehouse)) as warehouse:
            as_before = len(warehouse.sql("from identity.dim where word = 'as before'").fetchall())
            warehouse.execute("update identity.dim set word = 'as before'")
            return as_before, [row[-1] for row in warehouse.sql("select columns(c -> c in ('said', 'title')) from identity.dim order by profile_key").fetchall()][3:5]  # fmt: skip

    join = "left join {{ ref('titles') }} using (profile_id)"
    assert built() == (0, ["first", "first"])
    assert built() == (10, ["first", "first"])
    assert built(PEOPLE_MODEL.replace("'first'", "case when i = 4 then 'second' else 'first' end")) == (9, ["first", "second"])
    assert built(join=join) == (0, ["CEO", None])
    assert built(join=join, titles="CFO") == (0, ["CFO", None])
