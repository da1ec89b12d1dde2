"""What a run of a sync or send leaves to be seen: its counts and reasons as metadata, and the checks of its books."""

from __future__ import annotations

from typing import Any

import dagster as dg

from activation.engine.codes import OUTCOMES
from activation.engine.declarations import Activation
from activation.engine.plan import Plan
from activation.engine.project import Project
from activation.engine.settle import Settled
from activation.engine.warehouse import opened
from dagster_project.volume import Volume


def metadata(settled: Settled, plan: Plan | None, seconds: float) -> dict[str, Any]:
    """Every count, what was to be done, and why rows did not leave."""
    found: dict[str, Any] = {"planned": settled.planned, **{name: settled.outcomes[name] for name in OUTCOMES}}
    found |= {operation: counts["planned"] for operation, counts in settled.operations.items()}
    found |= {"run": settled.run_id, "status": settled.status, "seconds": round(seconds, 2)}
    if plan:
        found["plan"] = plan.plan_hash
    if settled.reasons:
        found["reasons"] = dg.MetadataValue.md(_table(settled.reasons))
    return found


def _table(reasons: list[tuple[str, str, str, int]]) -> str:
    lines = ["| outcome | code | rows | why |", "|---|---|---:|---|"]
    lines += [f"| {outcome} | {code} | {rows} | {str(why).replace('|', '/')} |" for outcome, code, why, rows in reasons]
    return "\n".join(lines)


def ledger_balances(project: Project, settled: Settled) -> dg.AssetCheckResult:
    """Planned is the sum of the outcomes, in the history of runs and row by row, as it stands in the warehouse."""
    columns = ", ".join(OUTCOMES)
    with opened(project, read_only=True) as connection:
        row = connection.execute(f"select planned, {columns} from activation.sync_runs where run_id = ?", [settled.run_id]).fetchone()
        rows = dict(
            connection.execute(
                "select outcome, count(*) from activation.sync_changelog where run_id = ? group by 1", [settled.run_id]
            ).fetchall()
        )
    planned, *counts = row or (None, *[None] * len(OUTCOMES))
    balanced = row is not None and planned == sum(counts) and counts == [rows.get(name, 0) for name in OUTCOMES]
    return dg.AssetCheckResult(
        check_name="ledger_balances",
        passed=balanced,
        description=None if balanced else f"Run {settled.run_id}: planned {planned}, counted {counts}, row by row {rows}.",
        metadata={"planned": settled.planned, "outcomes": sum(rows.values())},
    )


def rejections(activation: Activation, settled: Settled) -> dg.AssetCheckResult:
    """Of the rows that were tried, no more were rejected than the guards of this sync or send allow."""
    tried = settled.outcomes["sent"] + settled.outcomes["rejected"] + settled.outcomes["unknown"]
    percent = 100 * settled.outcomes["rejected"] / tried if tried else 0.0
    limit = activation.spec.guards.max_rejected_pct
    return dg.AssetCheckResult(
        check_name="rejections",
        passed=percent <= limit,
        description=f"{settled.outcomes['rejected']} of {tried} rows were rejected ({percent:.1f}%); at most {limit:g}% may (max_rejected_pct).",
        metadata={"rejected": settled.outcomes["rejected"], "tried": tried, "percent": round(percent, 2), "limit": limit},
    )


def volume(found: Volume) -> dg.AssetCheckResult:
    """The batch before its first call. What is only odd warns; what is broken has stopped the run."""
    return dg.AssetCheckResult(
        check_name="volume",
        passed=not found.broken and not found.odd,
        severity=dg.AssetCheckSeverity.ERROR if found.broken else dg.AssetCheckSeverity.WARN,
        description=" ".join([*found.broken, *found.odd]) or None,
        metadata={"rows": found.rows, "usually from": found.usual.low or 0, "usually to": found.usual.high or "not known yet"},
    )
