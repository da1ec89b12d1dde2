"""Guards: what a plan may at most do. They stop a run before its first call; a person may override them, and that is recorded."""

from __future__ import annotations

import duckdb

from activation.engine.ledger import Ledger
from activation.engine.plan import Plan
from activation.engine.specs import Guards


def broken(plan: Plan, guards: Guards) -> list[str]:
    """Every guard that this plan breaks, as sentences; none means it may go on. Without a state there is nothing to take a part of.

    Parts are of all rows that are over there or may be: those that may be are removed as well.
    """
    counts, state = {**plan.counts, "remove": plan.counts["remove"] - plan.merged}, plan.acknowledged + plan.unconfirmed
    reasons = list(plan.retyped)
    empties = plan.counts["remove"] > 0 and plan.source_rows <= counts["invalid"]
    if empties:
        what = "has no usable row" if plan.source_rows else "is empty"
        reasons.append(f"The source {what} and all {plan.counts['remove']} rows would be removed: an empty source never deletes.")
    if plan.merged * 100 > guards.max_merged_pct * (state + plan.merged):
        reasons.append(_percent("removed as merged", plan.merged, state + plan.merged, guards.max_merged_pct, "max_merged_pct"))
    asked = (
        ("removed", counts["remove"], None if empties else guards.max_removed_pct, guards.max_removed),
        ("changed", counts["change"], guards.max_changed_pct, guards.max_changed),
        ("added", counts["add"], guards.max_added_pct, guards.max_added),
        ("total", plan.planned, guards.max_total_pct, guards.max_total),
    )
    for name, count, percent, _ in asked:
        if percent is not None and state and count * 100 > percent * state:
            reasons.append(_percent(name, count, state, percent, f"max_{name}_pct"))
    for name, count, _, limit in asked:
        if limit is not None and count > limit:
            reasons.append(f"{count} rows {_would(name)}; at most {limit} may (max_{name}).")
    return reasons


def lost_state(connection: duckdb.DuckDBPyConnection, ledger: Ledger, ref: str) -> str | None:
    """A warning when rows of `ref` have been delivered and the state knows of none. What is planned then adds, and removes nothing."""
    if connection.execute("select 1 from activation.sync_snapshot where ref = ? limit 1", [ref]).fetchone():
        return None
    delivered = ledger.rows(
        "select 1 from runs r where r.ref = ? and r.status = 'settled' and ("
        "exists (select 1 from deliveries d where d.run_id = r.run_id and d.outcome = 'sent') or "
        "exists (select 1 from lots l where l.run_id = r.run_id and l.outcome = 'sent')) limit 1",
        (ref,),
    )
    if not delivered:
        return None
    return (
        f"The state of {ref} is empty, and the ledger knows of rows that were delivered: it was lost. "
        "All rows are planned as new, and nothing over there is removed."
    )


def _would(name: str) -> str:
    return "in all" if name == "total" else f"would be {name}"


def _percent(name: str, count: int, state: int, limit: float, key: str) -> str:
    if name == "total":
        return f"{count} rows in all are {count * 100 / state:.1f}% of the {state} over there; at most {limit:g}% may be planned ({key})."
    return f"{count} of {state} rows ({count * 100 / state:.1f}%) would be {name}; at most {limit:g}% may ({key})."
