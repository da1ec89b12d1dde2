"""What runs left behind: the last run of everything, who is at work, what is held, dead, paused or quarantined, and what failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from activation.engine import dead_letters
from activation.engine.declarations import Declarations
from activation.engine.ledger import holder, open_ledger
from activation.engine.project import Project
from activation.engine.warehouse import opened

FAILED = ("rejected", "skipped", "unknown")


@dataclass(frozen=True)
class Status:
    """`runs`: the last run of every declared sync and send (or None); the rest are rows as dictionaries."""

    runs: dict[str, dict[str, Any] | None]
    held: list[dict[str, Any]]
    circuits: list[dict[str, Any]]
    interrupted: list[dict[str, Any]]
    quarantined: dict[str, int]
    dead: dict[str, int] = field(default_factory=dict)
    leases: list[dict[str, Any]] = field(default_factory=list)


def status(project: Project, declarations: Declarations) -> Status:
    """The state of everything, read only."""
    with opened(project, read_only=True) as connection:
        last = connection.execute(
            "select * from activation.sync_runs qualify row_number() over (partition by ref order by as_of desc, started_at desc) = 1"
        )
        names = [column[0] for column in last.description or []]
        runs = {row["ref"]: row for row in (dict(zip(names, values, strict=True)) for values in last.fetchall())}
        held = connection.execute(
            "select ref, key, run_id, acknowledged_at from activation.sync_snapshot where state = 'held' order by ref, key limit 1000"
        ).fetchall()
        dead = dead_letters.counts(connection)
        quarantined = dict(connection.execute("select _source, count(*) from raw.quarantine group by 1 order by 1").fetchall())
    with open_ledger(project) as ledger:
        circuits = [dict(row) for row in ledger.circuits()]
        leases = [{"ref": row["ref"], "process": holder.shown(row["holder"])} for row in ledger.leases()]
        interrupted = [dict(row) for row in ledger.rows("select ref, run_id, status, started_at from runs where status <> 'settled'")]
    return Status(
        {ref: runs.get(ref) for ref in declarations.activations},
        [{"ref": r[0], "key": r[1], "run_id": r[2], "since": r[3]} for r in held],
        circuits,
        interrupted,
        quarantined,
        dead,
        leases,
    )


def failed_keys(project: Project, ref: str) -> list[str]:
    """Keys of the rows that failed in the last run of `ref`."""
    with opened(project, read_only=True) as connection:
        rows = connection.execute(
            "select key from activation.sync_changelog where ref = ? and outcome in ('rejected', 'skipped', 'unknown') and key is not null and run_id = "
            "(select run_id from activation.sync_runs where ref = ? order by as_of desc, started_at desc limit 1) order by row_number",
            [ref, ref],
        ).fetchall()
    return [row[0] for row in rows]
