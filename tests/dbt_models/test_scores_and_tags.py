"""Scores beside the formula written out in Python, for random people over every shipped rule; tags by words, clicks and by hand."""

from __future__ import annotations

import csv
import math
import random
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sent_records import at
from warehouse_house import MODELS, House

NOW = datetime(2026, 6, 30, 9, 30)
EVENTS = """
create table marts.fct_events (
    event_id varchar, profile_id varchar, source varchar, event_name varchar, occurred_at timestamp, object_id varchar, object_name varchar,
    value double, product_category varchar, search_keyword varchar, page_url varchar, page_path varchar, page_title varchar,
    is_bot boolean, properties varchar
)"""
EVENT = "insert into marts.fct_events (event_id, profile_id, source, event_name, occurred_at, {columns}, is_bot) values ({marks})"
PROFILES = """
create table identity.dim_profiles as select * from (values
    ('p_0', 'CTO', 'p0@big.example', '+8613900000000', 'a_1'), ('p_1', '市场总监', 'p1@qq.com', null, 'a_1'), ('p_2', 'Intern', 'p2@small.example', null, 'a_2'),
    ('p_3', null, null, null, null), ('p_4', 'Buyer', 'p4@competitor.example', '+8613900000004', null)
) as t (profile_id, title, email, phone, account_id)"""


def seed(name: str) -> list[dict[str, str]]:
    with (MODELS / "seeds" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def like(pattern: str, text: str | None) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("%"))), text or "") is not None


def left(rule: dict[str, str], age: int) -> float:
    """What is left of one point after so many days."""
    days = float(rule["decay_days"] or 0)
    return {
        "half_life": lambda: 0.5 ** (age / days),
        "window": lambda: 1.0 if age <= days else 0.0,
        "linear": lambda: max(1 - age / days, 0.0),
        "step": lambda: (1 - float(rule["decay_loss"])) ** math.floor(age / days),
        "none": lambda: 1.0,
    }[rule["decay"]]()


@pytest.fixture(scope="module")
def house(new_house: Callable[[], House]) -> House:
    house, draw = new_house(), random.Random(5)
    house.execute("create schema marts")
    house.execute("create schema identity")
    house.execute(EVENTS)
    house.execute(PROFILES)
    house.execute("alter table identity.dim_profiles add column city varchar")
    for column in ("country", "language", "lifecycle_stage"):
        house.execute(f"alter table identity.dim_profiles add column {column} varchar")
    house.execute(
        "create table identity.dim_accounts as select * from (values ('a_1', 'software', 800, 5000000), ('a_2', null, 20, null)) "
        "as t (account_id, industry, employees, annual_revenue)"
    )
    rules = [rule for rule in seed("score_rules") if rule["kind"] == "event"]
    rows = []
    for number in range(900):
        rule = draw.choice(rules)
        path = rule["path_like"].replace("%", "/1") if rule["path_like"] != "%" else draw.choice(["/", "/careers", None])
        when = NOW - timedelta(days=draw.choice([0, 1, 2, 3, 7, 10, 14, 20, 28, 45, 61, 90]), hours=draw.randrange(9))
        # nobody knows p_3, and p_4 has been away for long
        when = when - timedelta(days=100) if number % 5 == 4 else when
        rows.append(
            (
                f"e_{number}",
                f"p_{number % 5}",
                "web",
                rule["event_name"],
                when,
                path,
                draw.choice([None, 40.0, 700.0, 99999.0]),
                draw.random() < 0.1,
            )
        )
    house.execute(EVENT.format(columns="page_path, value", marks="?, ?, ?, ?, ?, ?, ?, ?"), rows)
    house.execute(EVENT.format(columns="value", marks="'late', 'p_0', 'web', 'Order Paid', timestamp '2026-07-01', 1.0, false"))
    scores = [
        "int_score_rules",
        "int_score_days",
        "int_score_attributes",
        "score_components",
        "int_score_profiles",
        "score_profiles",
        "score_engagement",
    ]
    seeds = ["score_rules", "score_rule_overrides", "score_groups", "score_bands", "score_models", "free_mail_domains"]
    house.dbt.run(["build", "--resource-type", "seed"], house.project.warehouse, NOW, seeds)
    # the presets of other industries than the ones that are shipped switched on, but for one
    house.execute("update seeds.score_models set is_enabled = true where model <> 'appointment'")
    house.dbt.run(["build", "--resource-type", "model"], house.project.warehouse, NOW, scores)
    return house


