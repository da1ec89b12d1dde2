"""The plan: the exact rows a run would add, change and remove, as an immutable file with a content hash.

Current rows are compared with the last acknowledged state of this sync, in the warehouse, set-based. Rows that failed are therefore
planned again by themselves, and A → B → A is right. Rows that cannot be planned (no key, a key twice) are in the plan as `invalid`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp, select

from activation.engine import audience
from activation.engine.declarations import Activation
from activation.engine.errors import PlanRefused
from activation.engine.models import Models
from activation.engine.payload import payload, text
from activation.engine.project import Project
from activation.engine.warehouse import DIALECT, transaction
from activation.engine.yaml_file import did_you_mean

HASH_VERSION = "md5-json-1"


@dataclass(frozen=True)
class Plan:
    """What a run would do. `file` is Parquet, one row per planned row; `acknowledged` is how many rows the state holds now."""

    ref: str
    plan_hash: str
    file: Path
    counts: Mapping[str, int]
    source_rows: int
    acknowledged: int
    held: int
    warnings: list[str] = field(default_factory=list)

    @property
    def planned(self) -> int:
        return sum(self.counts.values())


def make_plan(
    connection: duckdb.DuckDBPyConnection, project: Project, models: Models, activation: Activation, only_keys: list[str] | None = None
) -> Plan:
    """Compare source and state and write the plan file. Raises PlanRefused when the source is not what the declaration says."""
    current = audience.rows(connection, models, activation) if activation.kind == "send" else _sync_rows(connection, models, activation)
    connection.execute(f"create or replace temporary table current_rows as {current.sql(DIALECT)}")
    connection.execute("create or replace temporary table planned as " + _compare(activation).sql(DIALECT))
    if only_keys is not None:
        connection.execute("create or replace temporary table only_keys as select unnest(?::varchar[]) as key", [only_keys])
        connection.execute("delete from planned where key is null or key not in (select key from only_keys)")
    counts = dict(
        connection.execute(
            "select case when invalid_code is null then operation else 'invalid' end, count(*) from planned group by 1"
        ).fetchall()
    )
    source_rows = _one(connection, "select count(*) from current_rows")
    plan_hash = _content_hash(connection, activation)
    file = project.plans / f"{activation.ref.replace('/', '__')}-{plan_hash}.parquet"
    _write(connection, file)
    ref = [activation.ref]
    return Plan(
        ref=activation.ref,
        plan_hash=plan_hash,
        file=file,
        counts={name: counts.get(name, 0) for name in ("add", "change", "remove", "invalid")},
        source_rows=source_rows,
        acknowledged=_one(connection, "select count(*) from activation.sync_snapshot where ref = ? and state = 'acknowledged'", ref),
        held=_one(connection, "select count(*) from activation.sync_snapshot where ref = ? and state = 'held'", ref),
    )


def adopt_receipts(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> list[str]:
    """Held messages for which a receipt has come are acknowledged. Returns their message ids, for the ledger."""
    if activation.kind != "send":
        return []
    held = connection.execute("select count(*) from activation.sync_snapshot where ref = ? and state = 'held'", [activation.ref]).fetchone()
    if not held or not held[0]:
        return []
    models.columns(connection, "fct_message_events")  # raises when it is not there
    receipts = models.relation("fct_message_events").sql
    with transaction(connection):
        arrived = connection.execute(
            f"select distinct s.key, c.message_id from activation.sync_snapshot s join activation.sync_changelog c on c.run_id = s.run_id and c.key = s.key "
            f"where s.ref = ? and s.state = 'held' and c.message_id in (select message_id from {receipts})",
            [activation.ref],
        ).fetchall()
        for key, _ in arrived:
            connection.execute(
                "update activation.sync_snapshot set state = 'acknowledged' where ref = ? and key = ?", [activation.ref, key]
            )
    return [message_id for _, message_id in arrived]


# -- the rows of today ----------------------------------------------------------------------------------------------------


def _sync_rows(connection: duckdb.DuckDBPyConnection, models: Models, activation: Activation) -> exp.Select:
    spec = activation.sync
    columns = models.columns(connection, spec.model)
    wanted = {"key": spec.key, "match_on": spec.match_on, **{f"fields.{name}": column for name, column in spec.fields.items()}}
    missing = [f"`{column}` ({where}){did_you_mean(column, set(columns))}" for where, column in wanted.items() if column not in columns]
    if missing:
        raise PlanRefused(f"{activation.file}: model `{spec.model}` has no column {'; no column '.join(missing)}")
    has_profile = "profile_id" in columns
    return (
        select(
            text(exp.column(spec.key, table="source", quoted=True)).as_("key"),
            (text(exp.column("profile_id", table="source")) if has_profile else exp.cast(exp.null(), "varchar")).as_("profile_id"),
            text(exp.column(spec.match_on, table="source", quoted=True)).as_("match_value"),
            payload(spec.fields, columns, "source").as_("payload"),
        )
        .from_(models.relation(spec.model).expression("source"))
    )  # fmt: skip


# -- the comparison -------------------------------------------------------------------------------------------------------


def _compare(activation: Activation) -> exp.Select:
    """Current rows against the state. A send never changes or removes: a person is in its state once, whatever became of the fields."""
    is_send = activation.kind == "send"
    ref = exp.Literal.string(activation.ref)
    valid = select("*", exp.func("md5", exp.column("payload"), dialect=DIALECT).as_("hash"),
                   "count(*) over (partition by key) as copies").from_("current_rows")  # fmt: skip
    state = select("*").from_(exp.table_("sync_snapshot", db="activation")).where(exp.column("ref").eq(ref))
    # Whom a record is found by is part of what was acknowledged, whether or not it is a field too.
    changed = "false" if is_send else "state.hash is distinct from valid.hash or state.match_value is distinct from valid.match_value"
    code = (
        "case when valid.copies is not null and valid.key is null then 'NULL_KEY' when valid.copies > 1 then 'DUPLICATE_KEY' "
        "when valid.copies is not null and valid.match_value is null and " + ("false" if is_send else "true") + " then 'NULL_MATCH' end"
    )
    operation = (
        "case when valid.copies is null then 'remove' when state.key is null or state.state = 'unconfirmed' then 'add' "
        f"when ({changed}) or ({code}) is not null then 'change' end"
    )
    kept = ["valid.copies is not null"]
    if not is_send and activation.sync.mode == "mirror":
        kept.append("valid.copies is null and state.state in ('acknowledged', 'unconfirmed')")
    message = (
        f"case when valid.key is not null then 'm_' || md5({exp.Literal.string(activation.ref + '|').sql(DIALECT)} || valid.key) end"
        if is_send
        else "cast(null as varchar)"
    )
    joined = (
        select(
            f"{operation} as operation",
            "coalesce(valid.key, state.key) as key",
            "coalesce(valid.profile_id, state.profile_id) as profile_id",
            "coalesce(valid.match_value, state.match_value) as match_value",
            f"{message} as message_id",
            "state.provider_id",
            "coalesce(valid.payload, cast(state.payload as varchar)) as payload",
            "valid.hash",
            "cast(state.payload as varchar) as before",
            f"{code} as invalid_code",
        )
        .with_("valid", as_=valid)
        .with_("state", as_=state)
        .from_("valid")
        .join("state", on="valid.key = state.key", join_type="full outer")
        .where(" or ".join(f"({part})" for part in kept))
    )
    order = "case operation when 'add' then 1 when 'change' then 2 else 3 end, key, hash, match_value"
    return (
        select(f"row_number() over (order by {order}) - 1 as row_number", "*")
        .from_(joined.subquery("compared"))
        .where("operation is not null or invalid_code is not null")
    )


def _content_hash(connection: duckdb.DuckDBPyConnection, activation: Activation) -> str:
    """Sixteen hex digits over what the plan would do, the same for the same rows and mapping, in whatever order they were found."""
    row = connection.execute(
        "select count(*), coalesce(bit_xor(h), 0)::varchar, coalesce(sum(h % 9223372036854775783), 0)::varchar from (select md5_number(concat_ws('|', "
        "operation, coalesce(key, '∅'), coalesce(hash, '∅'), coalesce(match_value, '∅'), coalesce(message_id, '∅'), coalesce(invalid_code, '∅'))) as h from planned)"
    ).fetchone()
    text = "\n".join(
        [HASH_VERSION, activation.ref, activation.spec.model_dump_json(exclude={"schedule", "description", "guards"}), repr(row)]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    partial = file.with_suffix(f".{os.getpid()}.part")
    connection.execute("copy (select * from planned order by row_number) to '" + str(partial).replace("'", "''") + "' (format parquet)")
    os.chmod(partial, 0o600)
    os.replace(partial, file)


def _one(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Any = ()) -> int:
    row = connection.execute(sql, parameters).fetchone()
    return int(row[0]) if row else 0
