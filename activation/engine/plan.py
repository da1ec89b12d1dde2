"""The plan: the exact rows a run would add, change and remove, as an immutable file with a content hash.

Current rows are compared with the last acknowledged state of this sync, in the warehouse, set-based. Rows that failed are therefore
planned again by themselves, and A → B → A is right. Rows that cannot be planned (no key, a key twice) are in the plan as `invalid`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from activation.engine import column_types, dead_letters, differences
from activation.engine.declarations import Activation
from activation.engine.models import Models
from activation.engine.project import Project
from activation.engine.warehouse import transaction

PLAN_VERSION = "plan-3"
SHOWN = 5  # rows of each kind


@dataclass(frozen=True)
class Plan:
    """What a run would do. `file` is Parquet, one row per planned row; `acknowledged` is how many rows the destination said it has,
    `unconfirmed` how many more it may have: calls that nobody answered."""

    ref: str
    plan_hash: str
    file: Path
    counts: Mapping[str, int]
    source_rows: int
    acknowledged: int
    held: int
    unconfirmed: int = 0
    merged: int = 0  # of the removals, those of records whose profile was found to be another's
    dead: int = 0  # rows left out because they failed too often, or a person said so
    types: Mapping[str, str] = field(default_factory=dict)  # of the mapped columns, now
    retyped: list[str] = field(default_factory=list)  # sentences about columns whose type changed since the last run
    warnings: list[str] = field(default_factory=list)

    @property
    def planned(self) -> int:
        return sum(self.counts.values())


def make_plan(
    connection: duckdb.DuckDBPyConnection, project: Project, models: Models, activation: Activation, only_keys: list[str] | None = None
) -> Plan:
    """Compare source and state and write the plan file. Raises PlanRefused when the source is not what the declaration says."""
    found = differences.find(connection, models, activation)
    dead = dead_letters.leave_out(connection, activation)
    if only_keys is not None:
        connection.execute("create or replace temporary table only_keys as select unnest(?::varchar[]) as key", [only_keys])
        connection.execute("delete from planned where key is null or key not in (select key from only_keys)")
    plan = _planned(connection, project, activation, found.source_rows, dead)
    types = column_types.of(connection, models, activation)
    return replace(plan, types=types, retyped=column_types.changed(connection, activation.ref, types))


def plan_removals(connection: duckdb.DuckDBPyConnection, project: Project, activation: Activation, keys: list[str]) -> Plan:
    """Write the plan that takes the records of these keys away, whatever the source says: people who are to be forgotten."""
    connection.execute(
        "create or replace temporary table planned as select 'remove' as operation, key, profile_id, match_value, cast(null as varchar) as message_id, "
        "provider_id, payload, cast(null as varchar) as acknowledges, hash, hash_version, payload as before, cast(null as varchar) as invalid_code, "
        "'ERASED' as cause, rowid as state_row, row_number() over (order by key, state) - 1 as row_number from activation.sync_snapshot "
        "where ref = ? and state in ('acknowledged', 'unconfirmed', 'merged') and key in (select unnest(?::varchar[])) order by key, state",
        [activation.ref, keys],
    )
    return _planned(connection, project, activation, 0, 0)


def _planned(connection: duckdb.DuckDBPyConnection, project: Project, activation: Activation, source_rows: int, dead: int) -> Plan:
    """The table `planned` as a file with its hash. What the destination has now stands in it for the first rows of each kind, to be looked at."""
    first = f"qualify row_number() over (partition by coalesce(invalid_code, operation) order by row_number) <= {SHOWN}"
    differences.show(connection, f"rowid in (select rowid from planned {first})")
    counts = dict(
        connection.execute(
            "select case when invalid_code is null then operation else 'invalid' end, count(*) from planned group by 1"
        ).fetchall()
    )
    plan_hash = _content_hash(connection, activation)
    file = project.plans / f"{activation.ref.replace('/', '__')}-{plan_hash}.parquet"
    _write(connection, file)
    states = dict(
        connection.execute("select state, count(*) from activation.sync_snapshot where ref = ? group by 1", [activation.ref]).fetchall()
    )
    return Plan(
        ref=activation.ref,
        plan_hash=plan_hash,
        file=file,
        counts={name: counts.get(name, 0) for name in ("add", "change", "remove", "invalid")},
        source_rows=source_rows,
        acknowledged=states.get("acknowledged", 0),
        held=states.get("held", 0),
        unconfirmed=states.get("unconfirmed", 0),
        merged=_one(connection, "select count(*) from planned where cause = 'MERGED'"),
        dead=dead,
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


def _content_hash(connection: duckdb.DuckDBPyConnection, activation: Activation) -> str:
    """Sixteen hex digits over what the plan would do, the same for the same rows and mapping, in whatever order they were found."""
    # Sums and exclusive ors of both halves of an md5: the order in which rows are found does not count. (128-bit division is slow.)
    row = connection.execute(
        "select count(*), coalesce(bit_xor(low), 0)::varchar, coalesce(bit_xor(high), 0)::varchar, coalesce(sum(low), 0)::varchar, coalesce(sum(high), 0)::varchar "
        "from (select md5_number_lower(line) as low, md5_number_upper(line) as high from (select concat_ws('|', operation, coalesce(key, '∅'), "
        "coalesce(payload, '∅'), coalesce(match_value, '∅'), coalesce(message_id, '∅'), coalesce(invalid_code, '∅')) as line from planned))"
    ).fetchone()
    text = "\n".join(
        [PLAN_VERSION, activation.ref, activation.spec.model_dump_json(exclude={"schedule", "description", "guards", "retry"}), repr(row)]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    partial = file.with_suffix(f".{os.getpid()}.part")
    connection.execute(
        # In the order of the table, which is that of the numbers.
        "copy (select row_number, * exclude (row_number, state_row) from planned) to '"
        + str(partial).replace("'", "''")
        + "' (format parquet, row_group_size 10240)"
    )
    os.chmod(partial, 0o600)
    os.replace(partial, file)


def _one(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Any = ()) -> int:
    row = connection.execute(sql, parameters).fetchone()
    return int(row[0]) if row else 0