def expected(house: House, profile_id: str, model: str) -> float:
    """The formula of the project's description, event by event."""
    groups: dict[str, float] = defaultdict(float)
    events = house.rows(
        "select event_name, occurred_at, page_path, value from marts.fct_events where profile_id = ? and not is_bot and occurred_at <= ?",
        profile_id, NOW,
    )  # fmt: skip
    last = None
    for rule in [rule for rule in seed("score_rules") if rule["model"] == model and rule["kind"] == "event"]:
        days: dict[object, list[float]] = defaultdict(list)
        for name, when, path, value in events:
            if name == rule["event_name"] and like(rule["path_like"], path):
                unit = float(rule["value_unit"] or 0)
                days[when.date()].append(min(max((value or 0) / unit, 1.0), float(rule["value_cap"])) if unit else 1.0)
                last = max(last or when, when)
        for day, multipliers in days.items():
            counted = min(len(multipliers), float(rule["daily_cap"] or math.inf))
            worth = sum(multipliers) / len(multipliers)
            groups[rule["rule_group"]] += counted * float(rule["weight"]) * left(rule, (NOW.date() - day).days) * worth  # type: ignore[operator]
    for rule in [rule for rule in seed("score_rules") if rule["model"] == model and rule["kind"] == "inactivity"]:
        if last and last < NOW - timedelta(days=float(rule["decay_days"])):
            groups[rule["rule_group"]] += float(rule["weight"])
    caps = {group["rule_group"]: float(group["group_cap"]) for group in seed("score_groups") if group["model"] == model}
    return max(sum(min(points, caps[group]) for group, points in groups.items()), 0.0)


@pytest.mark.parametrize("model", ["engagement", "purchase", "enrolment", "application"])
def test_every_score_is_what_the_formula_gives(house: House, model: str) -> None:
    scores = dict(house.rows("select profile_id, score from scores.score_profiles where model = ?", model))
    assert set(scores) == {f"p_{number}" for number in range(5)}
    for profile_id, score in scores.items():
        assert score == pytest.approx(expected(house, profile_id, model), abs=0.006)
    assert len({round(score) for score in scores.values()}) > 2


def test_every_decay_there_is_was_used(house: House) -> None:
    used = house.column(
        "select distinct decay from scores.score_components join scores.int_score_rules using (model, rule) where kind = 'event'"
    )
    assert set(used) == {"half_life", "window", "linear", "step"}  # `none` is that of who somebody is


def test_components_add_up_to_the_score_and_each_shows_its_evidence(house: House) -> None:
    assert house.rows(
        "select count(*) from scores.score_profiles as s join (select model, profile_id, sum(counted_points) as points from scores.score_components "
        "group by all) as c using (model, profile_id) where abs(greatest(c.points, 0) - s.score) > 0.006"
    ) == [(0,)]
    assert house.rows("select count(*) from scores.score_components where evidence is null and rule <> 'inactive'") == [(0,)]


def test_fit_says_who_somebody_is_and_competitors_do_not_fit(house: House) -> None:
    fits = dict(house.rows("select profile_id, score from scores.score_profiles where model = 'fit'"))
    # decides 25; large company 20 and known 10, capped at 30; business mail 10 and phone 5
    assert fits["p_0"] == 70
    # leads 18; the company again; a free mail address is none of a business
    assert fits["p_1"] == 48
    # an intern at a small company
    assert fits["p_2"] == 8 + 10 + 10 - 20
    # a competitor has no points however much is known
    assert fits["p_4"] == 0
    assert "p_3" not in fits


def test_titles_are_read_as_words(house: House) -> None:
    """A director is no CTO, though the letters are there; nor is a vice president the president."""
    rules = {rule["rule"]: rule["value_pattern"] for rule in seed("score_rules") if rule["field"] == "title"}
    titles = {
        "cto": ["decides"], "sales director": ["leads"], "vice president": ["leads"], "president": ["decides"], "总裁": ["decides"],
        "副总裁": ["leads"], "市场总监": ["leads"], "internal auditor": [], "leadership coach": [],
    }  # fmt: skip
    found = {
        title: [
            rule
            for rule in ("decides", "leads", "student", "manages")
            if house.rows("select regexp_matches(?, ?)", title, rules[rule]) == [(True,)]
        ]
        for title in titles
    }
    assert found == titles


def test_a_grade_is_the_fit_and_the_engagement(house: House) -> None:
    for profile_id, grade, band, fit in house.rows(
        "select e.profile_id, e.grade, e.band, f.band from scores.score_profiles e left join scores.score_profiles f "
        "on f.model = 'fit' and f.profile_id = e.profile_id where e.model = 'engagement'"
    ):
        assert grade == (fit or "D") + str("ABCD".index(band) + 1), profile_id


def test_a_preset_that_is_not_switched_on_scores_nobody(house: House) -> None:
    shipped = {row["model"]: row["is_enabled"] for row in seed("score_models")}
    assert [model for model, enabled in shipped.items() if enabled == "true"] == ["engagement", "fit", "purchase"]
    assert {word for row in seed("score_models") for word in row["preset"].split()} == {
        "b2b_software", "retail", "education", "finance", "medical",
    }  # fmt: skip
    assert house.rows("select count(*) from scores.score_components where model = 'appointment'") == [(0,)]
    assert house.rows("select count(*) > 0 from scores.score_components where model = 'enrolment'") == [(True,)]


