"""dim_profiles is made again for those only of whom something was written, whatever breaks off in between."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import duckdb
import pytest
from few_models import FewModels
from sent_records import at, contact, identify, order, page
from warehouse_house import House

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
    assert house.column("select count(*) from identity.dim_profiles") == [len(PEOPLE)]


def test_who_has_touches_only_by_other_rules_is_made_again(house: House) -> None:
    house.land(
        NOON, [page("2026-06-20 11:30", anonymous=f"d{n}", context={"campaign": {"source": "baidu", "medium": "cpc"}}) for n in range(4)]
    )
    house.build(NOON, SELECT)
    house.execute("update identity.dim_profiles set full_name = 'as before', first_touch_channel = 'unknown'")
    # As other rules left it, by which only one of them had any.
    house.execute("delete from marts.fct_touches where profile_id <> (select min(profile_id) from marts.fct_touches)")
    house.execute("update marts.fct_touches set _basis = 'of other rules'")
    house.dbt.run(["run"], house.project.warehouse, NOON, SELECT)
    assert house.column("select count(*) from identity.dim_profiles where first_touch_channel <> 'unknown'") == [4]


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
DIM = "select *, 'made' as word from {{ ref('people') }} where {{ people_to_make_again(ref('people')) }}"
FILES = {
    "dbt_project.yml": PROJECT,
    "models/people.sql": "select i as profile_key, 'p_' || i as profile_id, 'first' as said from range(10) as rows (i)",
    "models/dim.sql": DIM,
}
OF_FOUR = FILES["models/people.sql"].replace("'first'", "case when i = 4 then 'second' else 'first' end")


@pytest.fixture
def few(project: Project) -> FewModels:
    """Ten people, in whose rows stands what only a new row of theirs would correct."""
    few = FewModels(project, FILES)
    assert few.build(as_of=NOON).ok
    marked(few)
    return few


def marked(few: FewModels) -> None:
    with duckdb.connect(str(few.project.warehouse)) as warehouse:
        warehouse.execute("update identity.dim set word = 'as before'")


def built(few: FewModels) -> tuple[int, int]:
    """How many rows a build leaves, and how many of them stand as they were."""
    report = few.build(as_of=NOON)
    assert report.ok, report.failures
    return few.rows("select count(*), count(*) filter (word = 'as before') from identity.dim")[0]


def test_who_joins_a_table_that_does_not_tell_whose_its_rows_are_gets_everybody_anew(few: FewModels) -> None:
    few.write("models/people.sql", OF_FOUR)
    assert built(few) == (10, 9)
    few.write("models/titles.sql", "select 'p_3' as profile_id, 'CEO' as title")
    few.write("models/dim.sql", DIM.replace("where", "left join {{ ref('titles') }} using (profile_id) where"))
    assert built(few) == (10, 0)
    marked(few)
    few.write("models/titles.sql", "select 'p_3' as profile_id, 'CFO' as title")
    assert built(few) == (10, 0)
    assert few.rows("select title from identity.dim where profile_id = 'p_3'") == [("CFO",)]


CONTRACT = ", +contract: {enforced: true}"
COLUMNS = {"profile_key": "bigint", "profile_id": "varchar", "said": "varchar", "word": "varchar"}


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("dim", ", +indexes: [{columns: [profile_id]}]"),
        ("dim", CONTRACT),
        ("people", ", +indexes: [{columns: [profile_id]}]"),
        ("people", CONTRACT),
    ],
)
def test_a_table_that_is_written_in_another_way_loses_nobody_and_misses_nothing(few: FewModels, model: str, more: str) -> None:
    few.write("dbt_project.yml", re.sub(rf"({model}: .*)}}\n", rf"\1{more}}}\n", PROJECT))
    if more == CONTRACT:
        columns = ", ".join(f"{{name: {name}, data_type: {kind}}}" for name, kind in COLUMNS.items() if model == "dim" or name != "word")
        few.write(f"models/{model}.yml", f"models: [{{name: {model}, columns: [{columns}]}}]")
    for text in (OF_FOUR, FILES["models/people.sql"]):
        few.write("models/people.sql", text)
        assert built(few)[0] == 10
        assert few.rows("select said from identity.dim order by profile_key") == few.rows(
            "select said from identity.people order by profile_key"
        )


def test_columns_that_become_others_with_no_word_changed_are_everybodys(few: FewModels) -> None:
    few.write("models/people.sql", FILES["models/people.sql"].replace("'first' as said", "'first' as said, 7 as number"))
    assert built(few) == (10, 0)
    marked(few)
    with duckdb.connect(str(few.project.warehouse)) as warehouse:
        warehouse.execute("alter table identity.dim alter number type varchar")
    assert built(few) == (10, 0)


def test_who_comes_when_everybody_is_made_again_is_not_left_out(few: FewModels) -> None:
    anew = "{+materialized: incremental, +incremental_strategy: append, +pre-hook: \"{{ leave_changed(this, 'profile_key') }}\", +meta: {whose: profile_key}}"
    few.write("dbt_project.yml", PROJECT.replace("{+materialized: table, +unique_key: profile_id, +meta: {whose: profile_id}}", anew))
    for many in (10, 40):
        few.write(
            "models/people.sql", FILES["models/people.sql"].replace("10", str(many)) + " where {{ made_again('profile_key', false, '') }}"
        )
        assert built(few) == (many, 0)
