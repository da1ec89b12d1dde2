"""From an audience, or a source, to what will be sent: how many rows are left at each stage, and how many each rule took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
from sqlglot import exp, select

from activation.engine import audience
from activation.engine.declarations import Activation
from activation.engine.models import Models
from activation.engine.plan import Plan
from activation.engine.warehouse import DIALECT

STAGES = ("addressed", "eligible", "contactable", "after holdouts and experiments", "within caps", "will be sent")
ELIGIBLE = {"NO_PROFILE", "CONSENT_WITHDRAWN", "NO_CONSENT", "OBJECTED", "HARD_BOUNCE", "COMPLAINT", "DO_NOT_CONTACT", "SUPPRESSED"}


@dataclass(frozen=True)
class Stage:
    """So many rows are left, after these codes took theirs."""

    name: str
    rows: int
    lost: Mapping[str, int]


def funnel(
    connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, plan: Plan, withheld: Mapping[str, int]
) -> list[Stage]:
    """The stages in order. Each holds the rows of the one before it less what was lost; removals are not among them."""
    invalid = dict(
        connection.execute(
            "select invalid_code, count(*) from read_parquet(?) where invalid_code is not null group by 1 order by 1", [str(plan.file)]
        ).fetchall()
    )
    to_come = plan.counts["add"] + plan.counts["change"] + plan.counts["invalid"]
    first, lost = _send(connection, models, activation, plan) if activation.kind == "send" else _sync(connection, models, activation, plan)
    settled = "HAD_IT" if activation.kind == "send" else "UNCHANGED"
    lost = {**lost, settled: plan.source_rows - to_come - plan.dead, "DEAD": plan.dead, **invalid}
    stages = [first]
    for name in STAGES:
        taken = {code: count for code, count in {**(lost if name == "addressed" else {}), **_of(name, withheld)}.items() if count}
        stages.append(Stage(name, stages[-1].rows - sum(taken.values()), taken))
    return stages


def _send(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, plan: Plan) -> tuple[Stage, dict[str, int]]:
    """Everybody in the segments, and who is not addressed for what is declared."""
    spec = activation.send.audience
    everybody = audience.members(models, spec.include)
    left = everybody.copy().except_(audience.members(models, spec.exclude)) if spec.exclude else everybody
    counts = [_people(connection, models, people) for people in (everybody, left, audience.addressed(connection, models, activation))]
    lost = {"EXCLUDED": counts[0] - counts[1], "EXCLUDED_EVERYWHERE": counts[1] - counts[2], "LIMIT": counts[2] - plan.source_rows}
    return Stage("in the segments", counts[0], {}), lost


def _sync(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, plan: Plan) -> tuple[Stage, dict[str, int]]:
    """Every row of the model, and those about people that nothing reaches."""
    rows = plan.source_rows
    if activation.excluded:
        rows = _count(connection, select("count(*)").from_(models.relation(activation.sync.model).expression()))
    return Stage("in the source", rows, {}), {"EXCLUDED_EVERYWHERE": rows - plan.source_rows}


def _of(stage: str, withheld: Mapping[str, int]) -> dict[str, int]:
    return {code: count for code, count in withheld.items() if _stage(code) == stage}


def _stage(code: str) -> str:
    if code == "WATERFALL":
        return "addressed"
    if code in ELIGIBLE:
        return "eligible"
    prefixes = {"NO_": "contactable", "BAD_": "contactable", "HOLDOUT": STAGES[3], "EXPERIMENT": STAGES[3], "CAP_": "within caps"}
    return next((stage for prefix, stage in prefixes.items() if code.startswith(prefix)), STAGES[-1])


def _people(connection: duckdb.DuckDBPyConnection, models: Models, people: exp.Query) -> int:
    profiles = models.relation("dim_profiles").expression("p")
    return _count(connection, select("count(*)").from_(profiles).where(exp.column("profile_id", table="p").isin(query=people)))


def _count(connection: duckdb.DuckDBPyConnection, query: exp.Select) -> int:
    row = connection.execute(query.sql(DIALECT)).fetchone()
    return int(row[0]) if row else 0