def test_a_preset_can_be_weighed_otherwise_or_taken_out(house: House) -> None:
    house.execute(
        "insert into seeds.score_rule_overrides (model, rule, is_enabled, weight) values ('engagement', 'page_viewed', null, 99), ('engagement', 'careers_viewed', false, null)"
    )
    try:
        assert house.rows(
            "select rule, weight, daily_cap from scores.int_score_rules where model = 'engagement' and rule in ('page_viewed', 'careers_viewed')"
        ) == [("page_viewed", 99, 5)]
    finally:
        house.execute("delete from seeds.score_rule_overrides")


# -- tags -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tagged(new_house: Callable[[], House]) -> House:
    house = new_house()
    house.execute("create schema marts")
    house.execute("create schema identity")
    house.execute(EVENTS)
    house.execute(
        "create table identity.bridge_profile_identifiers as select 'p_hand' as profile_id, 'email' as identifier_type, 'hand@mail.example' as identifier"
    )

    def event(number: str, who: str, name: str, day: str, source: str = "web", is_bot: bool = False, **columns: str) -> None:
        values = [number, who, source, name, f"2026-06-{day}", *columns.values(), is_bot]
        house.execute(EVENT.format(columns=", ".join(columns), marks=", ".join("?" * len(values))), [values])

    event("zh1", "p_zh", "Page Viewed", "01", page_title="云起：企业数据仓库怎么建")
    event("zh2", "p_zh", "Products Searched", "20", search_keyword="数据仓库 价格")
    event("en1", "p_en", "Page Viewed", "01", page_title="Data-Warehouse basics")
    event("en2", "p_en", "Webinar Attended", "02", source="webinar", object_name="Your DATA WAREHOUSE, activated")
    # `capi` is no `api`, and once is not twice
    event("no1", "p_no", "Page Viewed", "01", page_title="Capi and capital")
    event("no2", "p_no", "Page Viewed", "02", page_title="Our API")
    event("bot1", "p_bot", "Page Viewed", "01", is_bot=True, page_title="data warehouse")
    event("bot2", "p_bot", "Page Viewed", "02", is_bot=True, page_title="data warehouse")
    event("wx1", "p_chat", "Message Received", "01", source="wechat", properties='{"content": "请问有没有优惠券"}')
    event("wx2", "p_chat", "Message Received", "03", source="wechat", properties='{"content": "优惠券怎么用？"}')
    event("chat:c1", "p_visitor", "Message Received", "01", source="chat", page_title="")
    event("chat:c2", "p_visitor", "Message Received", "03", source="chat", page_title="")
    house.execute("create schema staging")
    house.execute(
        "create table staging.stg_chat__messages as select * from (values ('c1', '有优惠券吗'), ('c2', '优惠券在哪里')) as t (chat_message_id, text)"
    )
    event("mail1", "p_click", "Message Clicked", "05", source="mail", page_url="https://shop.example/pricing?utm_source=mail")
    event("mail2", "p_other", "Message Clicked", "05", source="mail", page_url="https://shop.example/")
    house.dbt.run(
        ["seed"],
        house.project.warehouse,
        at("2026-06-30 00:00"),
        ["tag_rules", "tag_lexicons", "tag_lexicon_terms", "tag_manual", "tag_dimensions"],
    )
    house.execute("insert into seeds.tag_manual values ('email', 'hand@mail.example', 'manual:vip', 'give', 'sales', '2026-06-01', null)")
    house.dbt.run(["run"], house.project.warehouse, at("2026-06-30 00:00"), ["int_tag_matches", "tag_assignments"])
    return house


def tags(house: House, who: str) -> list[tuple[str, str, str, str]]:
    return house.rows("select tag, kind, rule, evidence from tags.tag_assignments where profile_id = ? order by 1", who)  # type: ignore[return-value]


def test_words_of_a_lexicon_give_tags_in_chinese_and_english(tagged: House) -> None:
    assert tags(tagged, "p_zh") == [("topic:data_warehouse", "lexicon", "b2b_software", "zh2 (数据仓库)")]
    assert tags(tagged, "p_en") == [("topic:data_warehouse", "lexicon", "b2b_software", "en2 (data warehouse)")]


def test_a_part_of_an_english_word_is_not_the_word_and_machines_have_no_interest(tagged: House) -> None:
    assert tags(tagged, "p_no") == []
    assert tags(tagged, "p_bot") == []


def test_what_somebody_writes_in_the_chat_gives_tags(tagged: House) -> None:
    assert tags(tagged, "p_chat") == [("topic:promotion", "lexicon", "retail", "wx2 (优惠券)")]
    assert tags(tagged, "p_visitor") == [("topic:promotion", "lexicon", "retail", "chat:c2 (优惠券)")]


def test_a_click_gives_the_tag_of_the_link(tagged: House) -> None:
    assert tags(tagged, "p_click") == [("interest:pricing", "rule", "clicked_pricing", "mail1")]
    assert tags(tagged, "p_other") == []


def test_a_tag_by_hand_says_whose_hand_it_was(tagged: House) -> None:
    assert tags(tagged, "p_hand") == [("manual:vip", "manual", "manual", "said by sales")]
