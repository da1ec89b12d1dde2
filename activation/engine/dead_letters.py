"""Rows that keep failing. Their attempts are counted when a run settles; a row that used them up is dead: it is not planned any more.

It lives again when it changes, or when a person says so. What waits for a person, dead rows and held messages, is listed as letters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from activation.engine.declarations import Activation
from activation.engine.warehouse import query

STATES = ("held", "dead", "discarded")
# As in settle_failures.sql: how a row looked when it failed.
FINGERPRINT = "md5(concat_ws('|', planned.operation, coalesce(planned.match_value, '∅'), coalesce(planned.payload, '∅')))"


@dataclass(frozen=True)
class Letter:
    """A row that waits for a person: `held` (a message that may have arrived), `dead` (failed too often), or `discarded` by one."""

    ref: str
    key: str
    state: str
    since: datetime
    attempts: int
    code: str
    reason: str
    run_id: str
    message_id: str | None


def after_settle(
    connection: duckdb.DuckDBPyConnection, activation: Activation, run: Mapping[str, Any], plan_file: Path, failed: int
) -> None:
    """Count the failures of a run, inside the transaction that settles it, from its `outcomes`. Done again it counts the same."""
    earlier = connection.execute("select 1 from activation.sync_failures where ref = ? limit 1", [activation.ref]).fetchone()
    if not failed and earlier is None:
        return  # nothing to count, and nothing to forget: a run of a million rows should not pay for that
    retry = activation.spec.retry
    parameters = {
        "ref": activation.ref,
        "plan": str(plan_file),
        "run_id": run["run_id"],
        "now": datetime.fromisoformat(run["as_of"]).replace(tzinfo=None),
        "is_sync": activation.kind == "sync",
        "max_attempts": retry.max_attempts,
        "max_age_seconds": retry.max_age_days * 86400,
    }
    for statement in connection.extract_statements(query("settle_failures")):
        connection.execute(statement, {name: parameters[name] for name in statement.named_parameters})


def leave_out(connection: duckdb.DuckDBPyConnection, activation: Activation) -> int:
    """Take dead and discarded rows out of the table `planned`. Returns how many that were."""
    waiting = connection.execute("select 1 from activation.sync_failures where ref = ? and state <> 'failing' limit 1", [activation.ref])
    if waiting.fetchone() is None:
        return 0
    row = connection.execute(
        "delete from planned where operation is not null and invalid_code is null and exists (select 1 from activation.sync_failures f "
        f"where f.ref = ? and f.key = planned.key and (f.state = 'discarded' or (f.state = 'dead' and f.fingerprint = {FINGERPRINT})))",
        [activation.ref],
    ).fetchone()
    return int(row[0]) if row else 0


def letters(connection: duckdb.DuckDBPyConnection, ref: str | None = None, states: Sequence[str] = ("held", "dead")) -> list[Letter]:
    """What waits for a person, the oldest first."""
    rows = connection.execute(query("letters"), {"ref": ref, "states": list(states)}).fetchall()
    return [Letter(*row) for row in rows]


def counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """How many dead rows each sync and send has."""
    return dict(
        connection.execute("select ref, count(*) from activation.sync_failures where state = 'dead' group by 1 order by 1").fetchall()
    )
