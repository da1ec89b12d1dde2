"""A segment before anything is sent to it: how many there are, how many of them each channel reaches, and a few of them.

A rule is asked of the warehouse as the file says it now, with no build; one that is written in SQL as it was last built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb
from sqlglot import exp, select

from activation.engine.declarations import Declarations
from activation.engine.errors import PlanRefused, UsageError
from activation.engine.models import Models
from activation.engine.project import Project
from activation.engine.segments import compiled
from activation.engine.segments.conditions import CONTACTS, condition
from activation.engine.segments.references import HISTORY, for_warehouse
from activation.engine.segments.specs import Reachable
from activation.engine.segments.tree import BOOKS, Leaf, Rule
from activation.engine.warehouse import DIALECT, opened
from activation.engine.yaml_file import did_you_mean

SHOWN = ("full_name", "email", "phone", "city", "lifecycle_stage")
CHANGES = "segment_changes"


@dataclass(frozen=True)
class Reach:
    """Of the people of a segment: with an address of the channel, of those not suppressed, and of those who agreed, by purpose."""

    channel: str
    with_address: int
    not_suppressed: int
    agreed: dict[str, int]


@dataclass
class Preview:
    """What is in a segment. `personal` are the columns of the sample that a screen masks."""

    segment: str
    description: str
    people: int
    profiles: int
    reach: list[Reach] = field(default_factory=list)
    sample: list[dict[str, Any]] = field(default_factory=list)
    personal: set[str] = field(default_factory=set)


def preview(project: Project, declarations: Declarations, name: str, now: datetime, rows: int = 5) -> Preview:
    """Look at a segment by its model's name, or without the `segment_` before it.

    Raises UsageError for a name that no segment has, PlanRefused when a model that it needs is not built.
    """
    model = name if name.startswith("segment_") else f"segment_{name}"
    known = {one for one in declarations.models if one.startswith("segment_")} - BOOKS
    if model not in known:
        raise UsageError(f"There is no segment `{name}`.{did_you_mean(model, known)}")
    models = Models(project)
    with opened(project, read_only=True) as connection:
        profiles = models.columns(connection, "dim_profiles")
        rule = declarations.segments.get(model)
        people = _asked(connection, models, rule, now) if rule else _built(connection, models, model)
        try:
            connection.execute(f"create temporary table previewed as {people}")
        except duckdb.Error as error:
            raise _refused(rule.file if rule else model, error) from None
        count = _count(connection, "select count(*) from previewed")
        found = Preview(
            model,
            rule.spec.description if rule else models.description(model),
            count,
            _count(connection, f"select count(*) from {models.relation('dim_profiles').sql} where not is_test"),
        )
        found.reach = [_reach(connection, models, declarations, channel, now) for channel in CONTACTS]
        shown = ["profile_id", *(column for column in SHOWN if column in profiles)]
        wanted = select(*(exp.column(column, table="p") for column in shown), "previewed.reason").from_(
            models.relation("dim_profiles").expression("p")
        )
        # The same few every time, and no order that says anything.
        wanted = wanted.join("previewed", on="previewed.profile_id = p.profile_id").order_by("md5(p.profile_id)").limit(rows)
        sample = connection.execute(wanted.sql(DIALECT)).fetchall()
        found.sample = [dict(zip([*shown, "reason"], row, strict=True)) for row in sample]
        found.personal = models.pii("dim_profiles") & set(shown)
    return found


def relations(connection: duckdb.DuckDBPyConnection, models: Models) -> Callable[[str], exp.Expr]:
    """Where a model that a rule reads stands. Raises PlanRefused when it is not built."""
    built = models.built(connection)

    def relation(name: str) -> exp.Expr:
        if name == HISTORY and CHANGES not in built:
            nothing = "null::varchar as segment, null::varchar as profile_id, null::varchar as change, null::bigint as change_number"
            return select(*nothing.split(", "), "null::timestamp as changed_at").where("false").subquery()
        name = CHANGES if name == HISTORY else name
        models.columns(connection, name)
        return models.relation(name).expression()

    return relation


def _asked(connection: duckdb.DuckDBPyConnection, models: Models, rule: Rule, now: datetime) -> str:
    return for_warehouse(compiled.query(rule), relations(connection, models), now.astimezone(UTC))


def _built(connection: duckdb.DuckDBPyConnection, models: Models, model: str) -> str:
    columns = models.columns(connection, model)
    if "profile_id" not in columns:
        raise PlanRefused(f"`{model}` has no column `profile_id`: it is not about people.")
    reason: Any = exp.column("reason") if "reason" in columns else exp.null()
    query = select("profile_id", exp.func("min", exp.cast(reason, "varchar")).as_("reason")).from_(models.relation(model).expression())
    return query.where("profile_id is not null").group_by("profile_id").sql(DIALECT)


def _reach(connection: duckdb.DuckDBPyConnection, models: Models, declarations: Declarations, channel: str, now: datetime) -> Reach:
    """Each stage asks what the rule `reachable` asks."""
    relation = relations(connection, models)

    def among(truth: exp.Expr) -> int:
        query = (
            select("count(*)")
            .from_(exp.table_("dim_profiles", db="ref", alias="p"))
            .join("previewed", on="previewed.profile_id = p.profile_id")
        )
        return _count(connection, for_warehouse(query.where(truth), relation, now.astimezone(UTC)))

    agreed = {
        name: among(condition(Leaf(Reachable(reachable=channel, purpose=name)), "UTC"))  # type: ignore[arg-type]
        for name, purpose in declarations.policies.purposes.items()
        if purpose.basis == "consent"
    }
    return Reach(
        channel,
        among(exp.column(CONTACTS[channel], table="p").is_(exp.null()).not_()),
        among(condition(Leaf(Reachable(reachable=channel)), "UTC")),  # type: ignore[arg-type]
        agreed,
    )


def _refused(file: str, error: duckdb.Error) -> PlanRefused:
    said = str(error).splitlines()[0]
    return PlanRefused(f"{file}: the warehouse cannot find its people: {said}")


def _count(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0
