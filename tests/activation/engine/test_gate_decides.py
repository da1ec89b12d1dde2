"""Every planned row is invalid, withheld or leaves, never two of them and never none; and the gate's SQL decides as a few lines of Python do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_project import NOON, SmallProject, plan_rows

from activation.engine import gate, outgoing
from activation.engine.models import Models
from activation.engine.plan import make_plan
from activation.engine.warehouse import opened

PEOPLE = ["p_0", "p_1", "p_2", "p_3"]
SENDS = {"mail/news": "newsletter", "mail/order": "order_update"}
SYNC = "partner/people"  # on an objection basis

person = st.sampled_from(PEOPLE)
consents = st.lists(
    st.tuples(
        person,
        st.sampled_from(["email", "web", "sms", "all"]),
        st.sampled_from(["newsletter", "sales_contact", "all"]),
        st.sampled_from(["granted", "withdrawn"]),
        st.sampled_from([datetime(2026, 1, 1), datetime(2026, 2, 1), None]),
    ),
    max_size=12,
)
suppressions = st.lists(
    st.tuples(
        person,
        st.sampled_from(["email", "web", "sms", "all"]),
        st.sampled_from(["hard_bounce", "complaint", "unsubscribed", None]),
        st.sampled_from(["all", "marketing", None]),
    ),
    max_size=4,
)
profiles = st.lists(
    st.tuples(person, st.sampled_from(["a@mail.example", "not an address", "", None])), max_size=5
)  # a person may be missing, or stand there twice


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    shop = SmallProject(tmp_path_factory.mktemp("gate") / "shop")
    for ref, purpose in SENDS.items():
        shop.send(ref, purpose=purpose)
    shop.sync(SYNC)
    shop.fill("segment_everyone", [(name,) for name in PEOPLE])
    return shop


def may_leave(ref: str, row: dict[str, Any], known: set[str], consents: list[Any], suppressions: list[Any]) -> bool:
    """The rules, once more."""
    basis = {"mail/news": "consent", "mail/order": "transactional", SYNC: "objection"}[ref]
    channel, purpose = ("web", "sales_contact") if ref == SYNC else ("email", SENDS[ref])
    who = row["profile_id"]
    said = [c for c in consents if c[0] == who and c[1] in (channel, "all") and c[2] in (purpose, "all")]

    def age(consent: Any) -> datetime:
        return consent[4] or (datetime.max if consent[3] == "withdrawn" else datetime.min)

    newest = max(map(age, said), default=None)
    last = {c[3] for c in said if age(c) == newest}
    stops = [s for s in suppressions if s[0] == who and s[1] in (channel, "all")]
    if basis == "transactional":
        stops = [s for s in stops if s[3] != "marketing" or s[2] == "hard_bounce"]
    return (
        who in known
        and not (basis == "consent" and last != {"granted"})
        and not (basis == "objection" and "withdrawn" in last)
        and not stops
        and (ref == SYNC or row["match_value"] == "a@mail.example")
    )


@settings(max_examples=25, deadline=None)
@given(ref=st.sampled_from([*SENDS, SYNC]), profiles=profiles, consents=consents, suppressions=suppressions)
def test_every_planned_row_is_invalid_or_withheld_or_leaves_and_the_rules_say_which(
    world: SmallProject, ref: str, profiles: list[tuple[str, str | None]], consents: list[Any], suppressions: list[Any]
) -> None:
    verdicts = world.project.plans / "verdicts.parquet"
    activation = world.find(ref)
    with opened(world.project) as connection:
        tables = {
            "dim_profiles (profile_id, email)": profiles,
            "sync_people (profile_id, email)": [*profiles, ("stranger", "a@mail.example")],
            "consent_state": consents,
            "suppressions": suppressions,
        }
        for table, rows in tables.items():
            connection.execute(f"delete from {table.split()[0]}")
            for row in rows:
                connection.execute(f"insert into {table} values ({', '.join('?' * len(row))})", row)
        models = Models(world.project)
        plan = make_plan(connection, world.project, models, activation)
        gate.ask(connection, models, world.declarations.policies, activation, plan.file, NOON, verdicts)
    rows = {row["row_number"]: row for row in plan_rows(plan)}
    invalid = {number for number, row in rows.items() if row["invalid_code"]}
    withheld = [row["row_number"] for row in pq.read_table(verdicts).to_pylist()]
    leaving = [row.index for lot in outgoing.lots(plan.file, verdicts, 3) for row in lot.rows]

    assert sorted([*invalid, *withheld, *leaving]) == sorted(rows)
    assert outgoing.leaving(plan.file, verdicts) == len(leaving)
    known = {name for name, _ in profiles}
    assert set(leaving) == {n for n, row in rows.items() if n not in invalid and may_leave(ref, row, known, consents, suppressions)}
