"""The rows of today, of a sync or a send: what is compared with what was acknowledged, and how rows are told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb
from sqlglot import exp, select

from activation.engine import audience, exchange
from activation.engine.declarations import Activation
from activation.engine.errors import PlanRefused
from activation.engine.models import Models
from activation.engine.payload import fingerprint, mapped, payload, text
from activation.engine.warehouse import DIALECT
from activation.engine.yaml_file import did_you_mean

FINGERPRINT = f"duckdb-{duckdb.__version__}-1"


@dataclass(frozen=True)
class Today:
    """The rows of today: a table whose rows keep their rowid, and what of each row is needed, as expressions over `source`."""

    table: exp.Table
    key: exp.Expression
    profile_id: exp.Expression
    match_value: exp.Expression
    payload: exp.Expression
    fingerprint: exp.Expression
    addressed: exp.Expression = field(default_factory=exp.true)
    invalid: exp.Expression = field(default_factory=exp.false)  # lacks what a record must have
    record: exp.Expression = field(default_factory=exp.null)  # its id over there, where it was found without us
    asked_at: exp.Expression | None = None  # of a message that people ask for: when this one was asked for, null if it was not

    @property
    def hash_version(self) -> str:
        """Says how fingerprints were made: two of different versions are not compared."""
        return f"{FINGERPRINT}-{hashlib.sha256(self.fingerprint.sql(DIALECT).encode()).hexdigest()[:12]}"


def rows_of_today(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> Today:
    """Where they stand, and what is needed of each. Raises PlanRefused when the source is not what the declaration says."""
    if activation.kind == "send":
        return _send_today(connection, models, activation)
    return _sync_today(connection, models, activation)


def _sync_today(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> Today:
    spec = activation.sync
    types = models.columns(connection, spec.model)
    wanted = {"key": spec.key, "match_on": spec.match_on, **{f"fields.{name}": column for name, column in spec.fields.items()}}
    missing = [f"`{column}` ({where}){did_you_mean(column, set(types))}" for where, column in wanted.items() if column not in types]
    if missing:
        raise PlanRefused(f"{activation.file}: model `{spec.model}` has no column {'; no column '.join(missing)}")
    if spec.exchange:
        return _exchanged_today(connection, models, activation, types)
    relation = models.relation(spec.model)
    table = relation.expression("source")
    is_table = connection.execute(
        "select 1 from duckdb_tables() where schema_name = ? and table_name = ?", [relation.schema, relation.table]
    ).fetchone()
    if not is_table:
        # A view is read once: it could give other rows the second time.
        needed = dict.fromkeys([*wanted.values(), *(["profile_id"] if "profile_id" in types else [])])
        rows = select(*(exp.column(column, quoted=True) for column in needed)).from_(table)
        table = _kept(connection, rows)
    key, match_value = (text(exp.column(column, table="source", quoted=True)) for column in (spec.key, spec.match_on))
    values = [(mapped(column, types, "source"), types[column]) for column in (spec.key, spec.match_on, *spec.fields.values())]
    return Today(
        table,
        key,
        text(exp.column("profile_id", table="source")) if "profile_id" in types else exp.cast(exp.null(), "varchar"),
        match_value,
        payload(spec.fields, types, "source", quiet=spec.policies),
        fingerprint([(exp.Literal.string(",".join(spec.fields)), "VARCHAR"), *values]),
        audience.not_excluded(connection, models, activation, "source") if "profile_id" in types else exp.true(),
    )


def _exchanged_today(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, types: Mapping[str, str]) -> Today:
    """The rows of a sync that minds what the destination has."""
    spec = activation.sync
    kept = exchange.take(connection, models, activation, types)
    fields = {name: exchange.field_column(name) for name in spec.fields}
    key, match_value = (text(exp.column(column, table="source", quoted=True)) for column in (spec.key, spec.match_on))
    values = [(mapped(column, kept, "source"), kept[column]) for column in (spec.key, spec.match_on, *fields.values())]
    addressed: exp.Expression = exp.column(exchange.ADDRESSED, table="source")
    if "profile_id" in types:
        excluded = audience.not_excluded(connection, models, activation, "source")
        addressed = exp.And(this=addressed, expression=exp.Paren(this=excluded))
    return Today(
        exp.table_("source_rows", db="temp", alias="source"),
        key,
        text(exp.column("profile_id", table="source")) if "profile_id" in types else exp.cast(exp.null(), "varchar"),
        match_value,
        payload(fields, kept, "source", quiet=spec.policies),
        fingerprint([(exp.Literal.string(",".join(spec.fields)), "VARCHAR"), *values]),
        addressed,
        exp.column(exchange.MISSING, table="source"),
        exp.column(exchange.RECORD, table="source"),
    )


def _send_today(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> Today:
    rows = audience.rows(connection, models, activation)
    asked_at: exp.Expression | None = None
    if activation.send.confirms:
        rows, asked_at = _with_requests(connection, models, activation, rows), exp.column("asked_at", table="source")
    table = _kept(connection, rows)
    columns = {name: exp.column(name, table="source") for name in ("key", "profile_id", "match_value", "payload")}
    made = fingerprint([(columns[name].copy(), "VARCHAR") for name in ("key", "match_value", "payload")])
    return Today(table, **columns, fingerprint=made, asked_at=asked_at)


def _with_requests(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation, rows: exp.Select) -> exp.Select:
    """With `asked_at`: since when the consent that the message asks to confirm has been waiting. Who left and asks again is asked again."""
    models.columns(connection, "consent_state")
    waiting = (
        select("profile_id", "max(since) as asked_at")
        .from_(models.relation("consent_state").expression())
        .where("status = 'pending'", exp.column("channel").isin(activation.channel, "all"))
        .where(exp.column("purpose").isin(exp.Literal.string(activation.send.confirms), "all"))
        .group_by("profile_id")
    )
    found = select("asked.*", "waiting.asked_at").from_(rows.subquery("asked"))
    return found.join(waiting.subquery("waiting"), on="asked.profile_id = waiting.profile_id", join_type="left")


def _kept(connection: duckdb.DuckDBPyConnection, rows: exp.Select) -> exp.Table:
    connection.execute(f"create or replace temporary table source_rows as {rows.sql(DIALECT)}")
    return exp.table_("source_rows", db="temp", alias="source")
