"""A few hundred people with everything a rule looks at, in tables named like the models; and rules run over them as text."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from activation.engine.segments import compiled
from activation.engine.segments.references import for_warehouse
from activation.engine.segments.tree import Known, Rule, read
from activation.engine.yaml_file import YamlFile

AS_OF = datetime(2026, 6, 30, 12, 0)
# In SQL: the same moment, what has been seen of people by then, and who they are.
NOW = f"timestamp '{AS_OF}'"
SEEN = f"from fct_events e where profile_id is not null and not is_bot and occurred_at <= {NOW}"
EVERYBODY = "select profile_id from dim_profiles where not is_test"
EVENTS = ("Product Viewed", "Product Added", "Order Paid", "Pricing Viewed")
STAGES = ("visitor", "subscriber", "lead", "mql", "sql", "opportunity", "customer")

TABLES = """
create table dim_profiles (
    profile_id varchar, email varchar, phone varchar, wechat_openid varchar, account_id varchar, country varchar, lifetime_value double,
    first_touch_at timestamp, renewal_date date, is_test boolean
);
create table dim_accounts (account_id varchar, industry varchar, employees bigint);
create table fct_events (
    event_id varchar, profile_id varchar, event_name varchar, occurred_at timestamp, is_bot boolean, object_id varchar, object_name varchar,
    product_id varchar, product_category varchar, value double, properties varchar
);
create table tag_assignments (profile_id varchar, tag varchar, dimension varchar, first_seen_at timestamp);
create table profile_lifecycle (profile_id varchar, stage varchar, since timestamp);
create table fct_lifecycle_transitions (profile_id varchar, from_stage varchar, to_stage varchar, transitioned_at timestamp);
create table score_profiles (model varchar, profile_id varchar, score double, grade varchar);
create table segment_hot (profile_id varchar);
create table segment_history (segment varchar, profile_id varchar, change varchar, change_number bigint, changed_at timestamp);
create table profile_merges (previous_id varchar, profile_id varchar);
create table suppressions (profile_id varchar, channel varchar, scope varchar);
create table consent_state (profile_id varchar, channel varchar, purpose varchar, topic varchar, status varchar);
create table consent_purposes (purpose varchar, is_marketing boolean);
create table bridge_profile_identifiers (profile_id varchar, identifier varchar, own_profile_id varchar);
create table vips (identifier varchar);
"""
KNOWN = Known(
    models={"dim_profiles", "fct_events", "segment_hot"},
    profiles={"profile_id", "email", "phone", "wechat_openid", "account_id", "country", "lifetime_value", "first_touch_at", "renewal_date", "is_test"},
    accounts={"account_id", "industry", "employees"},
    segments={"segment_hot"},
    scores={"engagement", "fit"},
    stages=set(STAGES),
    dimensions={"interest", "industry"},
    purposes={"newsletter", "order_update"},
    seeds={"vips"},
)  # fmt: skip


def world() -> duckdb.DuckDBPyConnection:
    """The same people every time."""
    draw = random.Random(11)
    connection = duckdb.connect()
    connection.execute(TABLES)
    connection.execute("set TimeZone = 'UTC'")

    def maybe(value: Any, chance: float = 0.8) -> Any:
        return value if draw.random() < chance else None

    def moment(days: float = 120.0) -> datetime:
        # Whole quarters of an hour, so that some things happen at once.
        back = timedelta(minutes=15 * int(draw.random() * days * 96))
        return AS_OF - back + timedelta(days=2)

    def fill(table: str, rows: list[tuple[Any, ...]]) -> None:
        one = f"({', '.join('?' * len(rows[0]))})"
        for start in range(0, len(rows), 500):  # one statement a row would take most of the test
            part = rows[start : start + 500]
            connection.execute(f"insert into {table} values {', '.join([one] * len(part))}", [value for row in part for value in row])

    people = [f"p_{number}" for number in range(300)]
    fill("dim_accounts", [(f"a_{n}", maybe(draw.choice(["software", "retail"])), maybe(draw.choice([5, 60, 500]))) for n in range(40)])
    fill(
        "dim_profiles",
        [
            (p, maybe(f"{p}@mail.example"), maybe(f"+86139{i:08}"), maybe(f"o_{i}", 0.4), maybe(f"a_{draw.randrange(40)}", 0.7),
             maybe(draw.choice(["CN", "DE", "US"])), maybe(round(draw.random() * 1000, 1)), maybe(moment()),
             maybe((AS_OF + timedelta(days=draw.randrange(-60, 60))).date()), i % 50 == 0)
            for i, p in enumerate(people)
        ],
    )  # fmt: skip
    events = []
    for number in range(9000):
        name = draw.choice(EVENTS)
        events.append(
            (f"e_{number}", maybe(draw.choice(people), 0.97), name, moment(), draw.random() < 0.05, maybe(draw.choice(["a", "b"])), None,
             maybe(f"prod_{draw.randrange(6)}"), maybe(draw.choice(["coffee", "desks", "50% {{ off }}"])),
             maybe(round(draw.random() * 900, 2)), maybe(f'{{"colour": "{draw.choice(["red", "blue"])}", "size": {draw.randrange(50)}}}'))
        )  # fmt: skip
    for number in range(900):
        changed = draw.choice(["owner", "region"])
        events.append(
            (
                f"c_{number}",
                draw.choice(people),
                "CRM Property Changed",
                moment(),
                False,
                changed,
                draw.choice(["x", "y", "z"]),
                None,
                None,
                None,
                None,
            )
        )
    fill("fct_events", events)
    moves = [(draw.choice(people), *draw.sample(STAGES, 2), moment()) for _ in range(700)]
    fill("fct_lifecycle_transitions", moves)
    fill("profile_lifecycle", [(p, draw.choice(STAGES), moment()) for p in people])
    tags = [("interest", "interest:coffee"), ("interest", "interest:desks"), ("industry", "industry:retail")]
    fill("tag_assignments", [(p, tag, dimension, moment()) for p in people for dimension, tag in tags if draw.random() < 0.3])
    fill(
        "score_profiles",
        [
            (m, p, round(draw.random() * 80, 2), draw.choice("ABCD") + draw.choice("1234"))
            for p in people
            for m in ("engagement", "fit")
            if draw.random() < 0.7
        ],
    )
    fill("segment_hot", [(p,) for p in people if draw.random() < 0.3] + [(None,)])
    history, number = [], 0
    for p in people:
        for step in range(draw.randrange(4)):
            number += 1
            history.append(
                (
                    "segment_hot",
                    p,
                    "enter" if step % 2 == 0 else "exit",
                    number,
                    AS_OF - timedelta(days=40 - step * 12, hours=draw.randrange(200)),
                )
            )
    fill("segment_history", history)
    fill(
        "suppressions",
        [(p, channel, draw.choice(["all", "marketing"])) for p in people for channel in ("email", "sms") if draw.random() < 0.2],
    )
    said = [(p, "email", "newsletter", topic, draw.choice(["granted", "withdrawn"])) for p in people for topic in ("all", "events")]
    fill("consent_state", [row for row in said if draw.random() < 0.6])
    fill("consent_purposes", [("newsletter", True), ("order_update", False)])
    fill("bridge_profile_identifiers", [(p, f"{p}@mail.example", f"own_{i}") for i, p in enumerate(people)])
    fill("vips", [("p_3@mail.example",), ("own_4",), ("p_5",), (None,), ("nobody",)])
    return connection


def rule(folder: Path, text: str) -> Rule:
    """The segment that a file of this text declares; fails with its faults."""
    path = folder / "some.yml"
    path.write_text(text, encoding="utf-8")
    file = YamlFile.read(path, "activation/segments/some.yml")
    found = read(file, "segment_some", KNOWN)
    assert found is not None, [str(fault) for fault in file.faults]
    return found


def members(connection: duckdb.DuckDBPyConnection, segment: Rule) -> dict[str, str]:
    """Who is in it, each with the reason."""
    sql = for_warehouse(compiled.query(segment), lambda name: exp.table_(name), AS_OF)
    rows = connection.execute(sql).fetchall()
    assert len(rows) == len({row[0] for row in rows}), "somebody is in it twice"
    return dict(rows)


def those(condition: str) -> str:
    """SQL for the people of whom a condition holds."""
    return f"{EVERYBODY} and ({condition})"


def did(condition: str) -> str:
    """SQL for the people of whom something was seen that a condition holds of."""
    return those(f"profile_id in (select profile_id {SEEN} and {condition})")


def by_hand(connection: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    """The people whom an analyst's SQL finds."""
    return {row[0] for row in connection.execute(sql).fetchall()}


def differs_by(people: duckdb.DuckDBPyConnection, folder: Path, text: str, sql: str) -> set[str]:
    """Whom only one of the two finds: the segment file `text`, or `sql` written by hand."""
    return set(members(people, rule(folder, text))) ^ by_hand(people, sql)


def tells_apart(people: duckdb.DuckDBPyConnection, folder: Path, written: str, sql: str) -> None:
    """A rule tree finds whom `sql` finds, some and not all; and none of it is everybody else: no condition is ever null."""
    assert 0 < len(by_hand(people, sql)) < 294, "the rule would tell nobody apart"
    assert differs_by(people, folder, f"description: Some.\nrule: {written}\n", sql) == set()
    assert differs_by(people, folder, f"description: Some.\nrule: {{none: [{written}]}}\n", f"{EVERYBODY} except {sql}") == set()
