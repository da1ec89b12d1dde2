"""Whom a send addresses, one row each, as SQL: segments included and excluded, people that nothing reaches, limits, waterfalls."""

from __future__ import annotations

from typing import Any, cast

import duckdb
from sqlglot import exp, parse_one, select

from activation.engine import draws
from activation.engine.declarations import Activation
from activation.engine.errors import PlanRefused
from activation.engine.models import Models
from activation.engine.payload import mapped, payload, text
from activation.engine.warehouse import DIALECT
from activation.engine.yaml_file import did_you_mean

CONTACTS = {name: name for name in ("email", "phone", "wechat_openid", "wecom_external_userid")}
TAKEN = "waterfall_taken"


def rows(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> exp.Select:
    """One row per person of the audience. Fields come from dim_profiles; the contact point of the channel always comes along.

    Who belongs to a send ahead in the waterfall is among them, for the gate to withhold and to say so.
    """
    spec = activation.send
    profiles = models.columns(connection, "dim_profiles")
    contact = spec.to or CONTACTS[activation.object.contact or "email"]
    asked = [*spec.of_profiles.values(), *([spec.to] if spec.to else [])]
    missing = [f"`{column}`{did_you_mean(column, set(profiles))}" for column in asked if column not in profiles]
    if missing:
        raise PlanRefused(f"{activation.file}: dim_profiles has no column {'; no column '.join(missing)}")
    take_waterfall(connection, models, activation)
    extra = said_by_segments(connection, models, activation, "p")
    if spec.experiment:
        extra["arm"] = _arm(connection, models, activation)
    found = (
        select(
            exp.column("profile_id", table="p").as_("key"),
            exp.column("profile_id", table="p").as_("profile_id"),
            text(exp.column(contact, table="p", quoted=True)).as_("match_value"),
            payload(spec.of_profiles, profiles, "p", extra).as_("payload"),
        )
        .from_(models.relation("dim_profiles").expression("p"))
        .where(exp.column("profile_id", table="p").isin(query=addressed(connection, models, activation)))
    )
    if spec.audience.limit:
        chosen = _first(connection, models, activation).union(select("profile_id").from_(TAKEN))
        found = found.where(exp.column("profile_id", table="p").isin(query=chosen))
    return found


def said_by_segments(
    connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, table: str
) -> dict[str, exp.Expression]:
    """The fields that segments say of a person, as expressions over `table`.profile_id. Raises PlanRefused when one has no such column."""
    found: dict[str, exp.Expression] = {}
    for name, (segment, column) in activation.send.of_segments.items():
        types = models.columns(connection, segment)
        if column not in types:
            raise PlanRefused(f"{activation.file}: `{segment}` has no column `{column}`.{did_you_mean(column, set(types))}")
        value = exp.Anonymous(this="any_value", expressions=[mapped(column, types, "said")])
        same = exp.column("profile_id", table="said").eq(exp.column("profile_id", table=table))
        found[name] = select(value).from_(models.relation(segment).expression("said")).where(same).subquery()
    return found


def addressed(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> exp.Query:
    """The people of the included segments, but for those of the excluded ones and those that nothing reaches."""
    audience = activation.send.audience
    for segment in (*audience.include, *audience.exclude):
        if "profile_id" not in models.columns(connection, segment):
            raise PlanRefused(f"{activation.file}: `{segment}` has no column `profile_id`, so it cannot be an audience.")
    people: Any = members(models, audience.include)
    excluded = [*audience.exclude, *_excluded(connection, models, activation)]
    return people.except_(members(models, excluded)) if excluded else people  # type: ignore[no-any-return]


def take_waterfall(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> None:
    """Make the temporary table `waterfall_taken` (profile_id, ref): who belongs to which of the sends ahead of this one."""
    connection.execute(f"create or replace temporary table {TAKEN} (profile_id varchar, ref varchar)")
    for send in activation.ahead:
        take = _first(connection, models, send) if send.send.audience.limit else addressed(connection, models, send)
        had = select("key").from_(exp.table_("sync_snapshot", db="activation")).where(exp.column("ref").eq(exp.Literal.string(send.ref)))
        connection.execute(
            f"insert into {TAKEN} select distinct profile_id, {exp.Literal.string(send.ref).sql(DIALECT)} "
            f"from ({take.sql(DIALECT)} union {had.sql(DIALECT)}) as t (profile_id) where profile_id not in (select profile_id from {TAKEN})"
        )


def not_excluded(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, table: str) -> exp.Expression:
    """A condition on the rows of a sync's model: not about a person that nothing reaches. `table` has a column profile_id."""
    segments = _excluded(connection, models, activation)
    if not segments:
        return exp.true()
    person = exp.column("profile_id", table=table)
    inside = text(person.copy()).isin(query=members(models, segments))
    return cast(exp.Expression, exp.or_(person.is_(exp.null()), exp.not_(inside)))


def removable(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, state: str = "state") -> exp.Expression:
    """A condition on acknowledged rows (`state`.payload): the row's parent is there, so that its absence means that it is gone.

    Raises PlanRefused when the parent's model has no such key.
    """
    spec = activation.sync
    if spec.scope is None:
        return exp.true()
    field = next(name for name, column in spec.fields.items() if column == spec.scope.parent)
    if activation.parent is None:
        source, column = spec.model, spec.scope.parent
    else:
        source, column = activation.parent.sync.model, activation.parent.sync.key
    if column not in models.columns(connection, source):
        raise PlanRefused(f"{activation.file}: `{source}` has no column `{column}`, by which a parent is known.")
    parents = (
        select(text(exp.column(column, quoted=True)))
        .from_(models.relation(source).expression())
        .where(exp.column(column, quoted=True).is_(exp.null()).not_())
    )
    path = '$."' + field.replace('"', '""') + '"'
    value = exp.Anonymous(this="json_extract_string", expressions=[exp.column("payload", table=state), exp.Literal.string(path)])
    return cast(exp.Expression, value.isin(query=parents))


def reads(activation: Activation) -> list[str]:
    """The models that say who is addressed, or what a sync holds, each once: those of the rows, and those that exclude."""
    if activation.kind == "sync":
        parent = [activation.parent.sync.model] if activation.parent else []
        return list(dict.fromkeys([activation.sync.model, *parent, *activation.excluded]))
    audiences = [send.send.audience for send in (activation, *activation.ahead)]
    return list(dict.fromkeys([*(name for one in audiences for name in (*one.include, *one.exclude)), *activation.excluded]))


def members(models: Models, names: list[str] | tuple[str, ...]) -> Any:
    """The people of any of these segments, each once."""
    parts: list[Any] = [
        select(text(exp.column("profile_id")).as_("profile_id"))
        .distinct()
        .from_(models.relation(name).expression())
        .where("profile_id is not null")
        for name in names
    ]
    union: Any = parts[0]
    for part in parts[1:]:
        union = union.union(part)
    # Apart, or what stands around it would take a part of it for itself.
    return union if len(parts) == 1 else select("profile_id").from_(union.subquery("members"))


def _excluded(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> list[str]:
    for segment in activation.excluded:
        if "profile_id" not in models.columns(connection, segment):
            raise PlanRefused(
                f"activation/policies/exclusions.yml: `{segment}` has no column `profile_id`, so nobody can be excluded by it."
            )
    return list(activation.excluded)


def _first(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> exp.Query:
    """The people whom the limit lets through. Who has had the message keeps a place, so that in all no more than `top` ever get it."""
    limit = activation.send.audience.limit
    assert limit is not None
    partition = "partition by grouped " if limit.per else ""
    order = f"had.key is not null desc, ranked {'desc' if limit.descending else 'asc'} nulls last, people.profile_id"
    had = select("key").from_(exp.table_("sync_snapshot", db="activation")).where(exp.column("ref").eq(exp.Literal.string(activation.ref)))
    ranks = (
        select("people.profile_id", f"row_number() over ({partition}order by {order}) as place")
        .from_(addressed(connection, models, activation).subquery("people"))
        .join(had.subquery("had"), on="had.key = people.profile_id", join_type="left")
        .join(_values(connection, models, activation, limit.column, "ranked", limit.descending), using=["profile_id"], join_type="left")
        .where(f"people.profile_id not in (select profile_id from {TAKEN})")
    )
    if limit.per:
        ranks = ranks.join(_values(connection, models, activation, limit.per, "grouped", False), using=["profile_id"], join_type="left")
    return select("profile_id").from_(ranks.subquery("ranks")).where(f"place <= {limit.top}")


def _values(
    connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, column: str, name: str, greatest: bool
) -> exp.Subquery:
    """Each person's value of a column of dim_profiles, or of the included segments where that has none."""
    sources = ["dim_profiles"] if column in models.columns(connection, "dim_profiles") else activation.send.audience.include
    for source in sources:
        if column not in models.columns(connection, source):
            raise PlanRefused(f"{activation.file}: neither dim_profiles nor `{source}` has a column `{column}` to limit the audience by.")
    all_values: Any = None
    for source in sources:
        values = select("profile_id", exp.column(column, quoted=True).as_("value")).from_(models.relation(source).expression())
        all_values = values if all_values is None else all_values.union(values, distinct=False)
    value = exp.func("max" if greatest else "min", exp.column("value"))
    return select("profile_id", value.as_(name)).from_(all_values.subquery("each")).group_by("profile_id").subquery(f"by_{name}")


def _arm(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> exp.Expression:
    """The arm of the person `p`: as it was drawn once, else as it will be."""
    spec = activation.send.experiment
    assert spec is not None
    draw = draws.experiment(spec, "p.profile_id")
    once = f"(select drawn.arm from {draws.assigned(connection, models, draw.name)} as drawn where drawn.profile_id = p.profile_id)"
    arm: exp.Expression = parse_one(f"coalesce({once}, {draw.arm})", dialect=DIALECT)  # type: ignore[assignment]
    return arm
